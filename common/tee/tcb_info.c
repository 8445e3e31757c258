/* SPDX-License-Identifier: Apache-2.0
 *
 * TCB info, version 3 ("Intel PCS", API v4, "Get TCB Info"). */
#include <stdio.h>
#include <strings.h>

#include "common/tee/intel_document.h"

enum {
	TCB_INFO_VERSION = 3,
	MODULES_MAX = 64,
	MODULE_SVN_MAX = 255, /* a byte of TEE_TCB_SVN */
	COMPONENTS = 16,
};

static int read_components(
	struct json_val tcb, const char *key, unsigned char ret[COMPONENTS], struct error *err)
{
	struct json_val list = json_get(tcb, key);
	struct json_iter it;

	if (!json_is_array(list) || json_count(list) != COMPONENTS)
		return error_set(err, -EBADMSG, "%s: not a list of %d", key, COMPONENTS);
	json_each (it, list) {
		uint32_t svn = 0;
		int r = intel_read_number(it.value, "svn", 255, &svn, err);

		if (r < 0)
			return error_prefix(err, r, "%s[%zu]", key, it.index);
		ret[it.index] = (unsigned char)svn;
	}
	return 0;
}

static int read_level(
	struct tcb_info *t, struct json_val o, struct tcb_level *ret, struct error *err)
{
	const uint32_t accepted =
		1u << TCB_UpToDate | 1u << TCB_SWHardeningNeeded | 1u << TCB_ConfigurationNeeded |
		1u << TCB_ConfigurationAndSWHardeningNeeded | 1u << TCB_OutOfDate |
		1u << TCB_OutOfDateConfigurationNeeded | 1u << TCB_Revoked;
	struct json_val tcb = json_get(o, "tcb");
	uint32_t pcesvn = 0;
	int r = read_components(tcb, "sgxtcbcomponents", ret->sgx, err);

	if (r == 0 && t->tdx)
		r = read_components(tcb, "tdxtcbcomponents", ret->tdx, err);
	if (r == 0)
		r = intel_read_number(tcb, "pcesvn", UINT16_MAX, &pcesvn, err);
	if (r < 0)
		return error_prefix(err, r, "tcb");
	ret->pcesvn = (uint16_t)pcesvn;
	r = intel_read_date(o, "tcbDate", NULL, ret->date, err);
	if (r == 0)
		r = intel_read_status(o, accepted, &ret->status, err);
	if (r == 0)
		r = intel_read_advisories(o, &t->arena, &ret->advisories, &ret->n_advisories, err);
	return r;
}

/* Descending. */
static int compare_levels(const void *a, const void *b)
{
	const struct tcb_level *x = a, *y = b;
	int c = memcmp(y->sgx, x->sgx, sizeof(x->sgx));

	if (c == 0)
		c = (int)y->pcesvn - (int)x->pcesvn;
	return c ? c : memcmp(y->tdx, x->tdx, sizeof(x->tdx));
}

static int read_levels(struct tcb_info *t, struct json_val o, struct error *err)
{
	struct tcb_level *levels;
	struct json_val list = {0};
	struct json_iter it;
	size_t n;
	int r = intel_read_array(o, "tcbLevels", INTEL_LEVELS_MAX, &list, err);

	if (r < 0)
		return r;
	n = json_count(list);
	levels = arena_array(&t->arena, struct tcb_level, n);
	if (!levels)
		return error_oom(err);
	json_each (it, list) {
		r = read_level(t, it.value, &levels[it.index], err);
		if (r < 0)
			return error_prefix(err, r, "tcbLevels[%zu]", it.index);
	}
	qsort(levels, n, sizeof(*levels), compare_levels);
	for (size_t i = 1; i < n; i++) {
		if (compare_levels(&levels[i - 1], &levels[i]) == 0)
			return error_set(err, -EBADMSG,
				"tcbLevels: two are equal (pcesvn %u, status %s and %s)",
				levels[i].pcesvn, tcb_status_name(levels[i - 1].status),
				tcb_status_name(levels[i].status));
	}
	t->levels = levels;
	t->n_levels = n;
	return 0;
}

static int read_module(struct json_val o, struct tdx_module *ret, struct error *err)
{
	int r = intel_read_hex(o, "mrsigner", ret->mrsigner, sizeof(ret->mrsigner), err);

	if (r == 0)
		r = intel_read_hex(o, "attributes", ret->attributes, sizeof(ret->attributes), err);
	if (r == 0)
		r = intel_read_hex(o, "attributesMask", ret->attributes_mask,
			sizeof(ret->attributes_mask), err);
	return r;
}

static int read_identity(
	struct tcb_info *t, struct json_val o, struct tdx_module *ret, struct error *err)
{
	struct json_val id = json_get(o, "id");
	struct span raw = json_raw(id);
	int r;

	/* Names of another form are of modules to come: no version of today asks for them. */
	if (!json_is_string(id) || raw.len <= 2 || raw.len - 2 >= sizeof(ret->id))
		return error_set(err, -EBADMSG, "id: not a string like \"TDX_01\"");
	memcpy(ret->id, raw.p + 1, raw.len - 2);
	for (const struct tdx_module *m = t->modules; m < ret; m++) {
		if (strcasecmp(m->id, ret->id) == 0)
			return error_set(err, -EBADMSG, "id: %s is there twice", ret->id);
	}
	r = read_module(o, ret, err);
	if (r == 0)
		r = intel_read_isv_levels(
			o, MODULE_SVN_MAX, &t->arena, &ret->levels, &ret->n_levels, err);
	return r;
}

static int read_modules(struct tcb_info *t, struct json_val o, struct error *err)
{
	struct json_val list = json_get(o, "tdxModuleIdentities");
	struct json_iter it;
	int r;

	if (json_exists(list) && (!json_is_array(list) || json_count(list) > MODULES_MAX))
		return error_set(err, -EBADMSG, "tdxModuleIdentities: not a list of at most %d",
			MODULES_MAX);
	t->modules = arena_array(&t->arena, struct tdx_module, 1 + json_count(list));
	if (!t->modules)
		return error_oom(err);
	r = read_module(json_get(o, "tdxModule"), &t->modules[0], err);
	if (r < 0)
		return error_prefix(err, r, "tdxModule");
	json_each (it, list) {
		r = read_identity(t, it.value, &t->modules[1 + it.index], err);
		if (r < 0)
			return error_prefix(err, r, "tdxModuleIdentities[%zu]", it.index);
	}
	t->n_modules = 1 + json_count(list);
	return 0;
}

/* What it is for comes first: a document that is wrong elsewhere can still be named. */
static int read_subject(struct tcb_info *t, struct json_val o, struct error *err)
{
	struct json_val id = json_get(o, "id");
	int r = intel_read_hex(o, "fmspc", t->fmspc, sizeof(t->fmspc), err);

	if (r < 0)
		return r;
	t->tdx = json_str_is(id, "TDX");
	/* Versions before 3 have no id and are SGX's. */
	if (!t->tdx && json_exists(id) && !json_str_is(id, "SGX"))
		return error_set(err, -EBADMSG, "id: neither \"SGX\" nor \"TDX\"");
	t->named = true;
	return 0;
}

static int read_tcb_info(void *document, struct json_val o, struct error *err)
{
	struct tcb_info *t = document;
	uint32_t type = 0;
	int r = read_subject(t, o, err);

	if (r == 0)
		r = intel_read_head(o, TCB_INFO_VERSION, &t->issue_date, &t->next_update,
			&t->evaluation_number, err);
	if (r == 0 && !json_exists(json_get(o, "id")))
		r = error_set(err, -EBADMSG, "id: it is missing");
	if (r == 0)
		r = intel_read_hex(o, "pceId", t->pceid, sizeof(t->pceid), err);
	if (r == 0)
		r = intel_read_number(o, "tcbType", UINT32_MAX, &type, err);
	if (r == 0 && type != 0)
		r = error_set(
			err, -EBADMSG, "tcbType: %u; Casemate compares SVNs as type 0 asks", type);
	if (r == 0 && t->tdx)
		r = read_modules(t, o, err);
	return r < 0 ? r : read_levels(t, o, err);
}

int tcb_info_new(struct tcb_info **ret, struct span body, struct span signature, struct span chain,
	const struct roots *roots, const struct intel_collateral *known, struct error *err)
{
	struct tcb_info *t = calloc(1, sizeof(*t));
	struct intel_draft draft;
	int r;

	if (!t)
		return error_oom(err);
	draft = (struct intel_draft){
		.problem = &t->problem,
		.message = t->message,
		.arena = &t->arena,
		.signer = &t->signer,
		.body = &t->body,
		.signature = t->signature,
		.read = read_tcb_info,
		.document = t,
	};
	r = intel_document_open(&draft, body, signature, chain, roots, known, err);
	if (r < 0) {
		tcb_info_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

void tcb_info_free(struct tcb_info *t)
{
	if (!t)
		return;
	intel_signer_free(&t->signer);
	arena_free(&t->arena);
	free(t);
}

static bool reaches(const unsigned char *have, const unsigned char *want, size_t from)
{
	for (size_t i = from; i < COMPONENTS; i++) {
		if (have[i] < want[i])
			return false;
	}
	return true;
}

const struct tcb_level *tcb_info_match(
	const struct tcb_info *t, const struct pck *pck, const unsigned char *tee_tcb_svn)
{
	if (t->tdx != (tee_tcb_svn != NULL))
		return NULL;
	for (size_t i = 0; i < t->n_levels; i++) {
		const struct tcb_level *l = &t->levels[i];

		/* A module of version 1 on is judged by its identity: bytes 0 and 1 are its own. */
		if (reaches(pck->components, l->sgx, 0) && pck->pcesvn >= l->pcesvn &&
			(!t->tdx || reaches(tee_tcb_svn, l->tdx, tee_tcb_svn[1] > 0 ? 2 : 0)))
			return l;
	}
	return NULL;
}

const struct tdx_module *tcb_info_module(const struct tcb_info *t, unsigned version)
{
	char id[sizeof(t->modules->id)];

	if (version == 0)
		return t->n_modules ? &t->modules[0] : NULL;
	snprintf(id, sizeof(id), "TDX_%02X", version & 0xff);
	for (size_t i = 1; i < t->n_modules; i++) {
		if (strcasecmp(t->modules[i].id, id) == 0)
			return &t->modules[i];
	}
	return NULL;
}

const struct isv_level *isv_level_match(const struct isv_level *l, size_t n, unsigned svn)
{
	for (size_t i = 0; i < n; i++) {
		if (l[i].isvsvn <= svn)
			return &l[i];
	}
	return NULL;
}
