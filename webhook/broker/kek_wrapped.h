/* SPDX-License-Identifier: Apache-2.0
 *
 * Key-encryption keys (KEKs) that Vault or a PKCS#11 token wraps: what is stored beside the records
 * is their wrapped form (webhook/broker/kek_lines.h), in the Secret casemate-wrapped-keks or the
 * file wrapped.keks of the folder of keys. Each is opened there at the start and again before it
 * has been known for cacheFor; what could not be opened again by then is forgotten. One is made
 * where there is none of the kind that wraps, unless records are there that no known KEK opens.
 * When the stored form is deleted it is written back. On the loop's thread. */
#pragma once

#include "webhook/broker/kek_lines.h"
#include "webhook/broker/store_private.h"

struct kek_wrapped;

struct kek_wrapped_options {
	sd_event *event;
	const struct kek_settings *settings; /* borrowed */
	struct kube_client *kube;            /* NULL: the folder */
	const char *namespace_, *directory;
	struct store_kek_hooks hooks;
};

int kek_wrapped_new(
	struct kek_wrapped **ret_w, const struct kek_wrapped_options *o, struct error *err);
void kek_wrapped_free(struct kek_wrapped *w); /* NULL allowed; no callback runs */

/* Those that are open, of the kind that wraps first. */
const struct kek_ring *kek_wrapped_ring(const struct kek_wrapped *w);
/* "", or why the KEK that wraps is not known, or none of them is. */
const char *kek_wrapped_problem(const struct kek_wrapped *w);
/* Is that not for want of time: was it asked for, and refused? */
bool kek_wrapped_refused(const struct kek_wrapped *w);
void kek_wrapped_look(struct kek_wrapped *w);   /* the records are others now */
void kek_wrapped_reload(struct kek_wrapped *w); /* what failed is tried again, now */

/* Makes a new KEK of the kind that wraps, and wraps the others of Vault's under its key's newest
 * version. done: when it is stored and was opened; it does not run when w is freed before. -EINVAL:
 * something else wraps. */
int kek_wrapped_renew(struct kek_wrapped *w, key_store_written done, void *ctx, struct error *err);

/* As they are stored, into out. -ENOENT: there are none. */
int kek_wrapped_text(const struct kek_wrapped *w, struct buf *out);
/* Stores those lines of text that are not there, behind the others: restoring. done as above. */
int kek_wrapped_adopt(struct kek_wrapped *w, struct span text, key_store_written done, void *ctx,
	struct error *err);
