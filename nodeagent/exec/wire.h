/* SPDX-License-Identifier: Apache-2.0
 *
 * Bytes to and from a socket, until a deadline. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "common/base/span.h"

/* All or nothing, by deadline_usec (monotonic). -ETIMEDOUT, or what the socket says; the peer's end
 * is -ECONNRESET. */
int exec_send(int fd, struct span s, int64_t deadline_usec);
int exec_receive(int fd, void *p, size_t len, int64_t deadline_usec);

/* For a terminal and a log: no control character survives. */
void exec_clean(char *text);
