/* SPDX-License-Identifier: Apache-2.0
 *
 * The container's side of the key socket (common/kbs/delivery.h). */
#pragma once

#include <stdint.h>

#include "common/base/error.h"
#include "common/base/secret.h"
#include "common/base/span.h"
#include "common/kbs/delivery.h"

/* What an answer's JSON says. */
struct exec_answer {
	char status[16]; /* "ok", "refused", "again" */
	char reason[64], message[320];
	char key[DELIVERY_NAME_MAX + 1]; /* the one that was refused; "": all of them */
	size_t lengths[DELIVERY_KEYS_MAX];
};

/* Pure. A request's JSON; ret holds nothing before. -EBADMSG: no token; -E2BIG. */
int exec_request(struct secret *ret, struct span token, const struct span *keys, size_t n,
	struct error *err);
/* Pure. -EBADMSG: no answer to a request for n keys. Texts are printable ASCII afterwards, but for
 * what is UTF-8. */
int exec_answer_read(struct exec_answer *ret, struct span json, size_t n, struct error *err);

/* Reads the token and asks once, until deadline (monotonic). 0: ret_keys has n secrets. -EAGAIN:
 * asking again may help; -EACCES: refused; else broken. *ret_answer is set for -EACCES, and for
 * -EAGAIN when the agent said so. */
int exec_exchange(struct secret *ret_keys, struct exec_answer *ret_answer, const char *socket_path,
	const char *token_path, const struct span *keys, size_t n, int64_t deadline_usec,
	struct error *err);
