/* SPDX-License-Identifier: Apache-2.0
 *
 * What a valid profile's spec.keys says of a key: what it is made as, and when anew. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/json.h"

enum {
	KEY_NAME_MAX = 64,
	KEYS_OF_PROFILE_MAX = 32, /* as the CustomResourceDefinition has it */
	KEY_VERSIONS_MAX = 16,    /* that are kept of one key */
};

enum key_type { KEY_PASSWORD, KEY_SYMMETRIC, KEY_EC, KEY_RSA, KEY_X509, KEY_RAW, KEY_TYPE_N };
/* "password", …; of a name: KEY_TYPE_N when it is none. */
const char *key_type_name(enum key_type t);
enum key_type key_type_parse(struct span name);

enum key_on_change { KEY_CHANGE_NONE, KEY_CHANGE_FILE, KEY_CHANGE_RESTART };

struct key_spec {
	char name[KEY_NAME_MAX];
	enum key_type type;
	bool image;             /* use: image */
	unsigned size;          /* characters, bytes or bits by type; raw: 0 */
	int64_t rotate_usec;    /* rotation.every; 0: never by itself */
	unsigned keep_versions; /* the newest included; image keys: all there can be, layers need
				   them */
	enum key_on_change on_change;
};

/* One element of a valid profile's spec.keys, defaults filled in. */
void key_spec_read(struct key_spec *ret, struct json_val key);
