/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/provision/choice.h"

#include <errno.h>
#include <string.h>

#include "common/base/codec.h"
#include "webhook/broker/grant.h"

struct choosing {
	struct key_id first, second; /* namespace_ "": none */
	const struct profile *bare;  /* it matches, and has no gramineKey; NULL: there is none */
};

static void take(struct choosing *c, const struct profile *p, struct span key)
{
	struct key_id id = {0};

	if (key_id_set(&id, span_str(p->namespace_), span_str(p->name), key, NULL) < 0)
		return; /* no valid profile has such a name */
	if (!c->first.namespace_[0])
		c->first = id;
	else if (strcmp(c->first.namespace_, id.namespace_) != 0 ||
		 strcmp(c->first.profile, id.profile) != 0 || strcmp(c->first.key, id.key) != 0)
		c->second = id;
}

static int look(
	struct choosing *c, const struct profile *p, const struct proven *proven, struct arena *a)
{
	struct json_iter it;

	json_each (it, json_get(p->spec, "identities")) {
		struct json_val sgx = json_get(it.value, "sgx");
		struct json_val key = json_get(sgx, "gramineKey");
		struct span name = json_exists(key) ? json_str(key, a) : SPAN_NONE;
		int r;

		if (!json_exists(sgx))
			continue;
		r = grant_is(proven, sgx, a);
		if (r < 0 || (json_exists(key) && !name.p))
			return -ENOMEM;
		if (r == 0)
			continue;
		if (name.p)
			take(c, p, name);
		else
			c->bare = p;
	}
	return 0;
}

static const char *why_none(const struct choosing *c, const struct proven *p, struct arena *a)
{
	const struct measurement *m = proven_register(p, "mrenclave");
	_cleanup_buf_ struct buf hex = BUF_INIT(2 * sizeof(m->value));

	if (c->bare)
		return arena_printf(a,
			"EnclaveProfile %s in namespace %s has this enclave among its identities, "
			"but no sgx.gramineKey there says which key it gets",
			c->bare->name, c->bare->namespace_);
	if (m && codec_hex(&hex, m->value, m->len) < 0)
		return NULL;
	return arena_printf(a,
		"no valid EnclaveProfile has an identity with sgx.gramineKey that is this enclave "
		"(mrenclave %s)",
		hex.p ? hex.p : "unknown");
}

static const char *why_ambiguous(const struct choosing *c, struct arena *a)
{
	return arena_printf(a,
		"key %s of EnclaveProfile %s in namespace %s and key %s of EnclaveProfile %s in "
		"namespace %s are both for this enclave by sgx.gramineKey, and its protocol names "
		"none: remove one",
		c->first.key, c->first.profile, c->first.namespace_, c->second.key,
		c->second.profile, c->second.namespace_);
}

int choice_make(struct key_id *ret, const struct profile_set *profiles, const struct proven *p,
	struct arena *a, enum reason *ret_reason, const char **ret_message)
{
	struct choosing c = {0};
	const char *message = "";
	enum reason reason = REASON_Ok;

	for (size_t i = 0; i < profile_set_count(profiles); i++) {
		const struct profile *profile = profile_set_at(profiles, i);
		int r = profile->valid ? look(&c, profile, p, a) : 0;

		if (r < 0)
			return r;
	}
	if (!c.first.namespace_[0]) {
		reason = REASON_IdentityNotAllowed;
		message = why_none(&c, p, a);
	} else if (c.second.namespace_[0]) {
		reason = REASON_IdentityAmbiguous;
		message = why_ambiguous(&c, a);
	}
	if (!message)
		return -ENOMEM;
	if (reason == REASON_Ok)
		*ret = c.first;
	*ret_reason = reason;
	*ret_message = message;
	return 0;
}
