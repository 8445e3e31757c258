/* SPDX-License-Identifier: Apache-2.0
 *
 * What the commands `key …` work on: the store of a folder or of a cluster, and whose keys a
 * NAMESPACE/PROFILE names. */
#pragma once

#include <systemd/sd-event.h>

#include "common/base/json.h"
#include "webhook/broker/store.h"
#include "webhook/policy/key_spec.h"

struct key_session_options {
	const char *keys, *profiles_dir;     /* folders */
	const char *kubeconfig, *namespace_; /* or a cluster: "" and NULL-free */
	const char *kek_file;
	bool insecure_kek_in_secret;
	struct kek_settings kek;
	bool restores; /* opened also where key-encryption keys are gone: see adopt below */
};

struct key_session {
	const struct key_session_options *o;
	sd_event *event;
	struct kube_client *kube; /* NULL: folders */
	struct key_store *store;
	struct arena arena;
	struct json profile_keys; /* spec.keys of the profile asked for last */
};

/* Completes and checks the options, opens the store, and waits until what is in it is known. s is
 * zero before; key_session_close() also after a failure. -EINVAL: options; or what went wrong. */
int key_session_open(struct key_session *s, struct key_session_options *o, struct error *err);
void key_session_close(struct key_session *s);

/* Whose keys "NAMESPACE/PROFILE" are, with the UIDs of now; strings of the session's arena.
 * *ret_spec (may be missing): spec.keys of the profile. -ENOENT: there is no such profile. */
int key_session_owner(struct key_session *s, const char *name, struct key_owner *ret,
	struct json_val *ret_keys, struct error *err);
/* The key of that name; -ENOENT says which there are. */
int key_session_spec(
	struct json_val keys, const char *name, struct key_spec *ret, struct error *err);

/* Changes a record: reads it (or begins a new one when there is none and create), lets change do
 * its work, writes it; again when another was faster. change: 0, or -errno and nothing is written.
 */
int key_session_update(struct key_session *s, const struct key_owner *o, bool create,
	int (*change)(
		void *ctx, struct key_record *rec, const struct kek_ring *keks, struct error *err),
	void *ctx, struct error *err);
/* A new KEK where Vault or a token wraps it; nothing to do elsewhere. Waits until it is in use. */
int key_session_renew_kek(struct key_session *s, struct error *err);
/* The same for those of a text, as a backup holds them; empty: only waits until what is stored is
 * known. */
int key_session_adopt_keks(struct key_session *s, struct span text, struct error *err);
/* Writes a record; waits until it is stored. -EEXIST: another was faster. */
int key_session_write(struct key_session *s, const struct key_record *rec, struct error *err);
