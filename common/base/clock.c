/* SPDX-License-Identifier: Apache-2.0
 *
 * RFC 3339 section 5.6 as Go's time package reads and writes it, and Go's durations
 * (time.ParseDuration). */
#include "common/base/clock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <time.h>

enum {
	NSEC_PER_USEC = 1000,
};

/* Years 0000 to 9999: all that four digits can say. */
static const int64_t FIRST_SEC = -62167219200, LAST_SEC = 253402300799;

static int64_t now(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts); /* cannot fail: both clocks are mandatory on Linux */
	return (int64_t)ts.tv_sec * USEC_PER_SEC + ts.tv_nsec / NSEC_PER_USEC;
}

int64_t clock_unix_usec(void)
{
	return now(CLOCK_REALTIME);
}

int64_t clock_monotonic_usec(void)
{
	return now(CLOCK_MONOTONIC);
}

static void format(char out[CLOCK_RFC3339_MAX], int64_t sec, const char *tail)
{
	time_t t = sec < FIRST_SEC ? FIRST_SEC : sec > LAST_SEC ? LAST_SEC : sec;
	char text[96]; /* as long as gcc believes that these ints can get */
	struct tm tm;

	gmtime_r(&t, &tm);
	snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d%.8s", tm.tm_year + 1900,
		tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, tail);
	memcpy(out, text, CLOCK_RFC3339_MAX);
	out[CLOCK_RFC3339_MAX - 1] = '\0';
}

void clock_format(char out[CLOCK_RFC3339_MAX], int64_t unix_sec)
{
	format(out, unix_sec, "Z");
}

void clock_format_micro(char out[CLOCK_RFC3339_MAX], int64_t unix_usec)
{
	int64_t sec = unix_usec / USEC_PER_SEC, usec = unix_usec % USEC_PER_SEC;
	char tail[16];

	if (usec < 0) {
		usec += USEC_PER_SEC;
		sec--;
	}
	snprintf(tail, sizeof(tail), ".%06dZ", (int)usec);
	format(out, sec, tail);
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Exactly n digits off the front of s. */
static bool take_number(struct span *s, size_t n, int min, int max, int *ret)
{
	int value = 0;

	if (s->len < n)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (!is_digit(s->p[i]))
			return false;
		value = value * 10 + (s->p[i] - '0');
	}
	*s = (struct span){s->p + n, s->len - n};
	*ret = value;
	return value >= min && value <= max;
}

/* One of the characters off the front of s; NUL when it is none of them. */
static char take_char(struct span *s, const char *set)
{
	if (!s->len || !s->p[0] || !strchr(set, s->p[0]))
		return '\0';
	s->len--;
	return *s->p++;
}

static int days_in_month(int year, int month)
{
	static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

/* ".5" and the like, in microseconds; finer digits are dropped, as MicroTime does. */
static bool take_fraction(struct span *s, int *ret_usec)
{
	int unit = USEC_PER_SEC / 10;

	if (!take_char(s, "."))
		return true;
	if (!s->len || !is_digit(s->p[0]))
		return false;
	while (s->len && is_digit(s->p[0])) {
		*ret_usec += (s->p[0] - '0') * unit;
		unit /= 10;
		*s = (struct span){s->p + 1, s->len - 1};
	}
	return true;
}

/* "Z" or "+01:00", in seconds east of Greenwich. */
static bool take_zone(struct span *s, int *ret_sec)
{
	int hours, minutes;
	char sign;

	if (take_char(s, "Zz"))
		return true;
	sign = take_char(s, "+-");
	if (!sign || !take_number(s, 2, 0, 23, &hours) || !take_char(s, ":") ||
		!take_number(s, 2, 0, 59, &minutes))
		return false;
	*ret_sec = (sign == '-' ? -60 : 60) * (hours * 60 + minutes);
	return true;
}

int clock_parse(struct span text, int64_t *ret_unix_usec)
{
	struct tm tm = {0};
	int year, month, usec = 0, zone = 0;

	if (!take_number(&text, 4, 0, 9999, &year) || !take_char(&text, "-") ||
		!take_number(&text, 2, 1, 12, &month) || !take_char(&text, "-") ||
		!take_number(&text, 2, 1, days_in_month(year, month), &tm.tm_mday) ||
		!take_char(&text, "Tt") || !take_number(&text, 2, 0, 23, &tm.tm_hour) ||
		!take_char(&text, ":") || !take_number(&text, 2, 0, 59, &tm.tm_min) ||
		!take_char(&text, ":") || !take_number(&text, 2, 0, 59, &tm.tm_sec) ||
		!take_fraction(&text, &usec) || !take_zone(&text, &zone) || text.len)
		return -EINVAL;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	*ret_unix_usec = ((int64_t)timegm(&tm) - zone) * USEC_PER_SEC + usec;
	return 0;
}

/* A unit off the front of s, in nanoseconds; 0 when there is none. */
static int64_t take_unit(struct span *s)
{
	static const struct {
		const char *name;
		int64_t nsec;
	} units[] = {/* longer names before their prefixes */
		{"ns", 1}, {"us", 1000}, {"\xc2\xb5s", 1000}, {"\xce\xbcs", 1000}, {"ms", 1000000},
		{"s", 1000000000}, {"m", 60000000000}, {"h", 3600000000000}};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		struct span rest = span_after(*s, units[i].name);

		if (rest.p) {
			*s = rest;
			return units[i].nsec;
		}
	}
	return 0;
}

/* "1.5h" off the front of s, in nanoseconds. */
static int take_part(struct span *s, int64_t *ret_nsec)
{
	int64_t whole = 0, unit, nsec;
	__int128 part = 0, scale = 1;
	bool digits = false;

	for (; s->len && is_digit(s->p[0]); s->p++, s->len--, digits = true)
		if (__builtin_mul_overflow(whole, 10, &whole) ||
			__builtin_add_overflow(whole, s->p[0] - '0', &whole))
			return -ERANGE;
	if (take_char(s, "."))
		for (; s->len && is_digit(s->p[0]); s->p++, s->len--, digits = true)
			if (scale < 1000000000000000) { /* what lies behind adds no nanosecond */
				part = part * 10 + (s->p[0] - '0');
				scale *= 10;
			}
	unit = take_unit(s);
	if (!digits || !unit)
		return -EINVAL;
	if (__builtin_mul_overflow(whole, unit, &nsec) ||
		__builtin_add_overflow(nsec, (int64_t)(part * unit / scale), &nsec))
		return -ERANGE;
	*ret_nsec = nsec;
	return 0;
}

int clock_parse_duration(struct span text, int64_t *ret_usec)
{
	int64_t total = 0, part;
	char sign = take_char(&text, "+-");

	if (span_is(text, "0")) {
		*ret_usec = 0;
		return 0;
	}
	if (!text.len)
		return -EINVAL;
	while (text.len) {
		int r = take_part(&text, &part);

		if (r < 0)
			return r;
		if (__builtin_add_overflow(total, part, &total))
			return -ERANGE;
	}
	/* A nanosecond is not "never": rather refused than read as 0. */
	if (total > 0 && total < NSEC_PER_USEC)
		return -ERANGE;
	*ret_usec = (sign == '-' ? -1 : 1) * (total / NSEC_PER_USEC);
	return 0;
}
