/* SPDX-License-Identifier: Apache-2.0
 *
 * Logs in klog's conventions: text
 *	Lmmdd hh:mm:ss.uuuuuu threadid file:line] "Message" key="value"
 * or JSON {"ts":<epoch ms>,"caller":..,"msg":..,"v":..}. Called by shells only,
 * never by library code. One write(2) a line, so lines of threads never mix. A line is at most 8
 * KiB: what is longer is cut and says so. Strings are escaped (controls, direction marks, invalid
 * UTF-8), so no value can forge a line. Never give it a secret. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"

enum log_format { LOG_TEXT, LOG_JSON };

struct log_options {
	enum log_format format;
	int verbosity; /* -v: log_info lines above it are dropped; 2 is the default, 4 debugs */
	int fd;        /* 2 */
};

/* Set once by main before threads start, and on reload. The one global of the house: a log that is
 * passed down to every function would be noise. */
void log_setup(const struct log_options *o);
bool log_enabled(int v);

struct log_field {
	const char *key; /* lowerCamelCase */
	enum { LOG_F_STR, LOG_F_SPAN, LOG_F_INT, LOG_F_BOOL, LOG_F_FLOAT } type;
	union {
		const char *str;
		struct span span;
		int64_t n;
		double f;
	};
};
#define LOG_STR(k, v)  ((struct log_field){.key = (k), .type = LOG_F_STR, .str = (v)})
#define LOG_SPAN(k, v) ((struct log_field){.key = (k), .type = LOG_F_SPAN, .span = (v)})
#define LOG_INT(k, v)  ((struct log_field){.key = (k), .type = LOG_F_INT, .n = (v)})
#define LOG_BOOL(k, v) ((struct log_field){.key = (k), .type = LOG_F_BOOL, .n = (v)})
#define LOG_SECS(k, v) ((struct log_field){.key = (k), .type = LOG_F_FLOAT, .f = (v)})

/* msg is capitalised, without a period. Extra arguments are LOG_... fields:
 *	log_info(2, "Served the first review", LOG_STR("webhook", "mutate")); */
#define log_info(v, ...) log_(('I'), (v), NULL, __FILE__, __LINE__, LOG_SPLIT_(__VA_ARGS__))
#define log_warn(...)    log_(('W'), 0, NULL, __FILE__, __LINE__, LOG_SPLIT_(__VA_ARGS__))
/* cause: what failed, e.g. err.message; NULL allowed. */
#define log_error(cause, ...) log_(('E'), 0, (cause), __FILE__, __LINE__, LOG_SPLIT_(__VA_ARGS__))

/* The fields stand between empty ones: the first takes the comma that ## drops, the last ends. */
#define LOG_SPLIT_(msg, ...) (msg), &(const struct log_field[]){{0}, ##__VA_ARGS__, {0}}[1]
void log_(char severity, int v, const char *cause, const char *file, int line, const char *msg,
	const struct log_field *fields);
