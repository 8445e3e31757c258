/* SPDX-License-Identifier: Apache-2.0
 *
 * Settings of a daemon: one table says name, type, where it lands, default, range and help. A
 * setting comes from (weakest first) its default, the YAML file (camelCase, nested by dots), the
 * environment (CASEMATE_SNAKE_CASE) and the flag (--kebab-case). Dots become '-' and '_':
 * "tls.minVersion" is tls: {minVersion: ...}, CASEMATE_TLS_MIN_VERSION and --tls-min-version. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/base/json.h"
#include "common/base/yaml.h"

enum setting_type {
	SETTING_STRING,   /* const char *, never NULL */
	SETTING_BOOL,     /* bool */
	SETTING_INT,      /* int64_t, min..max */
	SETTING_DURATION, /* int64_t microseconds, min..max */
	SETTING_QUANTITY, /* int64_t whole units (bytes), min..max */
	SETTING_ENUM,     /* int: index into choices */
	SETTING_STRINGS,  /* struct strings; flag and environment: comma-separated */
	SETTING_CUSTOM,   /* file only: parse() below */
};

struct strings {
	const char *const *v;
	size_t n;
};

struct settings_source; /* the document being read; for messages of custom parsers */

struct setting {
	const char *name; /* "tls.minVersion" */
	enum setting_type type;
	size_t offset;   /* in the target struct */
	const char *def; /* default as text; NULL: zero value (empty string, empty list) */
	/* SETTING_INT, _DURATION (microseconds), _QUANTITY; max 0: no upper bound */
	int64_t min, max;
	const char *const *choices; /* SETTING_ENUM: NULL-terminated */
	const char *help;           /* one line; NULL: not shown */
	const char *meta;           /* what the value is called in --help: "FILE" */
	bool file_only;             /* no flag, no environment variable */
	bool no_file;               /* flag and environment only: what finds the file */
	/* SETTING_CUSTOM: reads v into target + offset, memory from a. Fails through
	 * settings_error(). */
	int (*parse)(const struct settings_source *src, struct json_val v, void *field,
		struct arena *a, struct error *err);
};

enum { SETTINGS_TABLE_MAX = 192 };

/* A table put together of several parts. Zero-initialise. */
struct settings_table {
	struct setting v[SETTINGS_TABLE_MAX];
	size_t n;
};

/* Adds n settings whose offsets count from shift bytes into the target. The table must have room
 * for them. */
void settings_add(struct settings_table *t, const struct setting *part, size_t n, size_t shift);

/* "FILE:LINE:COLUMN: <message>", where v stands. */
int settings_error(const struct settings_source *src, struct json_val v, struct error *err,
	const char *fmt, ...) __attribute__((format(printf, 4, 5)));

struct settings_input {
	const struct setting *table; /* n entries */
	size_t n;
	const char *file;         /* its name, for messages; NULL: no file */
	struct span text;         /* its content */
	char *const *environment; /* environ; NULL: none */
	int argc;                 /* flags, without the program and command name */
	char *const *argv;
};

/* Fills target (a struct laid out as the table says). Strings live in a. Unknown keys and flags,
 * wrong types, values out of range: -EINVAL with file:line:column (or the flag or variable) and
 * what was expected, with the nearest known name where one is close; also the errors of yaml_read.
 * An empty variable counts as unset, an empty section of the file as absent. Non-flag arguments are
 * handed back in *ret_rest (in a) when ret_rest is not NULL, else refused. "--name=value", "--name
 * value", "--name"/"--no-name" for booleans; one-letter names also with one dash; "--" ends the
 * flags. A flag given twice: the last one counts; of lists, all together. On failure target is
 * undefined. A program whose file is named by a setting calls it twice: first with file NULL. */
int settings_read(const struct settings_input *in, void *target, struct arena *a,
	struct strings *ret_rest, struct error *err);

/* The flags as --help text. */
int settings_help(struct buf *out, const struct setting *table, size_t n);
