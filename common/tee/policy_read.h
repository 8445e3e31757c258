/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to policy.c: JSON checked against tables of members. Each reader returns 0, -EINVAL with
 * "<path>: <what is wrong>", or -ENOMEM. */
#pragma once

#include "common/base/yaml.h"
#include "common/tee/policy.h"

/* One reading. */
struct policy_reader {
	struct policy_document *d;
	const struct yaml_document *yaml; /* where v came from */
	const char *name;                 /* the file's */
	struct error *err;
};

typedef int policy_read(struct policy_reader *rd, const char *at, struct json_val v, void *field);

struct policy_member {
	const char *name;
	policy_read *read;
	size_t offset; /* of its field in what the object is read into */
};

int policy_wrong(struct policy_reader *rd, const char *at, struct json_val v, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* An object of these n members and no others. */
int policy_object(struct policy_reader *rd, const char *at, struct json_val v,
	const struct policy_member *members, size_t n, void *base);
/* An array of at most max elements: *ret_p becomes an array of as many of size bytes each, filled
 * by element. */
int policy_array(struct policy_reader *rd, const char *at, struct json_val v, size_t max,
	policy_read *element, size_t size, void *ret_p, size_t *ret_n);

policy_read policy_bool; /* bool */
policy_read policy_not;  /* bool, the other way round */
policy_read policy_byte; /* uint8_t */
policy_read policy_u16;  /* int32_t, 0 to 65535 */
policy_read policy_u32;  /* uint32_t, up to 2^31 - 1 */
policy_read policy_bits; /* uint64_t: a number, or "0x…" */
policy_read policy_text; /* struct span: a string that is not empty; NUL behind */

/* A string decoded; what is none is SPAN_NONE. */
int policy_string(struct policy_reader *rd, struct json_val v, struct span *ret);

/* Hexadecimal of 1 to max bytes; exact: of max. */
int policy_hex(struct policy_reader *rd, const char *at, struct json_val v, unsigned char *ret,
	size_t max, bool exact, size_t *ret_len);

/* Path of a member. NULL: out of memory. */
const char *policy_path(struct policy_reader *rd, const char *at, struct span member);

/* policy_measurements.c: struct verify_policy's accepted. */
policy_read policy_measurements;
