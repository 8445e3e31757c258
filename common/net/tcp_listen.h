/* SPDX-License-Identifier: Apache-2.0
 *
 * A listening TCP socket. */
#pragma once

#include <netinet/in.h>
#include <stdint.h>

#include "common/base/error.h"

/* Non-blocking, close on exec. address: "0.0.0.0", "::" (both families), "127.0.0.1"; *port 0: any,
 * and it is told. -EINVAL: no address; -EADDRINUSE and friends name address and port. */
int tcp_listen(int *ret_fd, const char *address, uint16_t *port, struct error *err);

/* Whom a connection is from, for sharing what is scarce: an IPv4 address, or the first 64 bits of
 * one of IPv6, of which who has one has many. "" when addr is neither. */
void tcp_client(char ret[INET6_ADDRSTRLEN], const struct sockaddr *addr);
