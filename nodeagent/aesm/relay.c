/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/aesm/relay.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "nodeagent/aesm/relay_private.h"

#define ID_PREFIX "casemate-aesm-"
/* Where AESM's clients look, and what makes them look. */
#define CLIENT_DIR "/var/run/aesmd"
#define CLIENT_ENV "SGX_AESM_ADDR"

enum { TIMEOUT_USEC = 10000000, CONNECTIONS = 8, WAITING = 4 };

/* The prefix and a number as the device plugin writes it; so nothing else becomes a path. */
static bool id_valid(const char *id)
{
	size_t prefix = strlen(ID_PREFIX), digits;
	char again[DEVICE_ID_MAX + 1];

	if (strncmp(id, ID_PREFIX, prefix) != 0)
		return false;
	digits = strspn(id + prefix, "0123456789");
	if (digits == 0 || digits > 4 || id[prefix + digits])
		return false;
	snprintf(again, sizeof(again), ID_PREFIX "%d", atoi(id + prefix));
	return strcmp(again, id) == 0 && atoi(id + prefix) < RESOURCE_DEVICES_MAX;
}

/* --- sockets --- */

static int on_accept_again(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct aesm_relay *r = ctx;
	struct aesm_slot *slot;

	(void)source;
	(void)usec;
	TAILQ_FOREACH(slot, &r->slots, link)
	if (slot->listener && slot->n_clients < r->max_connections)
		sd_event_source_set_enabled(slot->listener, SD_EVENT_ON);
	return 0;
}

/* One a turn of the loop: the event stays until all are taken. Those beyond max_connections stay
 * in the kernel's queue until one of their own allocation leaves. */
static int on_connect(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct aesm_slot *slot = ctx;
	int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (client >= 0) {
		aesm_client_new(slot, client);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		/* No descriptor, or no memory: the event would come again at once. */
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
		sd_event_source_set_time_relative(
			slot->relay->accept_again, AESM_ACCEPT_PAUSE_USEC);
		sd_event_source_set_enabled(slot->relay->accept_again, SD_EVENT_ONESHOT);
	}
	return 0;
}

/* The folder stays the same one when it is there: a container that has it mounted would not see
 * another. */
static int folder_make(const char *path, struct error *err)
{
	struct stat st;

	if (mkdir(path, 0755) && errno != EEXIST)
		return error_set(err, -errno, "%s: cannot make it: %s", path, strerror(errno));
	if (lstat(path, &st))
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return error_set(err, -ENOTDIR, "%s: not a folder; remove it", path);
	/* Whatever the umask. */
	if (chmod(path, 0755))
		return error_set(err, -errno, "%s: cannot set its mode: %s", path, strerror(errno));
	return 0;
}

static int listen_at(const char *folder, struct error *err)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int n = snprintf(at.sun_path, sizeof(at.sun_path), "%s/aesm.socket", folder);

	if (n < 0 || (size_t)n >= sizeof(at.sun_path))
		return error_set(err, -ENAMETOOLONG,
			"%s/aesm.socket: longer than the %zu bytes of a socket's path", folder,
			sizeof(at.sun_path) - 1);
	if (fd < 0)
		return error_set(err, -errno, "socket: %s", strerror(errno));
	if ((unlink(at.sun_path) && errno != ENOENT) ||
		bind(fd, (struct sockaddr *)&at, sizeof(at)) || chmod(at.sun_path, 0666) ||
		listen(fd, AESM_BACKLOG))
		return error_set(
			err, -errno, "%s: cannot listen there: %s", at.sun_path, strerror(errno));
	return TAKE_FD(fd);
}

/* --- allocations --- */

static void slot_free(struct aesm_slot *slot)
{
	sd_event_source_disable_unref(slot->listener);
	free(slot);
}

static struct aesm_slot *slot_find(struct aesm_relay *r, const char *id)
{
	struct aesm_slot *slot;

	TAILQ_FOREACH(slot, &r->slots, link)
	if (strcmp(slot->id, id) == 0)
		return slot;
	slot = calloc(1, sizeof(*slot) + strlen(id) + 1);
	if (!slot)
		return NULL;
	memcpy(slot->id, id, strlen(id) + 1);
	slot->relay = r;
	TAILQ_INIT(&slot->clients);
	TAILQ_INIT(&slot->waiting);
	TAILQ_INSERT_TAIL(&r->slots, slot, link);
	return slot;
}

/* Makes the id's folder and a new socket in it; an earlier one's clients are gone. folder:
 * AESM_PATH_MAX bytes, gets its path. */
static int slot_renew(struct aesm_relay *r, const char *id, char *folder, struct error *err)
{
	struct aesm_slot *slot;
	int n = snprintf(folder, AESM_PATH_MAX, "%s/%s", r->dir, id), fd;

	if (n < 0 || n >= AESM_PATH_MAX)
		return error_set(err, -ENAMETOOLONG, "%s: too long a path for sockets", r->dir);
	n = folder_make(folder, err);
	if (n)
		return n;
	slot = slot_find(r, id);
	if (!slot)
		return error_oom(err);
	/* The old socket goes first: clients that leave would open its door again. */
	slot->listener = sd_event_source_disable_unref(slot->listener);
	aesm_slot_disconnect(slot);
	fd = listen_at(folder, err);
	if (fd < 0)
		return fd;
	n = sd_event_add_io(r->event, &slot->listener, fd, EPOLLIN, on_connect, slot);
	if (n < 0) {
		close(fd);
		return error_set(err, n, "event loop: %s", strerror(-n));
	}
	sd_event_source_set_io_fd_own(slot->listener, true);
	return 0;
}

static int allocate(
	void *ctx, const char *const *ids, size_t n, struct allocation *ret_a, struct error *err)
{
	struct aesm_relay *r = ctx;
	int e;

	if (n != 1)
		return error_set(err, -EINVAL,
			"casemate.dev/aesm: a container has one socket of AESM; request 1 of it, "
			"not %zu",
			n);
	if (!id_valid(ids[0]))
		return error_set(err, -EINVAL, "casemate.dev/aesm: no device \"%s\"", ids[0]);
	e = slot_renew(r, ids[0], r->allocated, err);
	if (e)
		return error_prefix(err, e, "casemate.dev/aesm");
	*ret_a = (struct allocation){
		/* Read-only: who is root in the container could replace the socket, or fill the
		 * host's disk. A socket can be connected to all the same. */
		.mounts = {{CLIENT_DIR, r->allocated, true}},
		.n_mounts = 1,
		.env = {{CLIENT_ENV, "1"}},
		.n_env = 1,
	};
	return 0;
}

struct resource aesm_relay_resource(struct aesm_relay *r)
{
	return (struct resource){
		.name = "casemate.dev/aesm",
		.prefix = ID_PREFIX,
		.allocate = allocate,
		.ctx = r,
	};
}

/* --- the relay --- */

static int take_over(struct aesm_relay *r, struct error *err)
{
	char folder[AESM_PATH_MAX];
	struct dirent *entry;
	DIR *dir = opendir(r->dir);
	int e = 0;

	if (!dir)
		return error_set(err, -errno, "%s: %s", r->dir, strerror(errno));
	/* cppcheck-suppress readdirCalled ; the stream is nobody else's */
	while (!e && (entry = readdir(dir)))
		if (id_valid(entry->d_name))
			e = slot_renew(r, entry->d_name, folder, err);
	closedir(dir);
	return e;
}

static int relay_start(struct aesm_relay *r, struct error *err)
{
	int e = sd_event_add_time_relative(r->event, &r->accept_again, CLOCK_MONOTONIC,
		AESM_ACCEPT_PAUSE_USEC, 0, on_accept_again, r);

	if (e < 0)
		return error_set(err, e, "event loop: %s", strerror(-e));
	sd_event_source_set_enabled(r->accept_again, SD_EVENT_OFF);
	e = folder_make(r->dir, err);
	return e ? e : take_over(r, err);
}

int aesm_relay_new(struct aesm_relay **ret_r, sd_event *event, const struct aesm_relay_options *o,
	struct error *err)
{
	_cleanup_(aesm_relay_free_p) struct aesm_relay *r = NULL;
	int e;

	if (strlen(o->socket) >= AESM_PATH_MAX)
		return error_set(
			err, -ENAMETOOLONG, "%s: longer than a socket's path can be", o->socket);
	r = calloc(1, sizeof(*r));
	if (!r)
		return error_oom(err);
	TAILQ_INIT(&r->slots);
	TAILQ_INIT(&r->queue);
	r->event = sd_event_ref(event);
	r->answer.max = AESM_ANSWER_MAX;
	r->timeout_usec = o->timeout_usec ? (uint64_t)o->timeout_usec : TIMEOUT_USEC;
	r->max_connections = o->max_connections ? o->max_connections : CONNECTIONS;
	r->max_waiting = o->max_waiting ? o->max_waiting : WAITING;
	r->dir = strdup(o->dir);
	r->socket = strdup(o->socket);
	if (!r->dir || !r->socket)
		return error_oom(err);
	r->requests = o->quotes;
	aesm_count_from_zero(r->requests);
	e = relay_start(r, err);
	if (e)
		return e;
	*ret_r = TAKE_PTR(r);
	return 0;
}

void aesm_relay_free(struct aesm_relay *r)
{
	struct aesm_slot *slot;

	if (!r)
		return;
	aesm_serve_stop(r);
	while ((slot = TAILQ_FIRST(&r->slots))) {
		TAILQ_REMOVE(&r->slots, slot, link);
		slot_free(slot);
	}
	sd_event_source_disable_unref(r->accept_again);
	sd_event_unref(r->event);
	free(r->dir);
	free(r->socket);
	free(r);
}
