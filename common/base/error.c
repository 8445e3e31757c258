/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/error.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

int error_vset(struct error *err, int code, const char *fmt, va_list ap)
{
	char message[sizeof(err->message)];

	assert(code < 0);
	if (!err)
		return code;
	vsnprintf(message, sizeof(message), fmt, ap);
	strcpy(err->message, message);
	err->code = code;
	return code;
}

int error_set(struct error *err, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	error_vset(err, code, fmt, ap);
	va_end(ap);
	return code;
}

int error_prefix(struct error *err, int code, const char *fmt, ...)
{
	char prefix[sizeof(err->message)];
	va_list ap;
	size_t n;

	assert(code < 0);
	if (!err)
		return code;
	va_start(ap, fmt);
	vsnprintf(prefix, sizeof(prefix) - 2, fmt, ap);
	va_end(ap);
	strcat(prefix, ": ");
	n = strlen(prefix);
	/* The prefix says where: when both do not fit, the tail of the rest gives way. */
	memmove(err->message + n, err->message, sizeof(err->message) - n);
	memcpy(err->message, prefix, n);
	err->message[sizeof(err->message) - 1] = '\0';
	err->code = code;
	return code;
}
