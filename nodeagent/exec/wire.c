/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/exec/wire.h"

#include <errno.h>
#include <sys/time.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"

/* Waits no longer than until the deadline in the next call. */
static int set_patience(int fd, int64_t deadline_usec)
{
	int64_t left = deadline_usec - clock_monotonic_usec();
	struct timeval tv;

	if (left <= 0)
		return -ETIMEDOUT;
	tv = (struct timeval){.tv_sec = left / USEC_PER_SEC, .tv_usec = left % USEC_PER_SEC};
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) < 0 ||
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0)
		return -errno;
	return 0;
}

int exec_connect(int *ret_fd, const struct sockaddr *to, socklen_t to_len, int64_t deadline_usec)
{
	_cleanup_close_ int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int r = fd < 0 ? -errno : set_patience(fd, deadline_usec);

	if (r < 0)
		return r;
	if (connect(fd, to, to_len) < 0)
		return errno == EINPROGRESS || errno == EAGAIN ? -ETIMEDOUT : -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int exec_send(int fd, struct span s, int64_t deadline_usec)
{
	while (s.len) {
		int r = set_patience(fd, deadline_usec);
		ssize_t n = r < 0 ? -1 : send(fd, s.p, s.len, MSG_NOSIGNAL);

		if (r < 0)
			return r;
		if (n < 0 && errno != EINTR)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (n > 0)
			s = (struct span){s.p + n, s.len - (size_t)n};
	}
	return 0;
}

ssize_t exec_receive_some(int fd, void *p, size_t len, int64_t deadline_usec)
{
	for (;;) {
		int r = set_patience(fd, deadline_usec);
		ssize_t n = r < 0 ? -1 : recv(fd, p, len, 0);

		if (r < 0)
			return r;
		if (n == 0)
			return -ECONNRESET;
		if (n > 0)
			return n;
		if (errno != EINTR)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
	}
}

int exec_receive(int fd, void *p, size_t len, int64_t deadline_usec)
{
	for (size_t have = 0; have < len;) {
		ssize_t n = exec_receive_some(fd, (char *)p + have, len - have, deadline_usec);

		if (n < 0)
			return (int)n;
		have += (size_t)n;
	}
	return 0;
}

void exec_clean(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}
