/* SPDX-License-Identifier: Apache-2.0
 *
 * How often who may ask: a bucket each, in a bounded table. Pure; time is an argument. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/cleanup.h"

enum {
	RATES_MAX = 16384,
	RATES_NAME_MAX = 256,
	RATES_SHARE_BURST_SEC = 3, /* 500 guests behind one address, by the default rate */
	/* What one namespace gets, by whichever protocol: keys a second, and at once. */
	RATES_KEYS_PER_SEC = 100,
	RATES_KEYS_BURST = 1000,
};

struct rates;

/* Each kind has names of its own. */
enum rate_kind {
	RATE_ALL = 'a',
	RATE_NODE = 'n',
	RATE_NAMESPACE = 's',
	RATE_DENIED = 'd',
	RATE_CLIENT = 'c'
};

struct rates *rates_new(void);    /* NULL: out of memory */
void rates_free(struct rates *r); /* NULL allowed */
DEFINE_CLEANUP(struct rates *, rates_free)

/* May name go on, with per_sec a second and burst at once? False also when memory is exhausted. Who
 * has not asked for longest makes room for others. */
bool rates_take(struct rates *r, enum rate_kind kind, const char *name, int64_t per_sec,
	int64_t burst, int64_t now_usec);

/* The same for max_rate a second of all together, and at once what RATES_SHARE_BURST_SEC have, so that
 * a fleet may start together. One client (tcp_client(); "": unknown) has at most three quarters of
 * either: the others have the rest. */
bool rates_share(struct rates *r, const char *client, int64_t max_rate, int64_t now_usec);
