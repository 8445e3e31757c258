/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to profiles: checks JSON against tables of fields and says where it is wrong, in the
 * style "spec.keys[1].size: 7 is outside 8..128". Checks return 0, -EINVAL with c->err set, or
 * -ENOMEM. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/base/json.h"
#include "webhook/policy/profile.h"

/* One reading of a profile. */
struct check {
	struct arena *a;
	struct error *err;
	const struct policy_config *config;
	struct profile *p;    /* being filled */
	struct json_val spec;
};

/* Where a value stands; a chain from the leaf up. */
struct place {
	const struct place *up;
	const char *name; /* a field's; NULL: an element or a member of a map */
	struct span key;  /* of a map, as JSON; .p NULL: an element */
	size_t index;
};

struct field {
	const char *name;
	int (*check)(struct check *c, const struct place *at, struct json_val v); /* NULL: any */
	bool required;
};

/* Fails with "<place>: <message>". */
int check_fail(const struct check *c, const struct place *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The value as JSON, short enough to be shown. */
struct span check_shown(struct json_val v);

/* An object of these n fields and no others. */
int check_object(struct check *c, const struct place *at, struct json_val v,
	const struct field *fields, size_t n);

/* The place of v's member name, for checks that compare several members. */
#define PLACE(at, field) (&(struct place){.up = (at), .name = (field)})

/* At most max elements, each passing element. unique: no two equal. */
int check_array(struct check *c, const struct place *at, struct json_val v, size_t max, bool unique,
	int (*element)(struct check *c, const struct place *at, struct json_val v));

/* Like check_array over the elements' member "name", which must differ. */
int check_named(struct check *c, const struct place *at, struct json_val v, size_t max,
	int (*element)(struct check *c, const struct place *at, struct json_val v));

/* An array of strings, copied. */
int check_strings(struct check *c, const struct place *at, struct json_val v, size_t max,
	int (*element)(struct check *c, const struct place *at, struct json_val v),
	struct strings *ret);

int check_bool(struct check *c, const struct place *at, struct json_val v);
int check_int(struct check *c, const struct place *at, struct json_val v, int64_t min, int64_t max,
	int64_t *ret);
/* The index of v among NULL-terminated choices. */
int check_enum(struct check *c, const struct place *at, struct json_val v,
	const char *const *choices, int *ret);
/* A string of at most max bytes. */
int check_text(
	struct check *c, const struct place *at, struct json_val v, size_t max, struct span *ret);
/* A string for which is() holds; what tells what it should have been. */
int check_name(struct check *c, const struct place *at, struct json_val v,
	bool (*is)(struct span s), const char *what);
int check_dns_label(struct check *c, const struct place *at, struct json_val v);
int check_hex(struct check *c, const struct place *at, struct json_val v, size_t n_bytes);
/* A positive whole quantity. */
int check_bytes(struct check *c, const struct place *at, struct json_val v, int64_t *ret);

/* Does an array hold this string (decoded)? */
bool check_holds(struct json_val array, struct json_val string);
/* The element of an array of objects whose name is this; missing when there is none. */
struct json_val check_find_named(struct json_val array, struct json_val name);

/* profile_selector.c: podSelector, and whether it selects these labels. */
int check_pod_selector(struct check *c, const struct place *at, struct json_val v);
bool selector_matches(struct json_val selector, struct json_val labels);

/* profile_attest.c */
int check_attestation(struct check *c, const struct place *at, struct json_val v);
int check_workload(struct check *c, const struct place *at, struct json_val v);
int check_identities(struct check *c, const struct place *at, struct json_val v);

/* profile_keys.c */
int check_keys(struct check *c, const struct place *at, struct json_val v);
