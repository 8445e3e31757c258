/* SPDX-License-Identifier: Apache-2.0
 *
 * What collateral holds, piece by piece, and what is wrong with each at a given time. Pure. */
#pragma once

#include "common/base/arena.h"
#include "common/tee/collateral.h"

enum { INVENTORY_MEMORY_MAX = 8 << 20 };

struct inventory_item {
	const char *kind;    /* "tcb-info", "qe-identity", "crl", "certificate" */
	const char *subject; /* "sgx 00a067110000", "QE", a common name (VCEKs: and chip) */
	const char *issuer;  /* who signed it */
	int64_t number;      /* evaluation number, CRLNumber; -1: none */
	int64_t from, until; /* Unix seconds */
	/* Ok, or the first of: whoever signed it, revocation, dates. Ok is also what rests on an
	 * issuer that is not there: then note says so. */
	enum reason problem;
	const char *note; /* "": nothing to say */
};

struct inventory {
	struct arena arena;
	struct inventory_item *items;
	size_t n, max;
	size_t problems;
};

/* ret is zero or was freed. -ENOMEM. */
int inventory_make(
	struct inventory *ret, const struct collateral *c, int64_t now, struct error *err);
void inventory_free(struct inventory *inv);
#define _cleanup_inventory_ _cleanup_(inventory_free)

/* Appends a table for people, or {"items": […], "problems": n} in JSON. 0 or the buffer's error. */
int inventory_table(struct buf *out, const struct inventory *inv);
int inventory_json(struct buf *out, const struct inventory *inv);
