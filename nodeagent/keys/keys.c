/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/keys/keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/kube/resources.h"
#include "nodeagent/keys/keys_private.h"

/* --- sockets --- */

static int on_accept_again(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct keys *k = ctx;
	struct key_slot *slot;

	(void)source;
	(void)usec;
	TAILQ_FOREACH(slot, &k->slots, link)
	if (slot->listener && slot->n_clients < KEYS_CLIENTS_MAX)
		sd_event_source_set_enabled(slot->listener, SD_EVENT_ON);
	return 0;
}

/* One a turn of the loop: the event stays until all are taken. */
static int on_connect(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct key_slot *slot = ctx;
	int client = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (client >= 0) {
		key_client_new(slot, client);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		/* No descriptor, or no memory: the event would come again at once. */
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
		sd_event_source_set_time_relative(slot->k->accept_again, KEYS_ACCEPT_PAUSE_USEC);
		sd_event_source_set_enabled(slot->k->accept_again, SD_EVENT_ONESHOT);
	}
	return 0;
}

static int listen_at(const struct key_slot *slot, struct error *err)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int n = snprintf(at.sun_path, sizeof(at.sun_path), "%s/%s/" DELIVERY_SOCKET_NAME,
		slot->k->folders.dir, slot->folder);

	if (n < 0 || (size_t)n >= sizeof(at.sun_path))
		return error_set(err, -ENAMETOOLONG,
			"%s: too long for the path of a socket: choose a shorter keys.dir",
			slot->k->folders.dir);
	if (fd < 0)
		return error_set(err, -errno, "socket: %s", strerror(errno));
	if ((unlink(at.sun_path) && errno != ENOENT) ||
		bind(fd, (struct sockaddr *)&at, sizeof(at)) || chmod(at.sun_path, 0666) ||
		listen(fd, KEYS_BACKLOG))
		return error_set(
			err, -errno, "%s: cannot listen there: %s", at.sun_path, strerror(errno));
	return TAKE_FD(fd);
}

static int slot_listen(struct key_slot *slot, struct error *err)
{
	int fd = listen_at(slot, err), r;

	if (fd < 0)
		return fd;
	r = sd_event_add_io(slot->k->o.event, &slot->listener, fd, EPOLLIN, on_connect, slot);
	if (r < 0) {
		close(fd);
		return error_set(err, r, "event loop: %s", strerror(-r));
	}
	sd_event_source_set_io_fd_own(slot->listener, true);
	return 0;
}

/* --- allocations --- */

struct key_slot *key_slot_find(struct keys *k, const char *id)
{
	struct key_slot *slot;

	TAILQ_FOREACH(slot, &k->slots, link)
	if (strcmp(slot->id, id) == 0)
		return slot;
	return NULL;
}

/* The socket goes first: clients that leave would open its door again. */
static void slot_close(struct key_slot *slot)
{
	slot->listener = sd_event_source_disable_unref(slot->listener);
	key_clients_close(slot);
	key_jobs_end(slot);
}

static void slot_free(struct key_slot *slot)
{
	slot_close(slot);
	TAILQ_REMOVE(&slot->k->slots, slot, link);
	slot->k->view.folders--;
	free(slot->held);
	free(slot);
}

static int slot_add(struct keys *k, const char *id, const char *folder, struct key_slot **ret,
	struct error *err)
{
	struct key_slot *slot = calloc(1, sizeof(*slot));
	int r;

	if (!slot)
		return error_oom(err);
	slot->k = k;
	snprintf(slot->id, sizeof(slot->id), "%s", id);
	snprintf(slot->folder, sizeof(slot->folder), "%s", folder);
	TAILQ_INIT(&slot->clients);
	TAILQ_INSERT_TAIL(&k->slots, slot, link);
	k->view.folders++;
	r = slot_listen(slot, err);
	if (r < 0)
		slot_free(slot);
	else if (ret)
		*ret = slot;
	return r;
}

static int allocate(
	void *ctx, const char *const *ids, size_t n, struct allocation *ret_a, struct error *err)
{
	struct keys *k = ctx;
	char folder[KEY_FOLDER_NAME];
	struct key_slot *slot;
	int r;

	if (n != 1)
		return error_set(err, -EINVAL,
			"a container has one way to its keys; request 1 of it, not %zu", n);
	if (!key_id_valid(ids[0]))
		return error_set(err, -EINVAL, "no device \"%s\"", ids[0]);
	slot = key_slot_find(k, ids[0]);
	if (slot)
		slot_free(slot);
	r = key_folders_renew(&k->folders, ids[0], folder, err);
	if (r == 0)
		r = slot_add(k, ids[0], folder, NULL, err);
	if (r < 0)
		return r;
	snprintf(k->allocated, sizeof(k->allocated), "%s/%s", k->folders.dir, folder);
	*ret_a = (struct allocation){
		/* Read-only: who is root in the container could replace the socket, or fill the
		 * node's memory. The program has a mount of its own: /run is often noexec. */
		.mounts = {{DELIVERY_DIR, k->allocated, true}, {DELIVERY_EXEC, k->program, true}},
		.n_mounts = 2,
	};
	return 0;
}

struct resource keys_resource(struct keys *k)
{
	return (struct resource){
		.name = RESOURCE_KEYS,
		.prefix = KEY_ID_PREFIX,
		.allocate = allocate,
		.pre_start = key_pre_start,
		.ctx = k,
	};
}

void keys_tidy(struct keys *k, bool (*alive)(void *ctx, const char *uid), void *ctx)
{
	struct key_slot *slot, *next;

	for (slot = TAILQ_FIRST(&k->slots); slot; slot = next) {
		next = TAILQ_NEXT(slot, link);
		if (!*slot->owner || alive(ctx, slot->owner))
			continue;
		key_folders_forget(&k->folders, slot->id, slot->folder);
		slot_free(slot);
	}
}

struct keys_view keys_view(const struct keys *k)
{
	struct keys_view v = k->view;

	v.waiting = k->n_jobs;
	v.problem = k->problem;
	return v;
}

/* --- made and freed --- */

/* What its files were when the last agent wrote them. */
static void recall(struct key_slot *slot)
{
	_cleanup_buf_ struct buf text = BUF_INIT(KEY_HELD_MAX);

	if (key_folders_held(&slot->k->folders, slot->folder, &text) < 0 || !text.len)
		return;
	slot->held = malloc(sizeof(*slot->held));
	if (slot->held && key_held_read(slot->held, buf_view(&text)) < 0) {
		free(slot->held);
		slot->held = NULL;
	}
}

static int take_over(void *ctx, const char *id, const char *folder, struct error *err)
{
	struct keys *k = ctx;
	struct key_slot *slot;
	int r = slot_add(k, id, folder, &slot, err);

	if (r < 0)
		return r;
	key_folders_owner(&k->folders, folder, slot->owner);
	recall(slot);
	return 0;
}

static bool known(void *ctx, const char *folder)
{
	struct keys *k = ctx;
	struct key_slot *slot;

	TAILQ_FOREACH(slot, &k->slots, link)
	if (strcmp(slot->folder, folder) == 0)
		return true;
	return false;
}

static int start(struct keys *k, struct error *err)
{
	static const char *const labels[] = {"result", "reason", NULL};
	int r = sd_event_add_time_relative(k->o.event, &k->accept_again, CLOCK_MONOTONIC,
		KEYS_ACCEPT_PAUSE_USEC, 0, on_accept_again, k);

	if (r < 0)
		return error_set(err, r, "event loop: %s", strerror(-r));
	sd_event_source_set_enabled(k->accept_again, SD_EVENT_OFF);
	if (k->o.metrics) {
		k->requests = metrics_counter(k->o.metrics, "casemate_agent_key_requests_total",
			"Requests of containers for keys, by what they came to and why.", labels);
		if (!k->requests)
			return error_oom(err);
		metric_add(k->requests, 0, METRIC_VALUES("ok", "Ok"));
	}
	r = key_jobs_start(k, err);
	if (r == 0)
		r = key_refresh_new(k, err);
	if (r == 0)
		r = key_folders_init(&k->folders, k->o.dir, k->o.state, err);
	if (r == 0)
		r = key_folders_program(&k->folders, k->o.program, k->program, err);
	if (r == 0)
		r = key_folders_each(&k->folders, take_over, k, err);
	return r < 0 ? r : key_folders_sweep(&k->folders, known, k, err);
}

int keys_new(struct keys **ret, const struct keys_options *o, struct error *err)
{
	_cleanup_(keys_free_p) struct keys *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return error_oom(err);
	k->o = *o;
	TAILQ_INIT(&k->slots);
	TAILQ_INIT(&k->jobs);
	k->url = strdup(o->url);
	k->ca_file = strdup(o->ca_file);
	k->token_file = strdup(o->token_file);
	k->pods_dir = strdup(o->pods_dir);
	if (!k->url || !k->ca_file || !k->token_file || !k->pods_dir)
		return error_oom(err);
	while (*k->url && k->url[strlen(k->url) - 1] == '/')
		k->url[strlen(k->url) - 1] = '\0';
	if (!k->o.timeout_usec)
		k->o.timeout_usec = KEYS_STEP_USEC;
	r = start(k, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(k);
	return 0;
}

void keys_free(struct keys *k)
{
	if (!k)
		return;
	while (!TAILQ_EMPTY(&k->slots))
		slot_free(TAILQ_FIRST(&k->slots));
	key_refresh_free(k->refresh);
	sd_event_source_disable_unref(k->accept_again);
	sd_event_source_disable_unref(k->soon);
	sd_event_source_disable_unref(k->later);
	free(k->url);
	free(k->ca_file);
	free(k->token_file);
	free(k->pods_dir);
	free(k);
}
