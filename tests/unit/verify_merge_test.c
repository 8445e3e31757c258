/* SPDX-License-Identifier: Apache-2.0
 *
 * What platform, TDX module and quoting enclave come to together, against a table written by hand
 * from Intel's (DCAP quote verification library, TcbStatus convergence). */
#include "tests/unit/verify_world.h"
#include "tests/unit/test.h"

static const struct status {
	char letter;
	const char *name;
	enum tcb_status status;
	enum reason reason;
} statuses[] = {
	{'U', "UpToDate", TCB_UpToDate, REASON_Ok},
	{'S', "SWHardeningNeeded", TCB_SWHardeningNeeded, REASON_TcbSwHardeningNeeded},
	{'C', "ConfigurationNeeded", TCB_ConfigurationNeeded, REASON_TcbConfigurationNeeded},
	{'B', "ConfigurationAndSWHardeningNeeded", TCB_ConfigurationAndSWHardeningNeeded,
		REASON_TcbConfigurationAndSwHardeningNeeded},
	{'O', "OutOfDate", TCB_OutOfDate, REASON_TcbOutOfDate},
	{'D', "OutOfDateConfigurationNeeded", TCB_OutOfDateConfigurationNeeded,
		REASON_TcbOutOfDateConfigurationNeeded},
	{'R', "Revoked", TCB_Revoked, REASON_TcbRevoked},
	{'N', "NotSupported", TCB_NotSupported, REASON_TcbNotSupported},
};

static const struct status *status_of(char letter)
{
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (statuses[i].letter == letter)
			return &statuses[i];
	return NULL;
}

/* By platform; one word by module (UpToDate, OutOfDate, Revoked), one letter of it by quoting
 * enclave (the same). */
static const char *const merged[][4] = {
	{"U", "UOR", "OOR", "RRR"},
	{"S", "SOR", "OOR", "RRR"},
	{"C", "CDR", "DDR", "RRR"},
	{"B", "BDR", "DDR", "RRR"},
	{"O", "OOR", "OOR", "RRR"},
	{"D", "DDR", "DDR", "RRR"},
	{"R", "RRR", "RRR", "RRR"},
};
static const char parts[] = "UOR";

struct told {
	enum tcb_status tcb, platform, module, qe;
	enum reason reason;
};

static void check(const char *row, const struct tee_intel *w, struct told want)
{
	struct tee_setup s = {.time = TEE_NOW};
	_cleanup_(collateral_free_p) struct collateral *c = world_collateral(w, &s);
	_cleanup_buf_ struct buf quote = BUF_INIT(TEE_QUOTE_MAX);
	struct evidence e = {0};
	struct verdict v;

	tee_intel_quote(w, &quote);
	if (!c)
		return;
	world_judge(&v, &e, buf_view(&quote), c, &s, NULL);
	CHECK_ROW(row,
		v.tcb == want.tcb && v.platform_tcb == want.platform &&
			v.module_tcb == want.module && v.qe_tcb == want.qe,
		"%s of platform %s, module %s, QE %s",
		v.tcb < TCB_STATUS_N ? tcb_status_name(v.tcb) : "none",
		v.platform_tcb < TCB_STATUS_N ? tcb_status_name(v.platform_tcb) : "none",
		v.module_tcb < TCB_STATUS_N ? tcb_status_name(v.module_tcb) : "none",
		v.qe_tcb < TCB_STATUS_N ? tcb_status_name(v.qe_tcb) : "none");
	CHECK_ROW(row, v.reason == want.reason, "%s: %s", reason_name(v.reason), v.message);
	evidence_free(&e);
}

static void test_of_a_td(void)
{
	for (size_t p = 0; p < ARRAY_SIZE(merged); p++) {
		for (size_t m = 0; m < 3; m++) {
			for (size_t q = 0; q < 3; q++) {
				const struct status *platform = status_of(merged[p][0][0]),
						    *module = status_of(parts[m]),
						    *qe = status_of(parts[q]),
						    *want = status_of(merged[p][1 + m][q]);
				struct tee_intel w;
				char row[64];

				tee_intel_tdx(&w, 5, false);
				w.tcb_info.d.levels[0].status = platform->name;
				w.tcb_info.modules[2].levels[0].status = module->name;
				w.qe.d.levels[0].status = qe->name;
				snprintf(row, sizeof(row), "platform %c, module %c, QE %c",
					platform->letter, module->letter, qe->letter);
				check(row, &w,
					(struct told){want->status, platform->status,
						module->status, qe->status, want->reason});
			}
		}
	}
}

static void test_of_an_enclave(void)
{
	for (size_t p = 0; p < ARRAY_SIZE(merged); p++) {
		for (size_t q = 0; q < 3; q++) {
			/* as with a module that is up to date */
			const struct status *platform = status_of(merged[p][0][0]),
					    *qe = status_of(parts[q]),
					    *want = status_of(merged[p][1][q]);
			struct tee_intel w;
			char row[64];

			tee_intel_sgx(&w);
			w.tcb_info.d.levels[0].status = platform->name;
			w.qe.d.levels[0].status = qe->name;
			snprintf(row, sizeof(row), "platform %c, QE %c", platform->letter,
				qe->letter);
			check(row, &w,
				(struct told){want->status, platform->status, TCB_STATUS_N,
					qe->status, want->reason});
		}
	}
}

/* A part without a level is not made good by the others, and never accepted. */
static void test_no_level(void)
{
	for (size_t p = 0; p < ARRAY_SIZE(merged); p++) {
		const struct status *platform = status_of(merged[p][0][0]), *want = status_of('N');
		struct tee_intel w;

		tee_intel_tdx(&w, 4, false);
		w.tcb_info.d.levels[0].status = platform->name;
		w.quote.body[0] = 1; /* the module */
		check("no level of the module", &w,
			(struct told){want->status, platform->status, TCB_NotSupported,
				TCB_UpToDate, want->reason});
		tee_intel_tdx(&w, 4, false);
		w.tcb_info.d.levels[0].status = platform->name;
		tee_put(w.quote.qe + 258, 2, 0);
		check("no level of the QE", &w,
			(struct told){want->status, platform->status, TCB_UpToDate,
				TCB_NotSupported, want->reason});
	}
}

const CU_TestInfo verify_merge_tests[] = {
	{"platform, module and QE of a TD", test_of_a_td},
	{"platform and QE of an enclave", test_of_an_enclave},
	{"no level matches", test_no_level},
	CU_TEST_INFO_NULL,
};
