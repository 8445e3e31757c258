/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/intel_document.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/tee/signature.h"

enum {
	DOCUMENT_NODES_MAX = 256 * 1024, /* keys and values: real ones have 5,000 */
	DOCUMENT_DEPTH_MAX = 16,
	DATE_LEN = 20, /* "2024-03-13T00:00:00Z" */
	SIGNATURE_LEN = 64,
	ADVISORY_MAX = 64, /* bytes of one, with its quotes; of what is shown of a status */
};

void intel_signer_free(struct intel_signer *s)
{
	cert_unref(s->cert);
	cert_unref(s->root);
	*s = (struct intel_signer){0};
}

/* Whose chain it is, before any signature counts. */
static enum reason check_signer(
	const struct intel_signer *s, const struct roots *roots, int *ret_code, struct error *err)
{
	struct cert *root = roots_find_intel(roots, s->root);

	if (!root) {
		error_set(err, -EBADMSG, "the issuer chain ends at \"%s\", which is not trusted",
			s->root->subject);
		return REASON_UnknownRoot;
	}
	if (strcmp(s->cert->subject, INTEL_SIGNER_NAME) != 0 || s->cert->ca) {
		error_set(err, -EBADMSG,
			"the issuer chain begins with \"%s\"; only \"" INTEL_SIGNER_NAME
			"\" signs such documents",
			s->cert->subject);
		return REASON_ChainInvalid;
	}
	/* Its own certificate, or another that the root vouches for. */
	*ret_code = cert_same(s->root, root) ? 0 : cert_check_issued(s->root, root, err);
	if (*ret_code == 0)
		*ret_code = cert_check_issued(s->cert, root, err);
	return *ret_code < 0 ? REASON_ChainInvalid : REASON_Ok;
}

static int read_chain(struct intel_signer *ret, struct span chain, const struct roots *roots,
	const struct intel_collateral *known, struct error *err)
{
	struct cert *certs[2] = {NULL}, *parsed[INTEL_KNOWN];
	int i, r;

	if (chain.len == 0)
		return error_set(err, -EBADMSG, "there is no issuer chain with it");
	intel_known(parsed, known, roots);
	r = cert_parse_pem_known(certs, ARRAY_SIZE(certs), chain, parsed, INTEL_KNOWN, err);
	if (r == 1)
		cert_unref(certs[0]);
	if (r >= 0 && r != 2)
		return error_set(
			err, -EBADMSG, "issuer chain: one certificate; signer and root are needed");
	if (r < 0)
		return error_prefix(err, r, "issuer chain");
	/* Intel's service sends the signer first, samples of Intel's have it last. */
	i = strcmp(certs[0]->subject, INTEL_ROOT_NAME) == 0;
	*ret = (struct intel_signer){.cert = certs[i], .root = certs[!i]};
	return 0;
}

/* Is the signature the signer's, and is it over body? */
static enum reason check_signature(struct cert *signer, struct span signature, struct span body,
	int *ret_code, struct error *err)
{
	EVP_PKEY *key = cert_key(signer);

	if (signature.len != SIGNATURE_LEN || !key || !EVP_PKEY_is_a(key, "EC") ||
		EVP_PKEY_get_bits(key) != 256) {
		error_set(err, -EBADMSG, "signature and signer's key are not both of P-256");
		return REASON_CollateralSignatureInvalid;
	}
	*ret_code = signature_p256(key, (const unsigned char *)signature.p, body);
	if (*ret_code == 0)
		return REASON_Ok;
	error_set(err, -EBADMSG, "the signature is not that of \"" INTEL_SIGNER_NAME "\"");
	return REASON_CollateralSignatureInvalid;
}

/* *ret_problem is Ok, or says what is wrong, and err why. 0 or -ENOMEM. */
static int authenticate(const struct intel_draft *d, struct span signature, struct span chain,
	const struct roots *roots, const struct intel_collateral *known, struct error *err)
{
	int r = read_chain(d->signer, chain, roots, known, err);

	*d->problem = REASON_ChainInvalid;
	if (r < 0)
		return r == -ENOMEM ? r : 0;
	*d->problem = check_signer(d->signer, roots, &r, err);
	if (*d->problem == REASON_Ok)
		*d->problem = check_signature(d->signer->cert, signature, *d->body, &r, err);
	return r == -ENOMEM ? r : 0;
}

static int parse(struct json *ret, struct span body, struct error *err)
{
	static const struct json_limits limits = {
		.max_bytes = INTEL_JSON_MAX,
		.max_nodes = DOCUMENT_NODES_MAX,
		.max_depth = DOCUMENT_DEPTH_MAX,
	};
	int r = json_parse(ret, body, &limits, err);

	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return error_prefix(err, -EBADMSG, "not JSON");
	if (!json_is_object(json_root(ret)))
		return error_set(err, -EBADMSG, "not a JSON object");
	return 0;
}

int intel_document_open(const struct intel_draft *d, struct span body, struct span signature,
	struct span chain, const struct roots *roots, const struct intel_collateral *known,
	struct error *err)
{
	_cleanup_json_ struct json doc = {0};
	struct error signer = {0}, shape = {0};
	int r;

	*d->arena = ARENA_INIT(INTEL_DOCUMENT_MEMORY_MAX);
	if (body.len > INTEL_JSON_MAX)
		body = SPAN_NONE; /* which is no document */
	*d->body = arena_dup(d->arena, body);
	if (!d->body->p)
		return error_oom(err);
	if (signature.len == SIGNATURE_LEN)
		memcpy(d->signature, signature.p, SIGNATURE_LEN);
	r = authenticate(d, signature, chain, roots, known, &signer);
	if (r < 0)
		return error_oom(err);
	r = parse(&doc, *d->body, &shape);
	if (r == 0)
		r = d->read(d->document, json_root(&doc), &shape);
	if (r == -ENOMEM)
		return error_oom(err);
	if (r < 0 && *d->problem == REASON_Ok) {
		*d->problem = REASON_CollateralInvalid;
		signer = shape;
	}
	snprintf(d->message, INTEL_MESSAGE, "%s", *d->problem != REASON_Ok ? signer.message : "");
	return 0;
}

static int missing(const char *key, struct error *err)
{
	return error_set(err, -EBADMSG, "%s: it is missing", key);
}

int intel_read_hex(
	struct json_val o, const char *key, unsigned char *ret, size_t len, struct error *err)
{
	struct json_val v = json_get(o, key);
	struct span raw = json_raw(v);

	if (!json_exists(v))
		return missing(key, err);
	/* Escaped digits are digits to JSON; Intel writes none, and they would be too long. */
	if (!json_is_string(v) ||
		codec_hex_exact(ret, len, (struct span){raw.p + 1, raw.len - 2}) < 0)
		return error_set(err, -EBADMSG, "%s: not %zu hexadecimal digits", key, 2 * len);
	return 0;
}

int intel_read_number(
	struct json_val o, const char *key, uint32_t max, uint32_t *ret, struct error *err)
{
	struct json_val v = json_get(o, key);
	int64_t n;

	if (!json_exists(v))
		return missing(key, err);
	if (!json_int(v, &n) || n < 0 || n > max)
		return error_set(err, -EBADMSG, "%s: not an integer from 0 to %u", key, max);
	*ret = (uint32_t)n;
	return 0;
}

int intel_read_date(
	struct json_val o, const char *key, int64_t *ret_sec, char ret_text[21], struct error *err)
{
	struct json_val v = json_get(o, key);
	struct span raw = json_raw(v);
	int64_t usec;

	if (!json_exists(v))
		return missing(key, err);
	if (!json_is_string(v) || raw.len != DATE_LEN + 2 || raw.p[DATE_LEN] != 'Z' ||
		clock_parse((struct span){raw.p + 1, DATE_LEN}, &usec) < 0)
		return error_set(
			err, -EBADMSG, "%s: not a time like \"2024-03-13T00:00:00Z\"", key);
	if (ret_sec)
		*ret_sec = usec / USEC_PER_SEC;
	if (ret_text) {
		memcpy(ret_text, raw.p + 1, DATE_LEN);
		ret_text[DATE_LEN] = '\0';
	}
	return 0;
}

int intel_read_status(struct json_val o, uint32_t accepted, enum tcb_status *ret, struct error *err)
{
	struct json_val v = json_get(o, "tcbStatus");
	struct span raw = json_raw(v);
	enum tcb_status s;

	if (!json_exists(v))
		return missing("tcbStatus", err);
	if (!json_is_string(v) || !tcb_status_parse((struct span){raw.p + 1, raw.len - 2}, &s) ||
		!(accepted & 1u << s))
		return error_set(err, -EBADMSG,
			"tcbStatus: " SPAN_FMT " is no status that Casemate knows here",
			SPAN_ARG(raw.len <= ADVISORY_MAX ? raw : SPAN_LIT("this")));
	*ret = s;
	return 0;
}

int intel_read_array(
	struct json_val o, const char *key, size_t max, struct json_val *ret, struct error *err)
{
	struct json_val v = json_get(o, key);

	if (!json_exists(v))
		return missing(key, err);
	if (!json_is_array(v) || json_count(v) == 0 || json_count(v) > max)
		return error_set(err, -EBADMSG, "%s: not a list of 1 to %zu", key, max);
	*ret = v;
	return 0;
}

int intel_read_advisories(
	struct json_val o, struct arena *a, struct span **ret, size_t *ret_n, struct error *err)
{
	struct json_val list = json_get(o, "advisoryIDs");
	size_t n = json_count(list);
	struct json_iter it;
	struct span *ids;

	*ret = NULL;
	*ret_n = 0;
	if (!json_exists(list))
		return 0;
	if (!json_is_array(list) || n > INTEL_ADVISORIES_MAX)
		return error_set(err, -EBADMSG, "advisoryIDs: not a list of at most %d",
			INTEL_ADVISORIES_MAX);
	ids = arena_array(a, struct span, n);
	if (!ids)
		return error_oom(err);
	json_each (it, list) {
		if (!json_is_string(it.value) || json_raw(it.value).len > ADVISORY_MAX)
			return error_set(err, -EBADMSG,
				"advisoryIDs[%zu]: not a string of less than %d bytes", it.index,
				ADVISORY_MAX - 1);
		ids[it.index] = json_str(it.value, a);
		if (!ids[it.index].p)
			return error_oom(err);
	}
	*ret = ids;
	*ret_n = n;
	return 0;
}

int intel_read_head(struct json_val o, uint32_t version, int64_t *ret_issue, int64_t *ret_next,
	uint32_t *ret_number, struct error *err)
{
	uint32_t got = 0;
	int r = intel_read_number(o, "version", UINT32_MAX, &got, err);

	if (r < 0)
		return r;
	if (got != version)
		return error_set(
			err, -EBADMSG, "version: %u; Casemate reads version %u", got, version);
	r = intel_read_date(o, "issueDate", ret_issue, NULL, err);
	if (r == 0)
		r = intel_read_date(o, "nextUpdate", ret_next, NULL, err);
	if (r == 0)
		r = intel_read_number(o, "tcbEvaluationDataNumber", UINT32_MAX, ret_number, err);
	if (r == 0 && *ret_next < *ret_issue)
		return error_set(err, -EBADMSG, "nextUpdate: it is before issueDate");
	return r;
}

static int read_isv_level(struct json_val o, uint32_t max_svn, struct arena *a,
	struct isv_level *ret, struct error *err)
{
	const uint32_t accepted = 1u << TCB_UpToDate | 1u << TCB_OutOfDate | 1u << TCB_Revoked;
	uint32_t svn = 0;
	int r = intel_read_number(json_get(o, "tcb"), "isvsvn", max_svn, &svn, err);

	if (r < 0)
		return error_prefix(err, r, "tcb");
	ret->isvsvn = (uint16_t)svn;
	r = intel_read_date(o, "tcbDate", NULL, ret->date, err);
	if (r == 0)
		r = intel_read_status(o, accepted, &ret->status, err);
	if (r == 0)
		r = intel_read_advisories(o, a, &ret->advisories, &ret->n_advisories, err);
	return r;
}

static int compare_isv_levels(const void *a, const void *b)
{
	const struct isv_level *x = a, *y = b;

	return (int)y->isvsvn - (int)x->isvsvn;
}

int intel_read_isv_levels(struct json_val o, uint32_t max_svn, struct arena *a,
	struct isv_level **ret, size_t *ret_n, struct error *err)
{
	struct isv_level *levels;
	struct json_val list = {0};
	struct json_iter it;
	size_t n;
	int r = intel_read_array(o, "tcbLevels", INTEL_LEVELS_MAX, &list, err);

	if (r < 0)
		return r;
	n = json_count(list);
	levels = arena_array(a, struct isv_level, n);
	if (!levels)
		return error_oom(err);
	json_each (it, list) {
		r = read_isv_level(it.value, max_svn, a, &levels[it.index], err);
		if (r < 0)
			return error_prefix(err, r, "tcbLevels[%zu]", it.index);
	}
	qsort(levels, n, sizeof(*levels), compare_isv_levels);
	for (size_t i = 1; i < n; i++) {
		if (levels[i].isvsvn == levels[i - 1].isvsvn)
			return error_set(
				err, -EBADMSG, "tcbLevels: two with isvsvn %u", levels[i].isvsvn);
	}
	*ret = levels;
	*ret_n = n;
	return 0;
}
