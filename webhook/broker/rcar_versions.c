/* SPDX-License-Identifier: Apache-2.0
 *
 * An agent asks which keys have newer versions than those that it wrote into files. It learns
 * numbers, of keys that say rotation.onChange: File, and of no others. */
#include <errno.h>
#include <stdio.h>

#include "common/kbs/versions.h"
#include "webhook/broker/rcar_private.h"

/* The record that was looked at last: an agent's keys are mostly of few profiles. */
struct look {
	struct visit *v;
	char namespace_[64], profile[254]; /* "" before the first */
	const struct profile *p;           /* NULL: none that is valid and known */
	struct key_record rec;
	bool stored;
};

static void open_record(struct look *l, const struct key_id *id)
{
	const struct rcar_world *w = l->v->desk->o.world;
	struct key_owner owner = {
		.namespace_ = id->namespace_,
		.namespace_uid = w->namespace_uid(w->ctx, id->namespace_),
		.profile = id->profile,
	};

	key_record_free(&l->rec);
	l->rec = (struct key_record){0};
	snprintf(l->namespace_, sizeof(l->namespace_), "%s", id->namespace_);
	snprintf(l->profile, sizeof(l->profile), "%s", id->profile);
	l->p = profile_find(w->profiles, span_str(id->namespace_), span_str(id->profile));
	if (l->p && !l->p->valid)
		l->p = NULL;
	owner.profile_uid = l->p && l->p->uid ? l->p->uid : "";
	l->stored = l->p && key_store_read(l->v->desk->o.store, &owner, &l->rec, NULL) == 0;
}

static bool replaced_in_files(const struct profile *p, const char *key)
{
	struct key_spec spec;
	struct json_iter it;

	json_each (it, json_get(p->spec, "keys")) {
		if (!json_str_is(json_get(it.value, "name"), key))
			continue;
		key_spec_read(&spec, it.value);
		return spec.on_change == KEY_CHANGE_FILE;
	}
	return false;
}

static unsigned version_of(struct look *l, const struct key_id *id)
{
	const struct key_entry *e;

	if (strcmp(l->namespace_, id->namespace_) != 0 || strcmp(l->profile, id->profile) != 0)
		open_record(l, id);
	e = l->stored ? key_record_find(&l->rec, id->key) : NULL;
	return e && e->n && replaced_in_files(l->p, id->key) ? e->v[0].version : 0;
}

static void answer(struct visit *v, struct key_id *ids, unsigned *versions)
{
	struct look l = {.v = v};
	struct error err = {0};
	int n = versions_ask_read(ids, v->request->body, &err);

	if (n < 0) {
		visit_refuse(
			v, n == -ENOMEM ? REASON_Internal : REASON_Malformed, "%s", err.message);
		return;
	}
	for (int i = 0; i < n; i++)
		versions[i] = version_of(&l, &ids[i]);
	key_record_free(&l.rec);
	versions_answer_write(v->response->body, versions, (size_t)n);
	visit_leave(v);
}

static void on_testimony(void *ctx, const struct testimony *t)
{
	struct visit *v = ctx;
	_cleanup_free_ struct key_id *ids = NULL;
	_cleanup_free_ unsigned *versions = NULL;

	v->asked = NULL;
	v->session.who = t->who;
	if (t->reason != REASON_Ok) {
		visit_refuse(v, t->reason, "%s", t->message);
		return;
	}
	if (!visit_node_may(v))
		return;
	if (!v->desk->o.world->profiles) {
		visit_refuse(v, REASON_StoreUnavailable, "the profiles are not known yet");
		return;
	}
	ids = calloc(VERSIONS_MAX, sizeof(*ids));
	versions = calloc(VERSIONS_MAX, sizeof(*versions));
	if (ids && versions)
		answer(v, ids, versions);
	else
		visit_refuse(v, REASON_Internal, "out of memory");
}

void visit_versions(struct visit *v)
{
	struct witness *w = v->desk->o.witness;

	if (!w || !v->bearer.len) {
		visit_refuse(v, REASON_TokenInvalid, "%s",
			w ? "an agent's token must come as bearer"
			  : "this broker has no API server to ask whose a token is");
		return;
	}
	v->asked = witness_agent(w, v->bearer, on_testimony, v);
	if (v->asked)
		witness_go(v->asked);
	else
		visit_refuse(v, REASON_Internal, "out of memory");
}
