/* SPDX-License-Identifier: Apache-2.0
 *
 * A certificate and its key in two files that somebody else replaces (a mounted Secret,
 * cert-manager, a person): read at the start, on changes and once a minute; what is not good never
 * replaces what is. On the loop's thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/span.h"

struct tls_files;

struct tls_files_options {
	const char *cert_file, *key_file; /* PEM, leaf first */
	bool must_load; /* tls_files_new fails when they are not good; else it goes on looking */
	/* There is a new pair: 0 when it was taken up, -EBADMSG with what is wrong. not_after_sec:
	 * Unix seconds, INT64_MIN when it cannot be read. */
	int (*use)(void *ctx, struct span chain_pem, struct span key_pem, int64_t not_after_sec,
		struct error *err);
	/* After each look, but that of tls_files_new(). result: 1 when a new pair was taken up, 0
	 * when nothing changed, else what went wrong, as problem says; again: it said so before.
	 * problem->code stays until there is a good pair. */
	void (*looked)(void *ctx, int result, const struct error *problem, bool again);
	void *ctx;
};

/* -EINVAL, or with must_load what is wrong with the files. */
int tls_files_new(struct tls_files **ret_f, sd_event *event, const struct tls_files_options *o,
	struct error *err);
void tls_files_free(struct tls_files *f); /* NULL allowed */
DEFINE_CLEANUP(struct tls_files *, tls_files_free)
