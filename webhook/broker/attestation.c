/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/attestation.h"

#include <errno.h>
#include <openssl/crypto.h>

#include "common/base/codec.h"
#include "webhook/broker/init_data.h"

static const struct {
	const char *name;
	enum tee_type tee;
	bool vtpm;
} tees[] = {
	{"sgx", TEE_TYPE_SGX, false},
	{"tdx", TEE_TYPE_TDX, false},
	{"snp", TEE_TYPE_SNP, false},
	{"az-snp-vtpm", TEE_TYPE_SNP, true},
	{"az-tdx-vtpm", TEE_TYPE_TDX, true},
	{"simulated", TEE_TYPE_SIMULATED, false},
};

#define TEE_SAMPLE "sample"

/* What is being judged, and why not. */
struct judging {
	const struct attestation_rules *rules;
	const struct rcar_attest *a;
	struct session *s;
	int64_t now_sec;
	struct attestation_proof *proof;
	enum reason *reason;
	struct error *err;
};

static int refuse(struct judging *j, enum reason reason, const char *message)
{
	*j->reason = reason;
	return error_set(j->err, -EACCES, "%s", message);
}

static int malformed(struct judging *j, int r)
{
	*j->reason = REASON_Malformed;
	return r;
}

bool attestation_knows(const char *tee)
{
	for (size_t i = 0; i < ARRAY_SIZE(tees); i++)
		if (strcmp(tee, tees[i].name) == 0)
			return true;
	return strcmp(tee, TEE_SAMPLE) == 0;
}

static int check_nonce(struct judging *j)
{
	_cleanup_buf_ struct buf want = BUF_INIT(RCAR_NONCE_TEXT);

	if (buf_base64(&want, j->s->nonce, RCAR_NONCE) < 0)
		return error_oom(j->err);
	if (j->a->nonce.len != want.len || CRYPTO_memcmp(want.p, j->a->nonce.p, want.len) != 0)
		return refuse(j, REASON_ChallengeInvalid,
			"runtime-data.nonce is not the nonce of this session");
	return 0;
}

/* The tokens that came must be those that the evidence was made with. */
static int check_bound(struct judging *j)
{
	_cleanup_buf_ struct buf want = BUF_INIT(4096);
	int r = rcar_additional_write(&want, &j->a->who);

	if (r == -EINVAL)
		return malformed(j, error_set(j->err, -EBADMSG, "casemate: not a name"));
	if (r < 0)
		return error_oom(j->err);
	if (want.len && !span_equal(buf_view(&want), j->a->additional))
		return refuse(j, REASON_ReportDataMismatch,
			"additional_evidence does not bind the tokens that came: make evidence "
			"for these");
	if (!want.len && span_starts(j->a->additional, "{\"casemate\""))
		return refuse(j, REASON_ReportDataMismatch,
			"the evidence binds tokens that did not come");
	return 0;
}

static int take_key(struct judging *j)
{
	int n = jwk_read_packed(j->s->key, j->a->tee_pubkey, j->err);

	if (n < 0)
		return malformed(j, error_prefix(j->err, n, "tee-pubkey"));
	j->s->key_len = (size_t)n;
	return 0;
}

static int judge_sample(struct judging *j)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(1024);
	struct span text = json_str(json_get(j->a->primary, "report_data"), &a);
	struct proven p = {.tee = TEE_TYPE_SIMULATED,
		.sample = true,
		.isv_prod_id = -1,
		.isv_svn = -1,
		.guest_svn = -1,
		.tcb = TCB_STATUS_N};
	unsigned char got[RCAR_REPORT_DATA];

	if (!j->rules->allow_sample)
		return refuse(j, REASON_SampleNotAllowed,
			"sample evidence proves nothing; use a TEE (broker.allowSample is for "
			"tests)");
	if (!text.p || codec_unbase64_exact(got, sizeof(got), CODEC_BASE64, text) < 0 ||
		CRYPTO_memcmp(got, j->proof->report_data, sizeof(got)) != 0)
		return refuse(j, REASON_ReportDataMismatch,
			"the evidence was made for another nonce, key or token");
	return session_prove(j->s, &p);
}

static int check_init_data(struct judging *j, const struct evidence *e)
{
	unsigned char digest[INIT_DATA_DIGEST_MAX];
	_cleanup_buf_ struct buf hex = BUF_INIT(INIT_DATA_HEX_MAX);
	int n;

	if (!j->a->init_data.p)
		return 0;
	n = init_data_digest(digest, j->a->init_data, j->err);
	if (n < 0)
		return malformed(j, n);
	if (!e || !init_data_bound(e, digest, (size_t)n))
		return refuse(j, REASON_MeasurementNotAllowed,
			"the TEE was not started with this init-data");
	if (codec_hex(&hex, digest, (size_t)n) < 0)
		return error_oom(j->err);
	memcpy(j->proof->init_data, hex.p, hex.len + 1);
	return 0;
}

static int judge_examined(struct judging *j, const struct examination *e)
{
	struct proven p;
	size_t i = 0;
	int r;

	j->proof->wait_sec = e->wait_sec;
	if (!verdict_accepted(&e->verdict))
		return refuse(j, e->verdict.reason,
			e->verdict.message[0] ? e->verdict.message
					      : reason_explanation(e->verdict.reason));
	while (i < ARRAY_SIZE(tees) && strcmp(tees[i].name, j->s->tee) != 0)
		i++;
	if (i == ARRAY_SIZE(tees) || tees[i].tee != e->evidence.tee ||
		tees[i].vtpm != e->evidence.has_vtpm)
		return refuse(j, REASON_ReportDataMismatch,
			"the evidence is of another TEE than the session was asked for");
	r = proven_from(&p, &e->evidence, &e->verdict);
	if (r == 0)
		r = session_prove(j->s, &p);
	if (r < 0)
		return refuse(j, REASON_Malformed, "the evidence names too much");
	return check_init_data(j, &e->evidence);
}

/* The document of the simulated TEE, and a node's SNP report with the certificates that its host
 * gave, come as base64; the others' as the evidence itself. */
static int judge_evidence(struct judging *j)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(EVIDENCE_MAX);
	_cleanup_buf_ struct buf document = BUF_INIT(EVIDENCE_MAX);
	struct json_val encoded = json_get(j->a->primary, "evidence");
	struct span text = json_raw(j->a->primary);
	struct examination e = {0};
	unsigned char report_data[64] = {0};
	int r;

	if (json_exists(encoded) || strcmp(j->s->tee, tee_type_name(TEE_TYPE_SIMULATED)) == 0) {
		text = json_str(encoded, &a);
		if (!text.p || codec_unbase64(&document, CODEC_BASE64, text) < 0)
			return malformed(j, error_set(j->err, -EBADMSG,
						    "primary_evidence.evidence is not base64"));
		text = buf_view(&document);
	}
	memcpy(report_data, j->proof->report_data, RCAR_REPORT_DATA);
	j->rules->examine(j->rules->ctx, text, report_data, j->now_sec, &e);
	r = judge_examined(j, &e);
	examination_free(&e);
	return r;
}

int attestation_judge(const struct attestation_rules *rules, const struct rcar_attest *a,
	struct session *s, int64_t now_sec, struct attestation_proof *ret, enum reason *ret_reason,
	struct error *err)
{
	struct judging j = {rules, a, s, now_sec, ret, ret_reason, err};
	int r = check_nonce(&j);

	*ret = (struct attestation_proof){0};
	if (r == 0)
		r = check_bound(&j);
	if (r == 0)
		r = take_key(&j);
	if (r < 0)
		return r;
	r = rcar_report_data(ret->report_data, a->nonce, a->tee_pubkey, a->additional);
	if (r == -EBADMSG)
		return malformed(&j, error_set(err, r, "tee-pubkey has no canonical form"));
	if (r < 0)
		return error_oom(err);
	if (strcmp(s->tee, TEE_SAMPLE) == 0) {
		r = judge_sample(&j);
		if (r == 0)
			r = check_init_data(&j, NULL);
	} else {
		r = judge_evidence(&j);
	}
	if (r == 0)
		s->attested = true;
	return r;
}

bool attestation_fits_node(const struct session *s, const struct record *node,
	enum reason *ret_reason, struct error *err)
{
	static const enum record_platform platforms[TEE_TYPE_N] = {
		RECORD_SGX, RECORD_TDX, RECORD_SNP, RECORD_SIMULATED};
	const struct proven *p = &s->proven;

	if (p->sample) {
		*ret_reason = REASON_SampleNotAllowed;
		error_set(err, -EACCES, "sample evidence says nothing of a node");
		return false;
	}
	if (platforms[p->tee] == node->platform && p->platform_id_len &&
		p->platform_id_len == node->platform_id_len &&
		CRYPTO_memcmp(p->platform_id, node->platform_id, p->platform_id_len) == 0)
		return true;
	*ret_reason = REASON_NodeMismatch;
	error_set(err, -EACCES,
		"the evidence is of another platform than the node's verdict in its "
		"NodeAttestation");
	return false;
}
