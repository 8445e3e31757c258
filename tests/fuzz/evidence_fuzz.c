/* SPDX-License-Identifier: Apache-2.0
 *
 * Evidence of every encoding, and the verification of what turns out to be an SNP report. The
 * signatures of reports and certificates are taken for right (the linker puts __wrap_… in the place
 * of what checks them), so that what lies behind them is reached; with CASEMATE_FUZZ_REAL set they
 * are checked. Run from the top of the tree. */
#include <stdint.h>
#include <stdlib.h>

#include "common/tee/collateral.h"
#include "common/tee/evidence.h"
#include "common/tee/signature.h"

enum { CACHE = 64, AT = 1751000000 };

static struct collateral *collateral;
static struct verify_cache *cache;
static bool real;

static void must(bool ok)
{
	if (!ok)
		abort();
}

int __real_signature_p384(EVP_PKEY *key, const unsigned char rs[96], struct span message);
int __wrap_signature_p384(EVP_PKEY *key, const unsigned char rs[96], struct span message);
int __wrap_signature_p384(EVP_PKEY *key, const unsigned char rs[96], struct span message)
{
	return real ? __real_signature_p384(key, rs, message) : 0;
}

int __real_x509_frame_verify(
	const struct x509_frame *f, enum x509_key kind, EVP_PKEY *key, struct error *err);
int __wrap_x509_frame_verify(
	const struct x509_frame *f, enum x509_key kind, EVP_PKEY *key, struct error *err);
int __wrap_x509_frame_verify(
	const struct x509_frame *f, enum x509_key kind, EVP_PKEY *key, struct error *err)
{
	return real ? __real_x509_frame_verify(f, kind, key, err) : 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	real = getenv("CASEMATE_FUZZ_REAL") != NULL;
	must(collateral_new(&collateral, NULL) == 0);
	must(collateral_add_path(collateral, "tests/vectors/amd-roots", NULL) == 0);
	must(collateral_add_path(collateral, "tests/vectors/trustee/test-vcek.der", NULL) == 0);
	must(verify_cache_new(&cache, CACHE, NULL) == 0);
	return 0;
}

static void check_accepted(const struct evidence *e, const struct verdict *v)
{
	const struct snp_report *r = &e->snp;
	struct snp_tcb current = snp_tcb_read(r->current_tcb, v->product);

	must(v->has_snp && v->valid_until >= AT && v->tcb == TCB_UpToDate);
	must(r->vmpl == 0 && !(r->policy & (SNP_POLICY_DEBUG | SNP_POLICY_MIGRATE_MA)));
	must(snp_tcb_at_least(current, v->reported_tcb));
	must(v->vlek == (r->signing_key == SNP_KEY_VLEK));
	must(v->vlek || v->platform_id_len == snp_chip_id_len(v->product));
}

static void judge(const struct evidence *e)
{
	struct verify_policy policy = {0};
	struct verify_input in = {e, collateral, &policy, AT};
	struct verdict cold, warm;

	verify(&in, NULL, &cold);
	must(cold.reason < REASON_N && verdict_accepted(&cold) == (cold.message[0] == '\0'));
	for (int round = 0; round < 2; round++) {
		verify(&in, cache, &warm);
		must(cold.reason == warm.reason && strcmp(cold.message, warm.message) == 0 &&
			cold.crl == warm.crl && cold.valid_until == warm.valid_until);
	}
	if (verdict_accepted(&cold))
		check_accepted(e, &cold);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_evidence_ struct evidence e = {0};
	struct error err = {0};
	enum reason reason = REASON_Ok;
	int r = evidence_open(&e, (struct span){(const char *)data, size}, &reason, &err);

	must(r == 0 || r == -EBADMSG);
	if (r < 0) {
		must(err.message[0] != '\0' && reason != REASON_Ok && reason < REASON_N);
		return 0;
	}
	must(e.tee < TEE_TYPE_N && evidence_report_data(&e) != NULL);
	must(!e.has_vtpm || (e.runtime_data.p && e.pcrs));
	if (e.tee == TEE_TYPE_SNP)
		judge(&e);
	return 0;
}
