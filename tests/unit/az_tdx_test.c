/* SPDX-License-Identifier: Apache-2.0
 *
 * Evidence of TDX guests whose paravisor wraps it as Azure's does (az-tdx-vtpm): what one part
 * vouches for of another. All of it is synthetic: there is no recorded evidence of this kind. */
#include "tests/tee/vtpm.h"
#include "tests/unit/test.h"
#include "tests/unit/verify_world.h"

enum { MINE = 0x11, OTHERS = 0x22, UNCOUNTED_STEP = 7 };

/* A VM and its parts. */
struct vm {
	struct tee_intel w;
	struct tee_vtpm vtpm;
	struct buf hcl, quote, message, signature;
	struct tee_vtpm_parts parts;
};

static void vm_free(struct vm *vm)
{
	buf_free(&vm->hcl);
	buf_free(&vm->quote);
	buf_free(&vm->message);
	buf_free(&vm->signature);
}
#define _cleanup_vm_ _cleanup_(vm_free)

static void vm_write(struct vm *vm)
{
	vm_free(vm);
	vm->hcl = vm->quote = vm->message = vm->signature = BUF_INIT(TEE_VTPM_MAX);
	tee_vtpm_hcl(&vm->vtpm, &vm->hcl);
	tee_intel_quote(&vm->w, &vm->quote);
	tee_vtpm_message(&vm->vtpm, &vm->message);
	tee_vtpm_signature(&vm->vtpm, buf_view(&vm->message), &vm->signature);
	vm->parts = (struct tee_vtpm_parts){buf_view(&vm->hcl), buf_view(&vm->quote),
		buf_view(&vm->message), buf_view(&vm->signature)};
}

static void vm_make(struct vm *vm, unsigned version, unsigned char bound)
{
	*vm = (struct vm){0};
	tee_intel_tdx(&vm->w, 4, false);
	tee_vtpm(&vm->vtpm, bound);
	vm->vtpm.version = version;
	tee_vtpm_bind(&vm->vtpm, &vm->w);
	vm_write(vm);
}

/* Judged by what is bound to MINE. */
static void judge(
	struct verdict *v, struct evidence *e, const struct vm *vm, const struct collateral *c)
{
	_cleanup_buf_ struct buf document = BUF_INIT(4 * TEE_VTPM_MAX);
	struct tee_setup s = {.time = TEE_NOW};

	memset(s.report_data, MINE, sizeof(s.report_data));
	s.policy.report_data = s.report_data;
	tee_vtpm_evidence(&vm->vtpm, &vm->parts, &document);
	world_judge(v, e, buf_view(&document), c, &s, NULL);
}

static struct collateral *collateral_of(const struct vm *vm)
{
	const struct tee_setup s = {.time = TEE_NOW};

	return world_collateral(&vm->w, &s);
}

static void test_accepted(void)
{
	for (unsigned version = 1; version <= 2; version++) {
		_cleanup_vm_ struct vm vm;
		_cleanup_(collateral_free_p) struct collateral *c = NULL;
		_cleanup_evidence_ struct evidence e = {0};
		struct verdict v;

		vm_make(&vm, version, MINE);
		c = collateral_of(&vm);
		judge(&v, &e, &vm, c);
		CHECK_ROW("verdict", v.reason == REASON_Ok, "version %u: %s: %s", version,
			reason_name(v.reason), v.message);
		CU_ASSERT(e.tee == TEE_TYPE_TDX && e.has_vtpm && e.pcrs && e.pcrs[32] == 1);
		CU_ASSERT_PTR_EQUAL(evidence_report_data(&e), e.qualifying_data);
	}
}

/* What is changed of a VM, other being another that is as genuine. */
static void quote_of_another(struct vm *vm, const struct vm *other)
{
	vm->parts.quote = other->parts.quote;
}

static void report_of_another(struct vm *vm, const struct vm *other)
{
	vm->parts.hcl = other->parts.hcl;
}

static void vtpm_of_another(struct vm *vm, const struct vm *other)
{
	vm->parts.message = other->parts.message;
	vm->parts.signature = other->parts.signature;
}

static void signature_of_another(struct vm *vm, const struct vm *other)
{
	vm->parts.signature = other->parts.signature;
}

static void all_of_another(struct vm *vm, const struct vm *other)
{
	vm->parts = other->parts;
}

static void pcrs_of_another(struct vm *vm, const struct vm *other)
{
	(void)other;
	vm->vtpm.pcrs[4][0] ^= 1;
}

static void another_signer(struct vm *vm, const struct vm *other)
{
	(void)other;
	vm->vtpm.signer = TEE_KEY_ARK;
	vm_write(vm);
}

/* Who makes the runtime data himself has no TD that vouches for it. */
static void runtime_data_of_ones_own(struct vm *vm, const struct vm *other)
{
	(void)other;
	vm->vtpm.key = vm->vtpm.signer = TEE_KEY_ARK;
	vm_write(vm);
}

static void tail_of_report_data(struct vm *vm, const struct vm *other)
{
	(void)other;
	vm->w.quote.body[520 + 63] = 1;
	vm_write(vm);
}

static void quote_that_is_changed(struct vm *vm, const struct vm *other)
{
	(void)other;
	vm->w.quote.signature = TEE_BIT_TURNED;
	vm_write(vm);
}

static void quote_of_an_enclave(struct vm *vm, const struct vm *other)
{
	unsigned char digest[64];

	(void)other;
	memcpy(digest, vm->w.quote.body + 520, sizeof(digest));
	tee_intel_sgx(&vm->w);
	memcpy(vm->w.quote.body + 320, digest, sizeof(digest));
	vm_write(vm);
}

static void wrapped_snp_report(struct vm *vm, const struct vm *other)
{
	(void)other;
	vm->vtpm.kind = 2;
	vm_write(vm);
}

static void user_data_of_another(struct vm *vm, const struct vm *other)
{
	(void)other;
	memset(vm->vtpm.user_data, OTHERS, sizeof(vm->vtpm.user_data));
	tee_vtpm_bind(&vm->vtpm, &vm->w);
	vm_write(vm);
}

static void debug_td(struct vm *vm, const struct vm *other)
{
	(void)other;
	vm->w.quote.body[120] |= 1;
	vm_write(vm);
}

static void test_swapped(void)
{
	static const struct {
		const char *name;
		void (*change)(struct vm *vm, const struct vm *other);
		enum reason v1, v2; /* by the evidence's version */
	} rows[] = {
		{"a TD's quote of another", quote_of_another, REASON_ReportDataMismatch,
			REASON_ReportDataMismatch},
		{"a report of another", report_of_another, REASON_ReportDataMismatch,
			REASON_ReportDataMismatch},
		/* One vTPM signs for both: only what it is bound to tells them apart. */
		{"a vTPM's quote of another", vtpm_of_another, REASON_ReportDataMismatch,
			REASON_ReportDataMismatch},
		{"all of another", all_of_another, REASON_ReportDataMismatch,
			REASON_ReportDataMismatch},
		{"a signature of another", signature_of_another, REASON_QuoteSignatureInvalid,
			REASON_QuoteSignatureInvalid},
		{"a PCR of another", pcrs_of_another, REASON_QuoteSignatureInvalid,
			REASON_QuoteSignatureInvalid},
		{"another key signs", another_signer, REASON_QuoteSignatureInvalid,
			REASON_QuoteSignatureInvalid},
		{"runtime data of one's own", runtime_data_of_ones_own, REASON_ReportDataMismatch,
			REASON_ReportDataMismatch},
		{"report data with a tail", tail_of_report_data, REASON_ReportDataMismatch,
			REASON_ReportDataMismatch},
		{"a changed quote", quote_that_is_changed, REASON_QuoteSignatureInvalid,
			REASON_QuoteSignatureInvalid},
		{"an enclave's quote", quote_of_an_enclave, REASON_Malformed, REASON_Malformed},
		{"an SNP report", wrapped_snp_report, REASON_Malformed, REASON_Malformed},
		{"user data of another", user_data_of_another, REASON_Ok,
			REASON_ReportDataMismatch},
		{"a TD under debug", debug_td, REASON_DebugNotAllowed, REASON_DebugNotAllowed},
	};

	for (unsigned i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		enum reason want = i % 2 ? rows[i / 2].v2 : rows[i / 2].v1;
		_cleanup_vm_ struct vm vm, other;
		_cleanup_(collateral_free_p) struct collateral *c = NULL;
		_cleanup_evidence_ struct evidence e = {0};
		struct verdict v;

		vm_make(&vm, 1 + i % 2, MINE);
		vm_make(&other, 1 + i % 2, OTHERS);
		c = collateral_of(&vm);
		rows[i / 2].change(&vm, &other);
		judge(&v, &e, &vm, c);
		CHECK_ROW(rows[i / 2].name, v.reason == want, "version %u: %s: %s", 1 + i % 2,
			reason_name(v.reason), v.message);
	}
}

/* Nothing of the report that is wrapped counts: it is a TDREPORT, in whose place the quote came.
 * Nor do the header's other bytes. */
static bool counts(const struct vm *vm, const struct span *part, size_t at)
{
	if (part != &vm->parts.hcl)
		return true;
	return at < 8 || at >= TEE_HCL_HEADER + TEE_HCL_REPORT;
}

static void turn_each(
	struct vm *vm, const char *name, struct span *part, size_t step, const struct collateral *c)
{
	const struct span whole = *part;

	for (size_t bit = 0; bit < 8 * whole.len;
		bit += counts(vm, part, bit / 8) ? step : UNCOUNTED_STEP) {
		_cleanup_buf_ struct buf turned = BUF_INIT(TEE_VTPM_MAX);
		struct evidence e;
		struct verdict v;

		buf_span(&turned, whole);
		turned.p[bit / 8] = (char)(turned.p[bit / 8] ^ 1 << bit % 8);
		*part = buf_view(&turned);
		judge(&v, &e, vm, c);
		CHECK_ROW(name, (v.reason != REASON_Ok) == counts(vm, part, bit / 8), "bit %zu: %s",
			bit, reason_name(v.reason));
		evidence_free(&e);
	}
	*part = whole;
}

static void test_bits(void)
{
	_cleanup_vm_ struct vm vm;
	_cleanup_(collateral_free_p) struct collateral *c = NULL;

	vm_make(&vm, 2, MINE);
	c = collateral_of(&vm);
	turn_each(&vm, "message", &vm.parts.message, 1, c);
	turn_each(&vm, "signature", &vm.parts.signature, 5, c);
	turn_each(&vm, "report", &vm.parts.hcl, 1, c);
	turn_each(&vm, "quote", &vm.parts.quote, 97, c);
}

static void test_cut(void)
{
	_cleanup_vm_ struct vm vm;
	_cleanup_(collateral_free_p) struct collateral *c = NULL;

	vm_make(&vm, 2, MINE);
	c = collateral_of(&vm);
	for (size_t i = 0; i < 4; i++) {
		struct span *part = (struct span *[]){
			&vm.parts.message, &vm.parts.signature, &vm.parts.hcl, &vm.parts.quote}[i];
		const struct span whole = *part;

		for (part->len = 0; part->len < whole.len; part->len++) {
			struct evidence e;
			struct verdict v;

			judge(&v, &e, &vm, c);
			CHECK_ROW("cut", v.reason != REASON_Ok, "part %zu, %zu of %zu bytes", i,
				part->len, whole.len);
			evidence_free(&e);
		}
		*part = whole;
	}
}

CU_TestInfo az_tdx_tests[] = {
	{"evidence whose parts fit together", test_accepted},
	{"parts of another VM", test_swapped},
	{"every bit of what binds them", test_bits},
	{"every length of them", test_cut},
	CU_TEST_INFO_NULL,
};
