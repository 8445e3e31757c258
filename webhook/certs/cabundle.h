/* SPDX-License-Identifier: Apache-2.0
 *
 * The caBundle of every entry of a MutatingWebhookConfiguration or ValidatingWebhookConfiguration
 * (admissionregistration.k8s.io/v1): compares it with what it should be, and makes the JSON Patch
 * that sets it and touches nothing else. Pure. */
#pragma once

#include "common/base/buf.h"
#include "common/base/json.h"
#include "webhook/certs/bundle.h"

enum { CABUNDLE_PATCH_MAX = 8 * 1024 * 1024 };

struct cabundle_state {
	size_t entries;   /* webhooks in the configuration */
	size_t differing; /* whose caBundle is not the wanted one */
	size_t refusing;  /* whose caBundle lacks the authority of what we serve */
};

/* wanted: base64 of the bundle, as the API server writes it. serving: the authority of what we
 * serve, NULL when nothing is served. */
struct cabundle_state cabundle_review(
	struct json_val configuration, struct span wanted, const X509 *serving);

/* The patch to out: it holds only for this version of the configuration, and only while the entries
 * stand where they stood. Returns how many entries it changes, or -E2BIG, -ENOMEM. */
int cabundle_patch(struct json_val configuration, struct span wanted, struct buf *out);
