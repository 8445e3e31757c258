/* SPDX-License-Identifier: Apache-2.0
 *
 * Synthetic SNP reports of every product and version, with one thing wrong each. Every row is
 * judged without a cache, with a cold one and with a warm one: the verdict is the same. */
#include "tests/tee/amd_world.h"
#include "tests/unit/snp_world.h"
#include "tests/unit/test.h"

enum { EXTENDED_MAX = 1 << 16, MORE = 0x9000 };

/* What is judged, put together from what is to be changed. */
struct scene {
	struct tee_amd amd;
	struct verify_policy policy;
	int64_t time;
	bool with_crl, foreign_ark, no_certs, leaf_in_other_slot, crl_inside;
	struct buf list; /* the CRL; has to outlive what was made of it */
};

static unsigned char data_of_report[64], other_data[64] = {1};
static struct measurement right = {"measurement", {0}, 48}, wrong_one = {"hostData", {0xee}, 32};
static struct accepted accept_right = {.name = "right",
	.tees = 1 << TEE_TYPE_SNP,
	.measurements = &right,
	.n_measurements = 1,
	.isv_prod_id = -1};
static struct accepted accept_wrong = {.name = "wrong",
	.tees = 1 << TEE_TYPE_SNP,
	.measurements = &wrong_one,
	.n_measurements = 1,
	.isv_prod_id = -1};

static void resign_nothing(struct scene *s)
{
	(void)s;
}

#define CHANGE(name, statement)                                                                    \
	static void name(struct scene *s)                                                          \
	{                                                                                          \
		statement;                                                                         \
	}

CHANGE(leaf_broken, s->amd.leaf.break_signature = true)
CHANGE(leaf_by_other, s->amd.leaf.signer = TEE_KEY_OTHER_RSA)
CHANGE(leaf_expired, s->amd.leaf.not_after = TEE_NOW - 1)
CHANGE(leaf_last_second, s->amd.leaf.not_after = TEE_NOW)
CHANGE(leaf_early, s->amd.leaf.not_before = TEE_NOW + 1)
CHANGE(leaf_is_ca, s->amd.leaf.ca = true)
CHANGE(leaf_p256, s->amd.leaf.key = TEE_KEY_PCK)
CHANGE(leaf_of_asvk, s->amd.leaf.issuer = "SEV-VLEK-Milan")
CHANGE(leaf_of_ark, s->amd.leaf.issuer = "ARK-Milan"; s->amd.leaf.signer = TEE_KEY_ARK)
CHANGE(leaf_name, s->amd.leaf.subject = "VCEK")
CHANGE(ask_broken, s->amd.intermediate.break_signature = true)
CHANGE(ask_by_other, s->amd.intermediate.signer = TEE_KEY_OTHER_RSA)
CHANGE(ask_no_ca, s->amd.intermediate.ca = false; s->amd.intermediate.usage = NULL)
CHANGE(ask_expired, s->amd.intermediate.not_after = TEE_NOW - 1)
CHANGE(ask_early, s->amd.intermediate.not_before = TEE_NOW + 1)
CHANGE(ark_expired, s->amd.ark.not_after = TEE_NOW - 1)
CHANGE(ark_foreign, s->foreign_ark = true)
CHANGE(no_certs, s->no_certs = true)
CHANGE(other_slot, s->leaf_in_other_slot = true)
CHANGE(product_name, s->amd.product_name = "Genoa")
CHANGE(structure_2, s->amd.structure = 2)
CHANGE(other_hwid, s->amd.hwid[7] ^= 1)
CHANGE(hwid_der, s->amd.hwid_der = true)
CHANGE(hwid_short, s->amd.hwid_len--)
CHANGE(spl_bootloader, s->amd.spl[TEE_SPL_BOOTLOADER]++)
CHANGE(spl_tee, s->amd.spl[TEE_SPL_TEE]++)
CHANGE(spl_snp, s->amd.spl[TEE_SPL_SNP]--)
CHANGE(spl_microcode, s->amd.spl[TEE_SPL_MICROCODE]--)
CHANGE(spl_fmc, s->amd.spl[TEE_SPL_FMC]++)
CHANGE(spl_reserved, s->amd.spl[TEE_SPL_4 + 1] = 1)
CHANGE(sig_bit, s->amd.signature = TEE_BIT_TURNED)
CHANGE(sig_r0, s->amd.signature = TEE_R_ZERO)
CHANGE(sig_s0, s->amd.signature = TEE_S_ZERO)
CHANGE(sig_rn, s->amd.signature = TEE_R_ORDER)
CHANGE(sig_sn, s->amd.signature = TEE_S_ORDER)
CHANGE(sig_other, s->amd.signature = TEE_OTHER_KEY)
CHANGE(crl, s->with_crl = true)
CHANGE(crl_required, s->with_crl = true; s->policy.require_crl = true)
CHANGE(crl_inside, s->crl_inside = true; s->policy.require_crl = true)
CHANGE(crl_absent, s->policy.require_crl = true)
CHANGE(crl_revokes_ask, s->with_crl = true; s->amd.crl.revoked[0] = s->amd.intermediate.serial)
CHANGE(crl_revokes_ark, s->with_crl = true; s->amd.crl.revoked[0] = s->amd.ark.serial)
CHANGE(crl_inside_revokes, s->crl_inside = true; s->amd.crl.revoked[0] = s->amd.intermediate.serial)
CHANGE(crl_old_revokes, s->with_crl = true; s->amd.crl.revoked[0] = s->amd.intermediate.serial;
	s->amd.crl.next_update = TEE_NOW - 1)
CHANGE(crl_expired, s->with_crl = true; s->amd.crl.next_update = TEE_NOW - 1)
CHANGE(crl_early, s->with_crl = true; s->amd.crl.this_update = TEE_NOW + 1)
CHANGE(crl_broken, s->with_crl = true; s->amd.crl.break_signature = true)
CHANGE(crl_by_other, s->with_crl = true; s->amd.crl.signer = TEE_KEY_OTHER_RSA)
CHANGE(crl_by_ask, s->crl_inside = true; s->amd.crl.signer = TEE_KEY_ASK;
	s->amd.crl.issuer = "SEV-Milan")
CHANGE(min_bootloader, s->policy.min_tcb.bootloader = 0xff)
CHANGE(min_tee, s->policy.min_tcb.tee = 0xff)
CHANGE(min_snp, s->policy.min_tcb.snp = 0xff)
CHANGE(min_microcode, s->policy.min_tcb.microcode = 0xff)
CHANGE(min_fmc, s->policy.min_tcb.fmc = 0xff)
CHANGE(committed_only, s->policy.refuse_provisional = true)
CHANGE(allow_debug, s->policy.allow_debug = true)
CHANGE(allow_migration, s->policy.allow_migration = true)
CHANGE(vmpl_1, s->policy.vmpl = 1)
CHANGE(require_single_socket, s->policy.snp_required = SNP_POLICY_SINGLE_SOCKET)
CHANGE(require_bit_26, s->policy.snp_required = 1 << 26)
CHANGE(forbid_smt, s->policy.snp_forbidden = SNP_POLICY_SMT)
CHANGE(require_alias_check, s->policy.platform_required = 1 << 5)
CHANGE(require_platform_6, s->policy.platform_required = 1 << 6)
CHANGE(same_data, s->policy.report_data = data_of_report)
CHANGE(another_data, s->policy.report_data = other_data)
CHANGE(accepted, s->policy.accepted = &accept_right; s->policy.n_accepted = 1)
CHANGE(not_accepted, s->policy.accepted = &accept_wrong; s->policy.n_accepted = 1)
CHANGE(none_accepted, s->policy.measurements_required = true)

/* Bytes of the report that are set before it is signed. */
struct patch {
	unsigned at, to; /* at 0: none; MORE + at: added to what is there */
};

#define M SNP_MILAN
#define G SNP_GENOA
#define T SNP_TURIN

static const struct {
	const char *name;
	enum snp_product product;
	unsigned version;
	bool vlek;
	struct patch patch[2];
	void (*change)(struct scene *s);
	enum reason want;
} rows[] = {
	{"Milan 2", M, 2, false, {{0}}, resign_nothing, REASON_Ok},
	{"Milan 3", M, 3, false, {{0}}, resign_nothing, REASON_Ok},
	{"Milan 4", M, 4, false, {{0}}, resign_nothing, REASON_Ok},
	{"Genoa 2", G, 2, false, {{0}}, resign_nothing, REASON_Ok},
	{"Genoa 5", G, 5, false, {{0}}, resign_nothing, REASON_Ok},
	{"Turin 3", T, 3, false, {{0}}, resign_nothing, REASON_Ok},
	{"Turin 5", T, 5, false, {{0}}, resign_nothing, REASON_Ok},
	{"Milan VLEK", M, 2, true, {{0}}, resign_nothing, REASON_Ok},
	{"Genoa VLEK", G, 5, true, {{0}}, resign_nothing, REASON_Ok},
	{"Turin VLEK", T, 5, true, {{0}}, resign_nothing, REASON_Ok},
	{"VLEK, its chip key hidden", M, 3, true, {{0x48, 2 | 1 << 2}}, resign_nothing, REASON_Ok},
	{"VLEK, its chip given", M, 3, true, {{0x1a0, 7}}, resign_nothing, REASON_Ok},

	{"unsigned", M, 3, false, {{0x48, 7 << 2}}, resign_nothing, REASON_QuoteSignatureInvalid},
	{"a key of kind 2", M, 3, false, {{0x48, 2 << 2}}, resign_nothing,
		REASON_UnsupportedVersion},
	{"says VLEK, is VCEK", M, 3, false, {{0x48, 1 << 2}}, resign_nothing,
		REASON_CollateralMissing},
	{"says VCEK, is VLEK", M, 3, true, {{0x48, 0}, {0x1a0, 1}}, resign_nothing,
		REASON_CollateralMissing},
	{"a VLEK as VCEK", M, 3, true, {{0x48, 0}, {0x1a0, 1}}, other_slot, REASON_ChainInvalid},
	{"a VCEK as VLEK", M, 3, false, {{0x48, 1 << 2}}, other_slot, REASON_ChainInvalid},
	{"chip key hidden", M, 3, false, {{0x48, 2}}, resign_nothing, REASON_ChipMismatch},
	{"an unknown family", M, 3, false, {{0x188, 0x1b}}, resign_nothing,
		REASON_UnsupportedVersion},
	{"an unknown model", M, 3, false, {{0x189, 0x77}}, resign_nothing,
		REASON_UnsupportedVersion},
	{"a CPU of Genoa", M, 3, false, {{0x189, 0x11}}, resign_nothing, REASON_ChipMismatch},
	{"another chip", M, 3, false, {{MORE + 0x1a1, 1}}, resign_nothing, REASON_ChipMismatch},
	{"Turin, a 9th byte", T, 3, false, {{0x1a8, 1}}, resign_nothing, REASON_ChipMismatch},
	{"HWID of another", M, 2, false, {{0}}, other_hwid, REASON_ChipMismatch},
	{"HWID of another, Turin", T, 5, false, {{0}}, other_hwid, REASON_ChipMismatch},
	{"HWID in DER", M, 2, false, {{0}}, hwid_der, REASON_Ok},
	{"HWID in DER, Turin", T, 3, false, {{0}}, hwid_der, REASON_Ok},
	{"HWID too short", M, 2, false, {{0}}, hwid_short, REASON_ChainInvalid},
	{"bootloader SPL", M, 2, false, {{0}}, spl_bootloader, REASON_ChipMismatch},
	{"TEE SPL", M, 2, false, {{0}}, spl_tee, REASON_ChipMismatch},
	{"SNP SPL", M, 2, false, {{0}}, spl_snp, REASON_ChipMismatch},
	{"microcode SPL", M, 2, false, {{0}}, spl_microcode, REASON_ChipMismatch},
	{"FMC SPL", T, 3, false, {{0}}, spl_fmc, REASON_ChipMismatch},
	{"microcode SPL of a VLEK", G, 3, true, {{0}}, spl_microcode, REASON_ChipMismatch},
	{"a reserved SPL", M, 2, false, {{0}}, spl_reserved, REASON_ChainInvalid},
	{"the certificate's product", M, 2, false, {{0}}, product_name, REASON_ChainInvalid},
	{"the certificate's structure", M, 2, false, {{0}}, structure_2, REASON_ChainInvalid},

	{"signature: a bit", M, 2, false, {{0}}, sig_bit, REASON_QuoteSignatureInvalid},
	{"signature: r is 0", M, 2, false, {{0}}, sig_r0, REASON_QuoteSignatureInvalid},
	{"signature: s is 0", M, 2, false, {{0}}, sig_s0, REASON_QuoteSignatureInvalid},
	{"signature: r is n", M, 2, false, {{0}}, sig_rn, REASON_QuoteSignatureInvalid},
	{"signature: s is n", M, 2, false, {{0}}, sig_sn, REASON_QuoteSignatureInvalid},
	{"signature: another key", M, 2, false, {{0}}, sig_other, REASON_QuoteSignatureInvalid},
	{"leaf: P-256", M, 2, false, {{0}}, leaf_p256, REASON_ChainInvalid},
	{"leaf: broken", M, 2, false, {{0}}, leaf_broken, REASON_ChainInvalid},
	{"leaf: another signer", M, 2, false, {{0}}, leaf_by_other, REASON_ChainInvalid},
	{"leaf: is a CA", M, 2, false, {{0}}, leaf_is_ca, REASON_ChainInvalid},
	{"leaf: of an ASVK", M, 2, false, {{0}}, leaf_of_asvk, REASON_ChainInvalid},
	{"leaf: of the ARK", M, 2, false, {{0}}, leaf_of_ark, REASON_ChainInvalid},
	{"leaf: its name", M, 2, false, {{0}}, leaf_name, REASON_ChainInvalid},
	{"leaf: expired", M, 2, false, {{0}}, leaf_expired, REASON_CertificateExpired},
	{"leaf: the last second", M, 2, false, {{0}}, leaf_last_second, REASON_Ok},
	{"leaf: not yet valid", M, 2, false, {{0}}, leaf_early, REASON_CertificateExpired},
	{"ASK: broken", M, 2, false, {{0}}, ask_broken, REASON_UnknownRoot},
	{"ASK: another signer", M, 2, false, {{0}}, ask_by_other, REASON_UnknownRoot},
	{"ASK: no CA", M, 2, false, {{0}}, ask_no_ca, REASON_ChainInvalid},
	{"ASK: expired", M, 2, false, {{0}}, ask_expired, REASON_CertificateExpired},
	{"ASK: not yet valid", M, 2, false, {{0}}, ask_early, REASON_CertificateExpired},
	{"ARK: expired", M, 2, false, {{0}}, ark_expired, REASON_CertificateExpired},
	{"ARK: not ours", M, 2, false, {{0}}, ark_foreign, REASON_UnknownRoot},
	{"ARK: not ours, VLEK", G, 5, true, {{0}}, ark_foreign, REASON_UnknownRoot},
	{"no certificates", M, 2, false, {{0}}, no_certs, REASON_CollateralMissing},
	{"no certificates, VLEK", M, 2, true, {{0}}, no_certs, REASON_CollateralMissing},

	{"CRL", M, 2, false, {{0}}, crl, REASON_Ok},
	{"CRL, required", T, 5, true, {{0}}, crl_required, REASON_Ok},
	{"CRL, the evidence's", M, 2, false, {{0}}, crl_inside, REASON_Ok},
	{"CRL, required and absent", M, 2, false, {{0}}, crl_absent, REASON_CrlMissing},
	{"CRL: ASK revoked", M, 2, false, {{0}}, crl_revokes_ask, REASON_CertificateRevoked},
	{"CRL: ASVK revoked", M, 2, true, {{0}}, crl_revokes_ask, REASON_CertificateRevoked},
	{"CRL: ARK revoked", M, 2, false, {{0}}, crl_revokes_ark, REASON_CertificateRevoked},
	{"CRL, the evidence's: ASK revoked", M, 2, false, {{0}}, crl_inside_revokes,
		REASON_CertificateRevoked},
	{"CRL, old: ASK revoked", M, 2, false, {{0}}, crl_old_revokes, REASON_CertificateRevoked},
	{"CRL: expired", M, 2, false, {{0}}, crl_expired, REASON_CrlExpired},
	{"CRL: not yet valid", M, 2, false, {{0}}, crl_early, REASON_CrlExpired},
	{"CRL: broken", M, 2, false, {{0}}, crl_broken, REASON_CollateralSignatureInvalid},
	{"CRL: another signer", M, 2, false, {{0}}, crl_by_other,
		REASON_CollateralSignatureInvalid},
	{"CRL: of the ASK", M, 2, false, {{0}}, crl_by_ask, REASON_CollateralSignatureInvalid},

	{"current below reported", M, 2, false, {{MORE + 0x3f, 0xff}}, resign_nothing,
		REASON_Malformed},
	{"committed above current", M, 2, false, {{MORE + 0x1e0, 1}}, resign_nothing,
		REASON_Malformed},
	{"launch above reported", M, 2, false, {{MORE + 0x1f7, 1}}, resign_nothing, REASON_Ok},
	{"reserved byte of a TCB", M, 2, false, {{0x1e4, 1}}, resign_nothing, REASON_Malformed},
	{"reserved byte of a TCB, Turin", T, 3, false, {{0x3c, 1}}, resign_nothing,
		REASON_Malformed},
	{"bootloader minimum", M, 2, false, {{0}}, min_bootloader, REASON_TcbBelowMinimum},
	{"TEE minimum", M, 2, false, {{0}}, min_tee, REASON_TcbBelowMinimum},
	{"SNP minimum", M, 2, false, {{0}}, min_snp, REASON_TcbBelowMinimum},
	{"microcode minimum", M, 2, false, {{0}}, min_microcode, REASON_TcbBelowMinimum},
	{"FMC minimum", T, 3, false, {{0}}, min_fmc, REASON_TcbBelowMinimum},
	{"FMC minimum without FMC", M, 2, false, {{0}}, min_fmc, REASON_Ok},
	{"provisional", M, 2, false, {{MORE + 0x3f, 1}}, resign_nothing, REASON_Ok},
	{"provisional, refused", M, 2, false, {{MORE + 0x3f, 1}}, committed_only,
		REASON_PolicyBitsNotAllowed},
	{"committed, asked for", M, 2, false, {{0}}, committed_only, REASON_Ok},

	{"debug", M, 2, false, {{MORE + 0xa, 8}}, resign_nothing, REASON_DebugNotAllowed},
	{"debug, allowed", M, 2, false, {{MORE + 0xa, 8}}, allow_debug, REASON_Ok},
	{"bit 17 is 0", M, 2, false, {{0xa, 1}}, resign_nothing, REASON_PolicyBitsNotAllowed},
	{"bit 26", M, 2, false, {{0xb, 4}}, resign_nothing, REASON_PolicyBitsNotAllowed},
	{"bit 26, required", M, 2, false, {{0xb, 4}}, require_bit_26, REASON_Ok},
	{"bit 63", M, 2, false, {{0xf, 0x80}}, resign_nothing, REASON_PolicyBitsNotAllowed},
	{"bit 25", M, 2, false, {{0xb, 2}}, resign_nothing, REASON_Ok},
	{"migration", M, 2, false, {{MORE + 0xa, 4}}, resign_nothing, REASON_PolicyBitsNotAllowed},
	{"migration, allowed", M, 2, false, {{MORE + 0xa, 4}}, allow_migration, REASON_Ok},
	{"a migration agent", M, 2, false, {{0x160, 1}, {0x161, 2}}, resign_nothing,
		REASON_PolicyBitsNotAllowed},
	{"a migration agent, allowed", M, 2, false, {{0x160, 1}, {0x161, 2}}, allow_migration,
		REASON_Ok},
	{"single socket, wanted", M, 2, false, {{0}}, require_single_socket,
		REASON_PolicyBitsNotAllowed},
	{"single socket", M, 2, false, {{MORE + 0xa, 0x10}}, require_single_socket, REASON_Ok},
	{"SMT, unwanted", M, 2, false, {{0xa, 3}}, forbid_smt, REASON_PolicyBitsNotAllowed},
	{"no SMT", M, 2, false, {{0xa, 2}}, forbid_smt, REASON_Ok},
	{"platform bit 6", M, 2, false, {{0x40, 0x40}}, resign_nothing,
		REASON_PolicyBitsNotAllowed},
	{"platform bit 6, required", M, 2, false, {{0x40, 0x40}}, require_platform_6, REASON_Ok},
	{"no alias check, wanted", M, 2, false, {{0x40, 1}}, require_alias_check,
		REASON_PolicyBitsNotAllowed},
	{"alias check", M, 2, false, {{0x40, 0x21}}, require_alias_check, REASON_Ok},
	{"VMPL 1", M, 2, false, {{0x30, 1}}, resign_nothing, REASON_VmplNotAllowed},
	{"VMPL 1, wanted", M, 2, false, {{0x30, 1}}, vmpl_1, REASON_Ok},
	{"VMPL 0, 1 wanted", M, 2, false, {{0x30, 0}}, vmpl_1, REASON_VmplNotAllowed},
	{"VMPL 256", M, 2, false, {{0x31, 1}}, resign_nothing, REASON_VmplNotAllowed},
	{"report data", M, 2, false, {{0}}, same_data, REASON_Ok},
	{"other report data", M, 2, false, {{0}}, another_data, REASON_ReportDataMismatch},
	{"measured", M, 2, false, {{0}}, accepted, REASON_Ok},
	{"measured otherwise", M, 2, false, {{0}}, not_accepted, REASON_MeasurementNotAllowed},
	{"no measurements", M, 2, false, {{0}}, none_accepted, REASON_MeasurementNotAllowed},
};

static void patch(struct scene *s, const struct patch *p)
{
	for (size_t i = 0; i < 2; i++) {
		unsigned char *at = &s->amd.report[p[i].at % MORE];

		if (p[i].at)
			*at = (unsigned char)(p[i].to + (p[i].at >= MORE ? *at : 0));
	}
}

/* The table's entry of the leaf says the other kind. */
static void swap_slot(const struct scene *s, struct buf *evidence)
{
	static const unsigned char vcek[] = {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad,
		0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd},
				   vlek[] = {0xa8, 0x07, 0x4b, 0xc2, 0xa2, 0x5a, 0x48, 0x3e, 0xaa,
					   0xe6, 0x39, 0xc0, 0x45, 0xa0, 0xb8, 0xa1};
	char *at = memmem(evidence->p + SNP_REPORT, 72, s->amd.vlek ? vlek : vcek, 16);

	if (CHECK_ROW("slot", at, "no entry of the leaf"))
		memcpy(at, s->amd.vlek ? vcek : vlek, 16);
}

static bool stage(struct snp_world *w, struct scene *s)
{
	_cleanup_buf_ struct buf evidence = BUF_INIT(EXTENDED_MAX), ark = BUF_INIT(TEE_DER_MAX);
	_cleanup_(crl_unref_p) struct crl *parsed = NULL;
	bool ok = snp_world_init(w);

	w->time = s->time;
	w->policy = s->policy;
	if (s->no_certs)
		tee_amd_report(&s->amd, &evidence);
	else
		tee_amd_extended(&s->amd, &evidence);
	if (s->leaf_in_other_slot)
		swap_slot(s, &evidence);
	ok = ok && snp_world_open(w, buf_view(&evidence)) == 0;
	tee_amd_ark(&s->amd, &ark);
	if (!s->foreign_ark)
		ok = ok && roots_add(&w->collateral.roots, buf_view(&ark), NULL) == 0;
	tee_amd_crl(&s->amd, &s->list);
	ok = ok && crl_parse(&parsed, buf_view(&s->list), NULL) == 0;
	if (ok && s->with_crl)
		ok = amd_crl_add(&w->collateral.amd, parsed, NULL) == 0;
	if (s->crl_inside)
		w->evidence.certs.crl = buf_view(&s->list);
	return ok;
}

static bool same(const struct verdict *a, const struct verdict *b)
{
	return a->reason == b->reason && strcmp(a->message, b->message) == 0 && a->tcb == b->tcb &&
	       a->crl == b->crl && a->valid_until == b->valid_until &&
	       a->platform_id_len == b->platform_id_len &&
	       memcmp(a->platform_id, b->platform_id, sizeof(a->platform_id)) == 0 &&
	       a->has_snp == b->has_snp && a->product == b->product && a->vlek == b->vlek &&
	       snp_tcb_equal(a->reported_tcb, b->reported_tcb);
}

/* TCB, chip and dates of what is accepted are as they were made. */
static void check_accepted(const char *row, const struct snp_world *w, const struct scene *s)
{
	const struct verdict *v = &w->verdict;
	int64_t until = s->amd.leaf.not_after;

	if ((s->with_crl || s->crl_inside) && s->amd.crl.next_update < until)
		until = s->amd.crl.next_update;
	CHECK_ROW(row, v->valid_until == until, "valid until %lld", (long long)v->valid_until);
	CHECK_ROW(row, v->tcb == TCB_UpToDate && v->has_snp, "TCB %d", (int)v->tcb);
	CHECK_ROW(row, v->product == s->amd.product && v->vlek == s->amd.vlek, "product");
	CHECK_ROW(row, (v->crl == CRL_CHECKED) == (s->with_crl || s->crl_inside), "CRL");
	if (!s->amd.vlek)
		CHECK_ROW(row,
			v->platform_id_len == s->amd.hwid_len &&
				memcmp(v->platform_id, s->amd.hwid, s->amd.hwid_len) == 0,
			"platform");
}

static void all_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scene s = {.time = TEE_NOW, .list = BUF_INIT(TEE_DER_MAX)};
		_cleanup_(verify_cache_free_p) struct verify_cache *cache = NULL;
		struct snp_world w;
		struct verdict first;

		tee_amd(&s.amd, rows[i].product, rows[i].version, rows[i].vlek);
		memcpy(data_of_report, s.amd.report + 0x50, 64);
		memcpy(right.value, s.amd.report + 0x90, 48);
		patch(&s, rows[i].patch);
		rows[i].change(&s);
		if (CHECK_ROW(rows[i].name, stage(&w, &s), "could not be staged") &&
			CHECK_ROW(rows[i].name, verify_cache_new(&cache, 4, NULL) == 0, "cache")) {
			CHECK_ROW(rows[i].name, snp_world_verify(&w, NULL) == rows[i].want,
				"got %s: %s", reason_name(w.verdict.reason), w.verdict.message);
			first = w.verdict;
			if (rows[i].want == REASON_Ok)
				check_accepted(rows[i].name, &w, &s);
			for (int round = 0; round < 2; round++) {
				snp_world_verify(&w, cache);
				CHECK_ROW(rows[i].name, same(&first, &w.verdict),
					"with a cache: %s: %s", reason_name(w.verdict.reason),
					w.verdict.message);
			}
		}
		snp_world_free(&w);
		buf_free(&s.list);
	}
}

/* The cache keeps signatures, and neither dates nor what a new epoch brought. */
static void cache_and_time(void)
{
	struct scene s = {.time = TEE_NOW, .list = BUF_INIT(TEE_DER_MAX)};
	_cleanup_(verify_cache_free_p) struct verify_cache *cache = NULL;
	_cleanup_(crl_unref_p) struct crl *list = NULL;
	struct snp_world w;

	tee_amd(&s.amd, SNP_MILAN, 3, false);
	s.amd.leaf.not_after = TEE_NOW + 10;
	s.amd.crl.revoked[0] = s.amd.intermediate.serial;
	if (!stage(&w, &s) || verify_cache_new(&cache, 4, NULL) < 0)
		return;
	CU_ASSERT_EQUAL(snp_world_verify(&w, cache), REASON_Ok);
	w.time = TEE_NOW + 10;
	CU_ASSERT_EQUAL(snp_world_verify(&w, cache), REASON_Ok);
	w.time = TEE_NOW + 11;
	CU_ASSERT_EQUAL(snp_world_verify(&w, cache), REASON_CertificateExpired);
	w.time = TEE_NOW;
	CU_ASSERT_EQUAL(crl_parse(&list, buf_view(&s.list), NULL), 0);
	CU_ASSERT_EQUAL(amd_crl_add(&w.collateral.amd, list, NULL), 0);
	w.collateral.epoch++;
	CU_ASSERT_EQUAL(snp_world_verify(&w, cache), REASON_CertificateRevoked);
	snp_world_free(&w);
	buf_free(&s.list);
}

/* The host hands out a VCEK of before an update, and the collateral has the right one. */
static void stale_leaf_in_evidence(void)
{
	_cleanup_buf_ struct buf leaf = BUF_INIT(TEE_DER_MAX);
	struct scene s = {.time = TEE_NOW, .list = BUF_INIT(TEE_DER_MAX)};
	struct snp_world w;
	bool ok;

	tee_amd(&s.amd, SNP_MILAN, 3, false);
	tee_amd_leaf(&s.amd, &leaf);
	s.amd.spl[TEE_SPL_MICROCODE]--;
	ok = stage(&w, &s);
	CU_ASSERT_EQUAL(ok ? snp_world_verify(&w, NULL) : REASON_N, REASON_ChipMismatch);
	CU_ASSERT_EQUAL(snp_world_certs(&w, buf_view(&leaf)), 0);
	CU_ASSERT_EQUAL(snp_world_verify(&w, NULL), REASON_Ok);
	snp_world_free(&w);
	buf_free(&s.list);
}

/* VLEKs name no chip: of several for one TCB the one that signed is found, and one that has expired
 * does not hide one that has not. */
static void several_vleks(void)
{
	_cleanup_buf_ struct buf b = BUF_INIT(TEE_DER_MAX);
	struct scene s = {.time = TEE_NOW, .list = BUF_INIT(TEE_DER_MAX), .no_certs = true};
	struct snp_world w;

	tee_amd(&s.amd, SNP_GENOA, 5, true);
	if (!stage(&w, &s))
		return;
	tee_amd_intermediate(&s.amd, &b);
	CU_ASSERT_EQUAL(snp_world_certs(&w, buf_view(&b)), 0);
	for (int i = 0; i < 3; i++) {
		struct tee_amd other = s.amd;

		if (i == 0)
			other.leaf.key = TEE_KEY_OTHER_P384;
		if (i == 1)
			other.leaf.not_after = TEE_NOW - 1;
		buf_reset(&b);
		tee_amd_leaf(&other, &b);
		CU_ASSERT_EQUAL(snp_world_certs(&w, buf_view(&b)), 0);
		CU_ASSERT_EQUAL(snp_world_verify(&w, NULL),
			i == 2 ? REASON_Ok : REASON_QuoteSignatureInvalid);
	}
	CU_ASSERT_EQUAL(w.collateral.amd.n_leaves, 3);
	snp_world_free(&w);
	buf_free(&s.list);
}

const CU_TestInfo snp_cases_tests[] = {
	{"one thing wrong", all_rows},
	{"cache and time", cache_and_time},
	{"an old leaf in the evidence", stale_leaf_in_evidence},
	{"several VLEKs", several_vleks},
	CU_TEST_INFO_NULL,
};
