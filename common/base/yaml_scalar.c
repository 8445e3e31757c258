/* SPDX-License-Identifier: Apache-2.0
 *
 * The comments name the Go function that a piece of code answers to. */
#include "common/base/yaml_scalar.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

enum {
	WORD_MAX = 5,    /* the longest of the words below */
	DIGITS_MAX = 17, /* significant digits that tell every double from its neighbours */
};

static const uint64_t INT64_LEAST = (uint64_t)1 << 63; /* the absolute value of INT64_MIN */

/* resolveMapList; "<<" is the mapping's business. */
static const struct {
	const char *text;
	enum yaml_scalar_type type;
	double value;
} words[] = {
	{"", YAML_SCALAR_NULL, 0},
	{"~", YAML_SCALAR_NULL, 0},
	{"null", YAML_SCALAR_NULL, 0},
	{"Null", YAML_SCALAR_NULL, 0},
	{"NULL", YAML_SCALAR_NULL, 0},
	{"y", YAML_SCALAR_BOOL, 1},
	{"Y", YAML_SCALAR_BOOL, 1},
	{"yes", YAML_SCALAR_BOOL, 1},
	{"Yes", YAML_SCALAR_BOOL, 1},
	{"YES", YAML_SCALAR_BOOL, 1},
	{"true", YAML_SCALAR_BOOL, 1},
	{"True", YAML_SCALAR_BOOL, 1},
	{"TRUE", YAML_SCALAR_BOOL, 1},
	{"on", YAML_SCALAR_BOOL, 1},
	{"On", YAML_SCALAR_BOOL, 1},
	{"ON", YAML_SCALAR_BOOL, 1},
	{"n", YAML_SCALAR_BOOL, 0},
	{"N", YAML_SCALAR_BOOL, 0},
	{"no", YAML_SCALAR_BOOL, 0},
	{"No", YAML_SCALAR_BOOL, 0},
	{"NO", YAML_SCALAR_BOOL, 0},
	{"false", YAML_SCALAR_BOOL, 0},
	{"False", YAML_SCALAR_BOOL, 0},
	{"FALSE", YAML_SCALAR_BOOL, 0},
	{"off", YAML_SCALAR_BOOL, 0},
	{"Off", YAML_SCALAR_BOOL, 0},
	{"OFF", YAML_SCALAR_BOOL, 0},
	{".nan", YAML_SCALAR_FLOAT, NAN},
	{".NaN", YAML_SCALAR_FLOAT, NAN},
	{".NAN", YAML_SCALAR_FLOAT, NAN},
	{".inf", YAML_SCALAR_FLOAT, INFINITY},
	{".Inf", YAML_SCALAR_FLOAT, INFINITY},
	{".INF", YAML_SCALAR_FLOAT, INFINITY},
	{"+.inf", YAML_SCALAR_FLOAT, INFINITY},
	{"+.Inf", YAML_SCALAR_FLOAT, INFINITY},
	{"+.INF", YAML_SCALAR_FLOAT, INFINITY},
	{"-.inf", YAML_SCALAR_FLOAT, -INFINITY},
	{"-.Inf", YAML_SCALAR_FLOAT, -INFINITY},
	{"-.INF", YAML_SCALAR_FLOAT, -INFINITY},
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_sign(char c)
{
	return c == '+' || c == '-';
}

/* The digits of s, all of them, in base. */
static bool parse_digits(const char *s, unsigned base, uint64_t *ret_n)
{
	uint64_t n = 0;

	if (!*s)
		return false;
	for (; *s; s++) {
		char c = *s | 0x20;
		unsigned d = is_digit(*s)           ? (unsigned)(*s - '0')
			     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
						    : 16;

		if (d >= base || __builtin_mul_overflow(n, (uint64_t)base, &n) ||
			__builtin_add_overflow(n, (uint64_t)d, &n))
			return false;
	}
	*ret_n = n;
	return true;
}

/* Does an absolute value fit behind a sign? strconv.ParseUint takes no sign, so what has one must
 * fit an int64. */
static bool fits(char sign, uint64_t n)
{
	return sign == '-' ? n <= INT64_LEAST : sign == '+' ? n < INT64_LEAST : true;
}

/* strconv.ParseInt and ParseUint with base 0; then what resolve() tries by itself: the digits
 * behind "0b" may carry a sign. */
static bool parse_int(struct yaml_scalar *ret_s, const char *s)
{
	char sign = is_sign(*s) ? *s++ : '\0';
	unsigned base = 10;
	uint64_t n;

	if (s[0] == '0' && s[1]) {
		char c = s[1] | 0x20;

		base = c == 'x' ? 16 : c == 'b' ? 2 : 8;
		s += c == 'x' || c == 'b' || c == 'o' ? 2 : 1;
		if (base == 2 && !sign && s[-1] == 'b' && is_sign(*s))
			sign = *s++;
	}
	if (!parse_digits(s, base, &n) || !fits(sign, n))
		return false;
	*ret_s =
		(struct yaml_scalar){.type = YAML_SCALAR_INT, .negative = sign == '-' && n, .n = n};
	return true;
}

static const char *skip_digits(const char *s)
{
	while (is_digit(*s))
		s++;
	return s;
}

/* yamlStyleFloat: [-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)? */
static bool is_float(const char *s)
{
	const char *whole;

	s += is_sign(*s);
	whole = s;
	s = skip_digits(s);
	if (*s == '.') {
		if (s == whole && !is_digit(s[1]))
			return false;
		s = skip_digits(s + 1);
	} else if (s == whole) {
		return false;
	}
	if (*s == 'e' || *s == 'E') {
		s += 1 + is_sign(s[1]);
		if (!is_digit(*s))
			return false;
		s = skip_digits(s);
	}
	return !*s;
}

/* What overflows is no number for Go; what underflows is 0. */
static bool parse_float(struct yaml_scalar *ret_s, const char *s)
{
	double f;

	if (!is_float(s))
		return false;
	f = strtod(s, NULL);
	if (isinf(f))
		return false;
	*ret_s = (struct yaml_scalar){.type = YAML_SCALAR_FLOAT, .f = f};
	return true;
}

/* Go's underscoreOK: between digits only. */
static bool underscores_ok(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] == '_' && (i == 0 || i + 1 == s.len || !is_digit(s.p[i - 1]) ||
					     !is_digit(s.p[i + 1])))
			return false;
	return true;
}

/* Can text be a number at all? Spares strings the copy. */
static bool is_candidate(struct span text)
{
	if (!is_digit(text.p[0]) && !is_sign(text.p[0]) && text.p[0] != '.')
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!text.p[i] || !strchr("0123456789abcdefABCDEFxXoO_+-.", text.p[i]))
			return false;
	return true;
}

int yaml_scalar_resolve(struct yaml_scalar *ret_s, struct span text)
{
	_cleanup_free_ char *plain = NULL;
	size_t n = 0;

	*ret_s = (struct yaml_scalar){.type = YAML_SCALAR_STRING};
	for (size_t i = 0; text.len <= WORD_MAX && i < ARRAY_SIZE(words); i++) {
		if (!span_is(text, words[i].text))
			continue;
		ret_s->type = words[i].type;
		if (words[i].type == YAML_SCALAR_BOOL)
			ret_s->b = words[i].value != 0;
		else
			ret_s->f = words[i].value;
		return 0;
	}
	if (!text.len || !is_candidate(text))
		return 0;
	/* Behind a leading dot Go reads a literal of its own, elsewhere underscores mean nothing.
	 */
	if (text.p[0] == '.' && !underscores_ok(text))
		return 0;
	plain = malloc(text.len + 1);
	if (!plain)
		return -ENOMEM;
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] != '_')
			plain[n++] = text.p[i];
	plain[n] = '\0';
	if (!parse_int(ret_s, plain))
		parse_float(ret_s, plain);
	return 0;
}

/* The shortest decimal that reads back as f (a positive number): digits, and the exponent of the
 * first one. */
static void shortest(double f, bool single, char digits[DIGITS_MAX + 1], int *ret_exp)
{
	char text[DIGITS_MAX + 16];
	size_t n = 0;

	assert(isfinite(f)); /* and so has an e */
	for (int more = 0; more < DIGITS_MAX; more++) {
		snprintf(text, sizeof(text), "%.*e", more, f);
		if (single ? strtof(text, NULL) == (float)f : strtod(text, NULL) == f)
			break;
	}
	for (const char *p = text; *p != 'e'; p++)
		if (*p != '.' && n < DIGITS_MAX)
			digits[n++] = *p;
	digits[n] = '\0';
	*ret_exp = atoi(strchr(text, 'e') + 1);
}

/* d.ddde+x, with an exponent of at least so many digits. */
static void put_exponent(struct buf *out, const char *digits, int exp, int width)
{
	buf_putc(out, digits[0]);
	if (digits[1]) {
		buf_putc(out, '.');
		buf_puts(out, digits + 1);
	}
	buf_printf(out, "e%c%0*d", exp < 0 ? '-' : '+', width, abs(exp));
}

static void put_decimal(struct buf *out, const char *digits, int exp)
{
	int n = (int)strlen(digits);

	if (exp < 0)
		buf_puts(out, "0.");
	for (int i = -1; i > exp; i--)
		buf_putc(out, '0');
	for (int i = 0; i < n; i++) {
		if (i > 0 && i == exp + 1)
			buf_putc(out, '.');
		buf_putc(out, digits[i]);
	}
	for (int i = n; i <= exp; i++)
		buf_putc(out, '0');
}

/* floatEncoder of encoding/json. */
static void put_float(struct buf *out, double f)
{
	double size = fabs(f);
	char digits[DIGITS_MAX + 1] = "";
	int exp;

	shortest(size, false, digits, &exp);
	if (signbit(f))
		buf_putc(out, '-');
	if (size != 0 && (size < 1e-6 || size >= 1e21))
		put_exponent(out, digits, exp, 1);
	else
		put_decimal(out, digits, exp);
	if (size == 0 && signbit(f))
		buf_puts(out, ".0");
}

/* strconv.FormatFloat(f, 'g', -1, 32), with YAML's names of what is no number. */
static void put_float_key(struct buf *out, double f)
{
	float single = (float)f;
	char digits[DIGITS_MAX + 1] = "";
	int exp;

	if (isnan(single)) {
		buf_puts(out, ".nan");
		return;
	}
	if (signbit(single))
		buf_putc(out, '-');
	if (isinf(single)) {
		buf_puts(out, ".inf");
		return;
	}
	shortest((double)fabsf(single), true, digits, &exp);
	if (exp < -4 || exp >= 6)
		put_exponent(out, digits, exp, 2);
	else
		put_decimal(out, digits, exp);
}

static int put(struct buf *out, const struct yaml_scalar *s, void (*put_f)(struct buf *, double))
{
	switch (s->type) {
	case YAML_SCALAR_NULL:
		return buf_puts(out, "null");
	case YAML_SCALAR_BOOL:
		return buf_puts(out, s->b ? "true" : "false");
	case YAML_SCALAR_INT:
		return buf_printf(out, "%s%" PRIu64, s->negative ? "-" : "", s->n);
	case YAML_SCALAR_FLOAT:
		put_f(out, s->f);
		return out->err;
	case YAML_SCALAR_STRING:
		break;
	}
	return out->err;
}

int yaml_scalar_json(struct buf *out, const struct yaml_scalar *s)
{
	return put(out, s, put_float);
}

int yaml_scalar_key(struct buf *out, const struct yaml_scalar *s)
{
	return put(out, s, put_float_key);
}
