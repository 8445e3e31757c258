/* SPDX-License-Identifier: Apache-2.0
 *
 * One setting's value: from text or from YAML, and what to say when it is something else. Private
 * to settings.c. The messages say what was expected and found, not where. */
#pragma once

#include "common/base/settings.h"

enum {
	SETTING_SHOWN_MAX = 64, /* a piece of input in a message, and its NUL */
};

/* s for a message: short and without controls. Returns out. */
const char *setting_show(char out[SETTING_SHOWN_MAX], struct span s);

/* The zero value of the setting's type. */
void setting_clear(const struct setting *s, void *field);

/* Reads text into field; appends when s is a list. -EINVAL, -ENOMEM. */
int setting_set_text(
	const struct setting *s, void *field, struct span text, struct arena *a, struct error *err);

/* The same from the file (no SETTING_CUSTOM); a list is replaced. */
int setting_set_json(const struct setting *s, void *field, struct json_val v, struct arena *a,
	struct error *err);
