/* SPDX-License-Identifier: Apache-2.0
 *
 * The grammar of k8s.io/apimachinery/pkg/api/resource, quantity.go. Stricter than ParseQuantity in
 * what that takes by accident: a number needs a digit ("+", "." and "Ki" are zero there), and what
 * lies beyond int64 is refused instead of capped. */
#include "common/base/quantity.h"

#include <errno.h>

enum {
	NANO = 1000 * 1000 * 1000,
	SHOWN_TEXT = 40, /* bytes of a refused text in a message */
	/* Longer than any text: an exponent beyond cannot be made up for by digits. */
	MAX_EXPONENT = 1 << 30,
};

static const __int128 MAX_NANO = (__int128)INT64_MAX * NANO;

struct decimal {
	bool negative;
	struct span whole, fraction; /* digits */
	int64_t exponent;            /* of ten */
	unsigned shift;              /* exponent of two */
};

static const struct {
	char text[3];
	int8_t exponent, shift;
} suffixes[] = {
	{"", 0, 0},
	{"n", -9, 0},
	{"u", -6, 0},
	{"m", -3, 0},
	{"k", 3, 0},
	{"M", 6, 0},
	{"G", 9, 0},
	{"T", 12, 0},
	{"P", 15, 0},
	{"E", 18, 0},
	{"Ki", 0, 10},
	{"Mi", 0, 20},
	{"Gi", 0, 30},
	{"Ti", 0, 40},
	{"Pi", 0, 50},
	{"Ei", 0, 60},
};

static struct span take_digits(struct span *s)
{
	struct span digits = {s->p, 0};

	while (digits.len < s->len && digits.p[digits.len] >= '0' && digits.p[digits.len] <= '9')
		digits.len++;
	s->p += digits.len;
	s->len -= digits.len;
	return digits;
}

static bool take(struct span *s, char c)
{
	if (s->len == 0 || s->p[0] != c)
		return false;
	s->p++;
	s->len--;
	return true;
}

/* "e3", "E+3", "e-3": s is what follows the letter. */
static bool read_exponent(struct span s, int64_t *ret)
{
	bool negative = take(&s, '-');
	struct span digits;
	int64_t n = 0;

	if (!negative)
		take(&s, '+');
	digits = take_digits(&s);
	if (digits.len == 0 || s.len > 0)
		return false;
	for (size_t i = 0; i < digits.len && n < MAX_EXPONENT; i++)
		n = n * 10 + (digits.p[i] - '0');
	if (n > MAX_EXPONENT)
		n = MAX_EXPONENT;
	*ret = negative ? -n : n;
	return true;
}

static bool read_suffix(struct span s, struct decimal *d)
{
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		if (span_is(s, suffixes[i].text)) {
			d->exponent = suffixes[i].exponent;
			d->shift = (unsigned)suffixes[i].shift;
			return true;
		}
	}
	return (take(&s, 'e') || take(&s, 'E')) && read_exponent(s, &d->exponent);
}

static bool read_decimal(struct span s, struct decimal *d)
{
	*d = (struct decimal){.negative = take(&s, '-')};
	if (!d->negative)
		take(&s, '+');
	d->whole = take_digits(&s);
	if (take(&s, '.'))
		d->fraction = take_digits(&s);
	return d->whole.len + d->fraction.len > 0 && read_suffix(s, d);
}

static int digit_at(const struct decimal *d, size_t i)
{
	return (i < d->whole.len ? d->whole.p[i] : d->fraction.p[i - d->whole.len]) - '0';
}

/* The magnitude in nano, rounded up; false beyond MAX_NANO. The exponent moves the point among the
 * digits; what stands before it is counted exactly, what stands behind it is weighed from its last
 * digit on, so that any number of digits needs no more than 128 bits. */
static bool magnitude(const struct decimal *d, __int128 *ret)
{
	size_t n = d->whole.len + d->fraction.len;
	int64_t point = (int64_t)d->whole.len + d->exponent;
	size_t before = point <= 0 ? 0 : (uint64_t)point < n ? (size_t)point : n;
	__int128 weight = ((__int128)1 << d->shift) * NANO; /* < 2^90 */
	__int128 whole = 0, part = 0;
	bool more = false; /* something below part */

	for (size_t i = 0; i < before; i++) {
		whole = whole * 10 + digit_at(d, i);
		if (whole > INT64_MAX)
			return false;
	}
	for (int64_t i = (int64_t)n; i < point && whole; i++) {
		whole *= 10;
		if (whole > INT64_MAX)
			return false;
	}
	if (whole > MAX_NANO / weight)
		return false;
	for (size_t i = n; i > before; i--) {
		part += digit_at(d, i - 1) * weight;
		more = more || part % 10 != 0;
		part /= 10;
	}
	for (int64_t i = point; i < 0 && part; i++) { /* zeros between the point and the digits */
		more = more || part % 10 != 0;
		part /= 10;
	}
	*ret = whole * weight + part + more;
	return *ret <= MAX_NANO;
}

static int refuse(struct error *err, int code, struct span text, const char *why)
{
	char shown[SHOWN_TEXT + 1];
	size_t n = text.len < SHOWN_TEXT ? text.len : SHOWN_TEXT;

	for (size_t i = 0; i < n; i++)
		shown[i] = text.p[i] >= 0x20 && text.p[i] < 0x7f ? text.p[i] : '?';
	shown[n] = '\0';
	return error_set(err, code, "\"%s%s\" %s", shown, n < text.len ? "..." : "", why);
}

int quantity_parse(struct quantity *ret_q, struct span text, struct error *err)
{
	struct decimal d;
	__int128 nano;

	if (!read_decimal(text, &d))
		return refuse(err, -EINVAL, text,
			"is not a quantity; write a decimal number with no suffix or one of n u m "
			"k M G T P E Ki Mi Gi Ti Pi Ei, such as 64Mi, or with an exponent, such "
			"as 1e6");
	if (!magnitude(&d, &nano))
		return refuse(err, -ERANGE, text,
			"is out of range; quantities end at plus and minus 9223372036854775807");
	ret_q->nano = d.negative ? -nano : nano;
	return 0;
}

int quantity_from_json(struct quantity *ret_q, struct json_val v, struct error *err)
{
	struct span raw = json_raw(v);

	switch (json_type(v)) {
	case JSON_NUMBER:
		break;
	case JSON_STRING:
		/* As Kubernetes does, without decoding: no quantity needs an escape. */
		raw = (struct span){raw.p + 1, raw.len - 2};
		break;
	case JSON_MISSING:
		return error_set(err, -EINVAL, "expected a quantity, got nothing");
	default:
		return error_set(err, -EINVAL, "expected a quantity (a string or a number)");
	}
	return quantity_parse(ret_q, raw, err);
}

int quantity_count_from_json(int64_t *ret_n, struct json_val v, struct error *err)
{
	struct quantity q = {0}; /* the analyzer does not see that every success sets it */
	int64_t n;
	int r = quantity_from_json(&q, v, err);

	if (r < 0)
		return -EINVAL;
	if (quantity_int64(q, &n) < 0 || n < 0)
		return error_set(err, -EINVAL, "must be a whole number and not negative");
	*ret_n = n;
	return 0;
}

int quantity_int64(struct quantity q, int64_t *ret_n)
{
	if (q.nano % NANO != 0)
		return -EINVAL;
	*ret_n = (int64_t)(q.nano / NANO);
	return 0;
}

int quantity_format_binary(struct buf *b, int64_t bytes)
{
	static const char *const units[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
	size_t unit = 0;

	while (bytes != 0 && bytes % 1024 == 0) { /* at most six times: 1024^6 = 2^60 */
		bytes /= 1024;
		unit++;
	}
	return buf_printf(b, "%lld%s", (long long)bytes, units[unit]);
}
