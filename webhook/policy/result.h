/* SPDX-License-Identifier: Apache-2.0
 *
 * What policy says to people: refusals and warnings whose text is bounded and valid UTF-8, however
 * long the user's own names and values are. */
#pragma once

#include <stdarg.h>

#include "common/base/utf8.h"
#include "webhook/policy/policy.h"

enum {
	SHOWN_MAX = 80,     /* bytes of a user's own text in a message */
	WARNING_MAX = 256,  /* bytes; the API server truncates longer ones */
	MESSAGE_MAX = 1024, /* bytes of a refusal */
};

/* The arguments of SPAN_FMT for a user's own text in a message. */
#define SHOWN(s) SPAN_ARG(utf8_cut((s), SHOWN_MAX))

/* policy_refuse with a va_list; always returns 0. */
int policy_vrefuse(struct policy_result *res, struct arena *a, enum reason reason, const char *fmt,
	va_list ap) __attribute__((format(printf, 4, 0)));
