/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/exec/wire.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>

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

int exec_receive(int fd, void *p, size_t len, int64_t deadline_usec)
{
	for (size_t have = 0; have < len;) {
		int r = set_patience(fd, deadline_usec);
		ssize_t n = r < 0 ? -1 : recv(fd, (char *)p + have, len - have, 0);

		if (r < 0)
			return r;
		if (n == 0)
			return -ECONNRESET;
		if (n < 0 && errno != EINTR)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (n > 0)
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
