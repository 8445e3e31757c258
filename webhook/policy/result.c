/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/policy/result.h"

/* Formatted in a and cut to max bytes; NULL when a is exhausted. */
static const char *format(struct arena *a, size_t max, const char *fmt, va_list ap)
	__attribute__((format(printf, 3, 0)));
static const char *format(struct arena *a, size_t max, const char *fmt, va_list ap)
{
	char *text = arena_vprintf(a, fmt, ap);

	if (text)
		text[utf8_cut(span_str(text), max).len] = '\0';
	return text;
}

void policy_warn(struct policy_result *res, struct arena *a, const char *fmt, ...)
{
	const char *text;
	va_list ap;

	if (res->n_warnings == POLICY_WARNINGS_MAX)
		return;
	va_start(ap, fmt);
	text = format(a, WARNING_MAX, fmt, ap);
	va_end(ap);
	if (!text)
		return;
	for (size_t i = 0; i < res->n_warnings; i++)
		if (strcmp(res->warnings[i], text) == 0)
			return;
	res->warnings[res->n_warnings++] = text;
}

int policy_vrefuse(
	struct policy_result *res, struct arena *a, enum reason reason, const char *fmt, va_list ap)
{
	const char *text = format(a, MESSAGE_MAX, fmt, ap);

	res->verdict = VERDICT_REFUSED;
	res->reason = reason;
	res->message = text ? text : reason_explanation(reason);
	return 0;
}

int policy_refuse(
	struct policy_result *res, struct arena *a, enum reason reason, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	policy_vrefuse(res, a, reason, fmt, ap);
	va_end(ap);
	return 0;
}
