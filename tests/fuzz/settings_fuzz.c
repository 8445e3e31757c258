/* SPDX-License-Identifier: Apache-2.0
 *
 * A file, and behind NULs up to three variables and four flags: what is accepted lies in its
 * ranges, what is refused says why. */
#include "common/base/settings.h"

#include <errno.h>
#include <stdlib.h>

enum { VARIABLES = 3, FLAGS = 4 };

struct target {
	const char *text;
	bool b;
	int64_t number, duration, quantity;
	int choice;
	struct strings list;
};

static const char *const choices[] = {"one", "two", "three", NULL};
#define AT(field) .offset = offsetof(struct target, field)
static const struct setting table[] = {
	{.name = "text", .type = SETTING_STRING, AT(text), .def = "x"},
	{.name = "a.flag", .type = SETTING_BOOL, AT(b)},
	{.name = "a.number", .type = SETTING_INT, AT(number), .min = -5, .max = 100},
	{.name = "a.duration", .type = SETTING_DURATION, AT(duration), .max = 3600000000},
	{.name = "b.c.quantity", .type = SETTING_QUANTITY, AT(quantity), .max = 1 << 30},
	{.name = "choice", .type = SETTING_ENUM, AT(choice), .def = "two", .choices = choices},
	{.name = "l", .type = SETTING_STRINGS, AT(list), .def = "a,b"},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* The next piece of data up to a NUL, copied with one. */
static char *take(struct span *s)
{
	const char *nul = s->len ? memchr(s->p, '\0', s->len) : NULL;
	size_t n = nul ? (size_t)(nul - s->p) : s->len;
	char *copy = s->len ? strndup(s->p, n) : NULL;

	*s = (struct span){s->p + n + !!nul, s->len - n - !!nul};
	return copy;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span left = {(const char *)data, size};
	char *file = take(&left), *env[VARIABLES + 1] = {NULL}, *argv[FLAGS + 1] = {NULL};
	struct arena a = ARENA_INIT(1 << 22);
	struct settings_input in = {.table = table,
		.n = ARRAY_SIZE(table),
		.file = file ? "f" : NULL,
		.text = span_str(file),
		.environment = env,
		.argv = argv};
	struct strings rest = {NULL, 0};
	struct error err = {0};
	struct target t;
	int r;

	for (int i = 0; i < VARIABLES && left.len; i++)
		env[i] = take(&left);
	while (in.argc < FLAGS && left.len)
		argv[in.argc++] = take(&left);
	r = settings_read(&in, &t, &a, &rest, &err);
	must(r == 0 || r == -EINVAL || r == -EBADMSG || r == -E2BIG);
	must((r == 0) == (err.message[0] == '\0'));
	if (r == 0) {
		must(t.text && strlen(t.text) <= size + 1);
		must(t.number >= -5 && t.number <= 100);
		must(t.duration >= 0 && t.duration <= 3600000000);
		must(t.quantity >= 0 && t.quantity <= 1 << 30);
		must(t.choice >= 0 && t.choice < 3);
		must(t.b == true || t.b == false);
		for (size_t i = 0; i < t.list.n; i++)
			must(t.list.v[i][0] != '\0');
		must(rest.n <= (size_t)in.argc);
	}
	arena_free(&a);
	free(file);
	for (int i = 0; i < VARIABLES; i++)
		free(env[i]);
	for (int i = 0; i < FLAGS; i++)
		free(argv[i]);
	return 0;
}
