/* SPDX-License-Identifier: Apache-2.0
 *
 * What wraps key-encryption keys elsewhere: Vault (kek_vault.c), a PKCS#11 token (kek_pkcs11.c).
 * Neither blocks the loop, on whose thread all this is. */
#pragma once

#include <systemd/sd-event.h>

#include "webhook/broker/kek_lines.h"

/* result, valid during the call: the opened key, or the wrapped text; empty unless r is 0. */
typedef void (*kek_wrapper_done)(void *ctx, int r, struct span result, const struct error *err);

/* One thing at a time. done runs exactly once, after the function returned 0, unless the wrapper is
 * freed. */
struct kek_wrapper {
	void *self;          /* NULL: there is none */
	char by[KEK_BY_MAX]; /* what wraps; for lines */
	int (*seal)(
		void *self, struct span kek, kek_wrapper_done done, void *ctx, struct error *err);
	int (*open)(void *self, const struct kek_line *line, kek_wrapper_done done, void *ctx,
		struct error *err);
	/* The wrapped text under the newest version of the key there. NULL: it has no versions. */
	int (*rewrap)(void *self, const struct kek_line *line, kek_wrapper_done done, void *ctx,
		struct error *err);
	void (*free)(void *self); /* not from inside done */
};

/* Settings are borrowed. */
int kek_vault_new(
	struct kek_wrapper *ret, sd_event *event, const struct kek_settings *s, struct error *err);
int kek_pkcs11_new(
	struct kek_wrapper *ret, sd_event *event, const struct kek_settings *s, struct error *err);
