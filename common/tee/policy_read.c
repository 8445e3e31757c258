/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/policy_read.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/base/codec.h"

enum { WRONG_MAX = 400 };

int policy_wrong(struct policy_reader *rd, const char *at, struct json_val v, const char *fmt, ...)
{
	struct yaml_mark where = yaml_where(rd->yaml, v);
	char message[WRONG_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	error_set(rd->err, -EINVAL, "%s%s%s", at, *at ? ": " : "", message);
	return error_prefix(
		rd->err, -EINVAL, "%s:%" PRIu32 ":%" PRIu32, rd->name, where.line, where.column);
}

const char *policy_path(struct policy_reader *rd, const char *at, struct span member)
{
	return arena_printf(&rd->d->arena, "%s%s" SPAN_FMT, at, *at ? "." : "", SPAN_ARG(member));
}

int policy_string(struct policy_reader *rd, struct json_val v, struct span *ret)
{
	struct span s = json_str(v, &rd->d->arena);

	if (json_is_string(v) && !s.p)
		return error_oom(rd->err);
	*ret = s;
	return 0;
}

static int unknown(struct policy_reader *rd, const char *at, struct json_val key,
	const struct policy_member *members, size_t n)
{
	_cleanup_buf_ struct buf known = BUF_INIT(WRONG_MAX);
	struct span name = json_str(key, &rd->d->arena);

	for (size_t i = 0; i < n; i++)
		buf_printf(&known, "%s%s", i ? ", " : "", members[i].name);
	return policy_wrong(rd, at, key, "there is no member '%.40s'; there are %s",
		name.p ? arena_strdup(&rd->d->arena, name) : "", known.p ? known.p : "none");
}

int policy_object(struct policy_reader *rd, const char *at, struct json_val v,
	const struct policy_member *members, size_t n, void *base)
{
	struct json_iter it;

	if (!json_is_object(v))
		return policy_wrong(rd, at, v, "must be an object");
	json_each (it, v) {
		const char *path;
		size_t i = 0;
		int r;

		while (i < n && !json_str_is(it.key, members[i].name))
			i++;
		if (i == n)
			return unknown(rd, at, it.key, members, n);
		path = policy_path(rd, at, span_str(members[i].name));
		if (!path)
			return error_oom(rd->err);
		r = members[i].read(rd, path, it.value, (char *)base + members[i].offset);
		if (r < 0)
			return r;
	}
	return 0;
}

int policy_array(struct policy_reader *rd, const char *at, struct json_val v, size_t max,
	policy_read *element, size_t size, void *ret_p, size_t *ret_n)
{
	struct json_iter it;
	char *list;

	if (!json_is_array(v))
		return policy_wrong(rd, at, v, "must be a list");
	if (json_count(v) > max)
		return policy_wrong(rd, at, v, "has more than %zu elements", max);
	list = arena_alloc_array(&rd->d->arena, json_count(v), size);
	if (!list)
		return error_oom(rd->err);
	json_each (it, v) {
		const char *path = arena_printf(&rd->d->arena, "%s[%zu]", at, it.index);
		int r = path ? element(rd, path, it.value, list + it.index * size)
			     : error_oom(rd->err);

		if (r < 0)
			return r;
	}
	*(void **)ret_p = list;
	*ret_n = json_count(v);
	return 0;
}

int policy_bool(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	enum json_type t = json_type(v);

	if (t != JSON_TRUE && t != JSON_FALSE)
		return policy_wrong(rd, at, v, "must be true or false");
	*(bool *)field = t == JSON_TRUE;
	return 0;
}

int policy_not(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	int r = policy_bool(rd, at, v, field);

	if (r == 0)
		*(bool *)field = !*(bool *)field;
	return r;
}

static int whole(
	struct policy_reader *rd, const char *at, struct json_val v, int64_t max, int64_t *ret)
{
	if (json_int(v, ret) && *ret >= 0 && *ret <= max)
		return 0;
	return policy_wrong(rd, at, v, "must be a whole number from 0 to %" PRId64, max);
}

int policy_byte(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	int64_t n;
	int r = whole(rd, at, v, UINT8_MAX, &n);

	if (r == 0)
		*(uint8_t *)field = (uint8_t)n;
	return r;
}

int policy_u16(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	int64_t n;
	int r = whole(rd, at, v, UINT16_MAX, &n);

	if (r == 0)
		*(int32_t *)field = (int32_t)n;
	return r;
}

int policy_u32(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	int64_t n;
	int r = whole(rd, at, v, INT32_MAX, &n);

	if (r == 0)
		*(uint32_t *)field = (uint32_t)n;
	return r;
}

int policy_bits(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	struct span digits = SPAN_NONE;
	uint64_t bits = 0;
	int64_t n;
	int r = policy_string(rd, v, &digits);

	if (r < 0)
		return r;
	digits = span_after(digits, "0x");
	if (json_int(v, &n) && n >= 0) {
		*(uint64_t *)field = (uint64_t)n;
		return 0;
	}
	for (size_t i = 0; i < digits.len && digits.len <= 16; i++) {
		int digit = codec_hex_digit(digits.p[i]);

		if (digit < 0)
			digits.len = 0;
		bits = bits << 4 | (unsigned)digit;
	}
	if (digits.len == 0 || digits.len > 16)
		return policy_wrong(
			rd, at, v, "must be a set of 64 bits: a number, or \"0x…\" in hexadecimal");
	*(uint64_t *)field = bits;
	return 0;
}

int policy_text(struct policy_reader *rd, const char *at, struct json_val v, void *field)
{
	struct span s = SPAN_NONE;
	int r = policy_string(rd, v, &s);

	if (r < 0)
		return r;
	if (s.len == 0)
		return policy_wrong(rd, at, v, "must be a string that is not empty");
	s = arena_dup(&rd->d->arena, s);
	if (!s.p)
		return error_oom(rd->err);
	*(struct span *)field = s;
	return 0;
}

int policy_hex(struct policy_reader *rd, const char *at, struct json_val v, unsigned char *ret,
	size_t max, bool exact, size_t *ret_len)
{
	struct span s = SPAN_NONE;
	int r = policy_string(rd, v, &s);
	size_t len = s.len / 2;

	if (r < 0)
		return r;
	if (len == 0 || len > max || (exact && len != max) || codec_hex_exact(ret, len, s) < 0)
		return policy_wrong(rd, at, v, "must be a string of %s%zu hexadecimal digits%s",
			exact ? "" : "up to ", 2 * max,
			json_type(v) == JSON_NUMBER ? " (in quotes: YAML takes it for a number)"
						    : "");
	if (ret_len)
		*ret_len = len;
	return 0;
}
