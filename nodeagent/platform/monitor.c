/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/platform/monitor.h"

#include <errno.h>
#include <linux/netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>

#include "nodeagent/platform/follow.h"
#include "nodeagent/platform/parse.h"

#define MSEC UINT64_C(1000)

enum {
	KERNEL_GROUP = 1, /* of NETLINK_KOBJECT_UEVENT: the kernel's own words; 2 is udevd's */
	UEVENT_MAX = 8192,
	UEVENTS_MAX = 64, /* before the loop has its turn */
	/* After AESM's socket came or its connection went: how often to try again, each time
	 * after twice as long. A socket is bound before it listens, and removed before its folder
	 * is: of that end nobody tells where the folder is a mount. */
	TRIES_MAX = 5,
	/* So many connections that did not last: it closes idle ones, and is not held any more. */
	BRIEF_MAX = 3,
};
static const uint64_t first_after = 50 * MSEC, apart = 200 * MSEC, accuracy = 10 * MSEC,
		      first_try = 100 * MSEC, brief = 1000 * MSEC;

struct platform_monitor {
	sd_event *event;
	struct root sysroot, real;
	struct follows follows;
	sd_event_source *inotify, *uevents, *report, *retry, *aesm;
	bool pending; /* report is armed */
	uint64_t reported_at;
	char aesm_socket[PLATFORM_PATH_MAX];
	bool removed; /* its folder */
	uint64_t connected_at;
	unsigned tries, briefs;
	void (*changed)(void *ctx);
	void *ctx;
};

static uint64_t now(const struct platform_monitor *m)
{
	uint64_t usec = 0;

	sd_event_now(m->event, CLOCK_MONOTONIC, &usec);
	return usec;
}

static void note_change(struct platform_monitor *m)
{
	uint64_t due = now(m) + first_after;

	if (m->pending)
		return;
	if (m->reported_at && due < m->reported_at + apart)
		due = m->reported_at + apart;
	m->pending = sd_event_source_set_time(m->report, due) >= 0 &&
		     sd_event_source_set_enabled(m->report, SD_EVENT_ONESHOT) >= 0;
}

static int on_report(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct platform_monitor *m = ctx;

	(void)source;
	(void)usec;
	m->pending = false;
	m->reported_at = now(m);
	m->changed(m->ctx);
	return 0; /* m may be gone */
}

/* ---- AESM ------------------------------------------------------------------------------------ */

static int on_aesm(sd_event_source *source, int fd, uint32_t events, void *ctx);

static void try_later(struct platform_monitor *m)
{
	if (m->tries >= TRIES_MAX)
		return;
	sd_event_source_set_time_relative(m->retry, first_try << m->tries++);
	sd_event_source_set_enabled(m->retry, SD_EVENT_ONESHOT);
}

/* There is no connection to AESM, for that reason. */
static void take_refusal(struct platform_monitor *m, int r)
{
	if (r == -ENOENT && !m->removed && root_folder_removed(&m->sysroot, m->aesm_socket)) {
		m->removed = true;
		note_change(m);
	} else if (r == -ECONNREFUSED || r == -EAGAIN || r == -ENOENT) {
		try_later(m);
	}
}

/* Holds a connection to AESM, which tells when it goes. AESM keeps idle ones for ever. */
static void try_aesm(struct platform_monitor *m)
{
	int fd, r;

	if (m->aesm || !m->aesm_socket[0] || m->briefs >= BRIEF_MAX)
		return;
	fd = root_connect(&m->sysroot, m->aesm_socket);
	if (fd < 0) {
		take_refusal(m, fd);
		return;
	}
	r = sd_event_add_io(m->event, &m->aesm, fd, EPOLLIN | EPOLLRDHUP, on_aesm, m);
	if (r < 0) {
		close(fd);
		return;
	}
	sd_event_source_set_io_fd_own(m->aesm, 1);
	m->connected_at = now(m);
	m->tries = 0;
	note_change(m);
}

static int on_aesm(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct platform_monitor *m = ctx;

	(void)source;
	(void)fd;
	(void)events; /* it says nothing that it was not asked for: it is going */
	m->aesm = sd_event_source_disable_unref(m->aesm);
	m->briefs = now(m) - m->connected_at < brief ? m->briefs + 1 : 0;
	m->tries = 0;
	note_change(m);
	try_later(m);
	return 0;
}

static int on_retry(sd_event_source *source, uint64_t usec, void *ctx)
{
	(void)source;
	(void)usec;
	try_aesm(ctx);
	return 0;
}

/* ---- inotify and uevents --------------------------------------------------------------------- */

static int on_inotify(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct platform_monitor *m = ctx;
	struct follows_news news;

	(void)source;
	(void)fd;
	(void)events;
	follows_read(&m->follows, &news);
	if (news.changed)
		note_change(m);
	if (news.aesm) {
		m->tries = 0;
		m->briefs = 0;
		try_aesm(m);
	}
	return 0;
}

/* One message. Anybody may send to a netlink socket: only what the kernel multicast counts. */
static ssize_t read_uevent(int fd, bool *ret_kernel, char buf[UEVENT_MAX])
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct sockaddr_nl from = {0};
	struct iovec iov = {buf, UEVENT_MAX};
	struct msghdr msg = {.msg_name = &from,
		.msg_namelen = sizeof(from),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	const struct cmsghdr *c;
	struct ucred cred;
	ssize_t n = recvmsg(fd, &msg, MSG_DONTWAIT);

	if (n < 0)
		return -errno;
	c = CMSG_FIRSTHDR(&msg);
	*ret_kernel = false;
	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_CREDENTIALS &&
		c->cmsg_len == CMSG_LEN(sizeof(cred))) {
		memcpy(&cred, CMSG_DATA(c), sizeof(cred));
		*ret_kernel = cred.pid == 0 && cred.uid == 0 && from.nl_pid == 0 &&
			      from.nl_groups == KERNEL_GROUP && !(msg.msg_flags & MSG_TRUNC);
	}
	return n;
}

static int on_uevent(sd_event_source *source, int fd, uint32_t events, void *ctx)
{
	struct platform_monitor *m = ctx;
	char buf[UEVENT_MAX];

	(void)source;
	(void)events;
	for (int i = 0; i < UEVENTS_MAX; i++) {
		bool kernel = false;
		ssize_t n = read_uevent(fd, &kernel, buf);

		if (n == -ENOBUFS)
			note_change(m); /* some were lost */
		else if (n < 0)
			break;
		else if (kernel && parse_uevent((struct span){buf, (size_t)n}))
			note_change(m);
	}
	return 0;
}

/* The kernel's group, not udevd's (sd-device's only one): the kernel speaks to every network
 * namespace of the initial user namespace, udevd to its own alone. */
static void listen_uevents(struct platform_monitor *m)
{
	struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_groups = KERNEL_GROUP};
	_cleanup_close_ int fd =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT);
	int on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0 ||
		bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return;
	if (sd_event_add_io(m->event, &m->uevents, fd, EPOLLIN, on_uevent, m) < 0)
		return;
	sd_event_source_set_io_fd_own(m->uevents, 1);
	TAKE_FD(fd);
}

/* ---- life ------------------------------------------------------------------------------------ */

static int follow(struct platform_monitor *m, const struct root *root, const char *path,
	uint32_t mask, bool (*cares)(struct span name), bool aesm, struct error *err)
{
	struct follow one = {.root = root, .mask = mask, .cares = cares, .aesm = aesm};
	int r = strlen(path) < sizeof(one.path) && path[0] == '/' ? 0 : -EINVAL;

	if (r == 0) {
		memcpy(one.path, path, strlen(path) + 1);
		r = follows_add(&m->follows, &one);
	}
	if (r < 0)
		return error_set(err, r, "%s: cannot be watched: %s%s", path, strerror(-r),
			r == -ENOSPC ? " (raise sysctl fs.inotify.max_user_watches)" : "");
	return 0;
}

static int follow_all(struct platform_monitor *m, const struct platform_source *src,
	const char *const *extra, struct error *err)
{
	static const char *const configurations[] = {"/etc/containerd", "/etc/containerd/conf.d",
		"/etc/crio/crio.conf.d", "/opt/kata/containerd/config.d"};
	/* of a device's node nothing that happens to it while it is used */
	const uint32_t entries = IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO,
		       nodes = entries | IN_ATTRIB, files = entries | IN_CLOSE_WRITE;
	int r = follow(m, &m->sysroot, "/dev", nodes, parse_is_tee_device, false, err);
	char *slash;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(configurations); i++)
		r = follow(m, &m->sysroot, configurations[i], files, NULL, false, err);
	for (size_t i = 0; r == 0 && extra && extra[i]; i++)
		r = i < PLATFORM_MONITOR_EXTRA_MAX
			    ? follow(m, &m->real, extra[i], nodes, NULL, false, err)
			    : error_set(err, -EINVAL, "more than %d folders to watch",
				      PLATFORM_MONITOR_EXTRA_MAX);
	if (r < 0 || !src->aesm_socket || src->aesm_socket[0] != '/' ||
		strlen(src->aesm_socket) >= sizeof(m->aesm_socket))
		return r;
	memcpy(m->aesm_socket, src->aesm_socket, strlen(src->aesm_socket) + 1);
	slash = strrchr(m->aesm_socket, '/');
	if (slash > m->aesm_socket) {
		*slash = '\0';
		r = follow(m, &m->sysroot, m->aesm_socket, nodes, NULL, true, err);
		*slash = '/';
	}
	return r;
}

static int add_timer(struct platform_monitor *m, sd_event_source **ret, sd_event_time_handler_t fn)
{
	int r = sd_event_add_time(m->event, ret, CLOCK_MONOTONIC, UINT64_MAX, accuracy, fn, m);

	return r < 0 ? r : sd_event_source_set_enabled(*ret, SD_EVENT_OFF);
}

static int add_sources(struct platform_monitor *m, struct error *err)
{
	int r = add_timer(m, &m->report, on_report);

	if (r >= 0)
		r = add_timer(m, &m->retry, on_retry);
	if (r >= 0)
		r = sd_event_add_io(
			m->event, &m->inotify, m->follows.inotify, EPOLLIN, on_inotify, m);
	return r < 0 ? error_set(err, r, "event loop: %s", strerror(-r)) : 0;
}

static int open_roots(
	struct platform_monitor *m, const struct platform_source *src, struct error *err)
{
	int r = root_init(&m->sysroot, src->sysroot);

	if (r < 0)
		return error_set(err, r, "%s: cannot be opened: %s", src->sysroot, strerror(-r));
	r = root_init(&m->real, "/");
	if (r < 0)
		return error_set(err, r, "/: cannot be opened: %s", strerror(-r));
	r = follows_init(&m->follows);
	if (r < 0)
		return error_set(err, r, "inotify: %s%s", strerror(-r),
			r == -EMFILE ? " (raise sysctl fs.inotify.max_user_instances)" : "");
	return 0;
}

int platform_monitor_new(struct platform_monitor **ret_m, sd_event *event,
	const struct platform_source *src, const char *const *extra, void (*changed)(void *ctx),
	void *ctx, struct error *err)
{
	_cleanup_(platform_monitor_free_p) struct platform_monitor *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return error_oom(err);
	m->event = sd_event_ref(event);
	m->sysroot.fd = m->real.fd = m->follows.inotify = -1;
	m->changed = changed;
	m->ctx = ctx;
	r = open_roots(m, src, err);
	if (r == 0)
		r = add_sources(m, err);
	if (r == 0)
		r = follow_all(m, src, extra, err);
	if (r < 0)
		return r;
	listen_uevents(m);
	try_aesm(m);
	/* what is so at the start is no change */
	sd_event_source_set_enabled(m->report, SD_EVENT_OFF);
	m->pending = false;
	*ret_m = TAKE_PTR(m);
	return 0;
}

void platform_monitor_free(struct platform_monitor *m)
{
	if (!m)
		return;
	sd_event_source_disable_unref(m->inotify);
	sd_event_source_disable_unref(m->uevents);
	sd_event_source_disable_unref(m->report);
	sd_event_source_disable_unref(m->retry);
	sd_event_source_disable_unref(m->aesm);
	follows_done(&m->follows);
	root_done(&m->sysroot);
	root_done(&m->real);
	sd_event_unref(m->event);
	free(m);
}
