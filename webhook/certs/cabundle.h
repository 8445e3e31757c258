/* SPDX-License-Identifier: Apache-2.0
 *
 * The caBundle of every entry of a MutatingWebhookConfiguration or ValidatingWebhookConfiguration
 * (admissionregistration.k8s.io/v1), as a set of certificates: compares it with what it should be,
 * and makes the JSON Patch that sets it and touches nothing else. Pure.
 *
 * Several daemons may want different sets at the same time, while one kind of certificates takes
 * over from another. So what others put there is kept (see injector.h for how long): nobody undoes
 * another's, and whoever serves is trusted. */
#pragma once

#include "common/base/buf.h"
#include "common/base/json.h"
#include "webhook/certs/bundle.h"

enum { CABUNDLE_PATCH_MAX = 8 * 1024 * 1024 };

struct cabundle_rules {
	const struct bundle *wanted; /* every entry has all of these */
	const struct bundle *kept;   /* and may have of these what it has already */
};

struct cabundle_state {
	size_t entries;   /* webhooks in the configuration */
	size_t lacking;   /* whose caBundle lacks some of what is wanted */
	size_t differing; /* that one, or has what is neither wanted nor kept, or cannot be read */
	size_t refusing;  /* that lacks some of what is needed by what we serve */
};

/* needed: the authorities of what we serve; empty: nothing is served, and all refuse. */
struct cabundle_state cabundle_review(struct json_val configuration,
	const struct cabundle_rules *rules, const struct bundle *needed);

/* Adds what any entry has and wanted has not to ret, as far as it fits. */
void cabundle_strangers(
	struct json_val configuration, const struct bundle *wanted, struct bundle *ret);

/* The patch to out: it holds only for this version of the configuration, and only while the entries
 * stand where they stood. What is kept goes behind what is wanted, as far as it fits. Returns how
 * many entries it changes, or -E2BIG, -ENOMEM. */
int cabundle_patch(
	struct json_val configuration, const struct cabundle_rules *rules, struct buf *out);
