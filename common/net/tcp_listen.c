/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/tcp_listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "common/base/cleanup.h"

static int fail(const char *what, const char *address, uint16_t port, struct error *err)
{
	int e = errno;

	return error_set(err, -e, strchr(address, ':') ? "%s [%s]:%u: %s" : "%s %s:%u: %s", what,
		address, port, strerror(e));
}

int tcp_listen(int *ret_fd, const char *address, uint16_t *port, struct error *err)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(*port)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(*port)};
	bool is_v4 = inet_pton(AF_INET, address, &v4.sin_addr) == 1;
	struct sockaddr *addr = is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6;
	socklen_t size = is_v4 ? sizeof(v4) : sizeof(v6);
	_cleanup_close_ int fd = -1;
	int on = 1, off = 0;

	if (!is_v4 && inet_pton(AF_INET6, address, &v6.sin6_addr) != 1)
		return error_set(
			err, -EINVAL, "listen address '%s': not an IPv4 or IPv6 address", address);
	fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return fail("cannot create a socket for", address, *port, err);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!is_v4) /* "::" serves both */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (bind(fd, addr, size) < 0 || listen(fd, SOMAXCONN) < 0)
		return fail("cannot listen on", address, *port, err);
	if (getsockname(fd, addr, &size) < 0)
		return fail("cannot tell the port of", address, *port, err);
	*port = ntohs(is_v4 ? v4.sin_port : v6.sin6_port);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

void tcp_client(char ret[INET6_ADDRSTRLEN], const struct sockaddr *addr)
{
	enum { NETWORK_BYTES = 8, V4_AT = 12 };
	const struct sockaddr_in *v4 = (const void *)addr;
	const struct sockaddr_in6 *v6 = (const void *)addr;
	struct in6_addr network = {0};

	ret[0] = '\0';
	if (addr->sa_family == AF_INET) {
		inet_ntop(AF_INET, &v4->sin_addr, ret, INET6_ADDRSTRLEN);
	} else if (addr->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		inet_ntop(AF_INET, v6->sin6_addr.s6_addr + V4_AT, ret, INET6_ADDRSTRLEN);
	} else if (addr->sa_family == AF_INET6) {
		memcpy(&network, &v6->sin6_addr, NETWORK_BYTES);
		inet_ntop(AF_INET6, &network, ret, INET6_ADDRSTRLEN);
	}
}
