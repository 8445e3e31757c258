/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes to and from a socket, until a deadline. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "common/base/span.h"

/* A new connection of type SOCK_STREAM, by deadline_usec (monotonic). -ETIMEDOUT, or what the
 * socket says. */
int exec_connect(int *ret_fd, const struct sockaddr *to, socklen_t to_len, int64_t deadline_usec);

/* All or nothing, by deadline_usec (monotonic). -ETIMEDOUT, or what the socket says; the peer's end
 * is -ECONNRESET. */
int exec_send(int fd, struct span s, int64_t deadline_usec);
int exec_receive(int fd, void *p, size_t len, int64_t deadline_usec);
/* What is there, at most len bytes; waits for the first. How many; failures as above. */
ssize_t exec_receive_some(int fd, void *p, size_t len, int64_t deadline_usec);

/* For a terminal and a log: no control character survives. */
void exec_clean(char *text);
