/* SPDX-License-Identifier: Apache-2.0
 *
 * The certificate that the webhook serves with: self-made and shared by all replicas through a
 * Secret, or from files. Nothing is served before there is one; a new one is taken up without a
 * restart; a broken one never replaces one that works. Everything happens on the loop's thread. A
 * shell: it logs.
 *
 * In mode self, and with files of which the authority is known, the caBundle of the webhook
 * configurations is kept in place, and what replicas of another mode or another authority need stays
 * in it until they are gone: one kind of certificates takes over from another without a refusal.
 *
 * Health checks (ready): "certificate", and where caBundle is kept "ca-bundle": every entry of the
 * webhook configurations trusts what is served. Metrics:
 *	casemate_webhook_certificate_expiry_timestamp_seconds{kind=leaf|ca}
 *	casemate_webhook_certificate_renewals_total
 *		{result=renewed|repaired|conflict|failed|refused|loaded}
 *	casemate_webhook_ca_bundle_patches_total{result=patched|conflict|failed}
 *
 * What that needs from the API server: get, list, watch, patch on the two configurations; and mode
 * self get, list, watch, patch on the Secret, create on Secrets. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/base/error.h"
#include "common/kube/client.h"
#include "common/net/tls.h"
#include "common/observe/health.h"
#include "common/observe/metrics.h"
#include "webhook/certs/bundle.h"

struct certs;

enum certs_mode { CERTS_SELF, CERTS_FILES };

enum { CERTS_LIFETIME_MIN_USEC = 10 * 1000000 };

struct certs_options {
	enum certs_mode mode;

	const char *service_name, *service_namespace; /* whom the API server calls */
	/* Whose caBundle is kept in place; "" or NULL: there is none. */
	const char *mutating_configuration, *validating_configuration;
	int64_t grace_usec, keep_usec; /* of keeper.h and injector.h; 0: theirs */

	/* CERTS_SELF */
	const char *secret_name, *namespace_; /* of the Secret */
	int64_t ca_lifetime_usec;   /* 365 d */
	int64_t leaf_lifetime_usec; /* 7 d; at most half of the CA's */
	/* For callers who learn of the authorities by other ways than caBundle: told of the bundle
	 * each time it changes. A certificate of a new authority is served this long after. NULL, 0:
	 * there are none. */
	void (*trusted)(void *ctx, const struct bundle *authorities);
	void *ctx;
	int64_t spread_usec;

	/* CERTS_FILES: PEM, leaf first */
	const char *cert_file, *key_file;
	/* The authorities that signed the certificate, for caBundle; "" or NULL: that is somebody
	 * else's to keep. */
	const char *ca_file;
	bool must_load; /* certs_new fails when they are not good; else it goes on looking */
};

/* kube, tls, metrics and health are borrowed and outlive it; kube may be NULL with CERTS_FILES,
 * metrics and health always. -EINVAL: options that make no sense; with must_load also what is wrong
 * with the files. */
int certs_new(struct certs **ret_c, sd_event *event, struct kube_client *kube,
	const struct certs_options *o, struct tls_identity *tls, struct metrics *metrics,
	struct health *health, struct error *err);
void certs_free(struct certs *c); /* NULL allowed */
DEFINE_CLEANUP(struct certs *, certs_free)
