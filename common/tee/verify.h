/* SPDX-License-Identifier: Apache-2.0
 *
 * The verdict about evidence: a pure function of evidence, collateral, time and policy. The cache
 * changes cost and nothing else. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/span.h"
#include "common/tee/pck.h"
#include "common/tee/reason.h"
#include "common/tee/snp_report.h"
#include "common/tee/tcb.h"

struct evidence;
struct collateral;

/* What evidence says and policy asks for: bytes of a fixed register. */
struct measurement {
	const char *name; /* "mrenclave", "mrsigner", "mrtd", "rtmr0", "measurement", … */
	unsigned char value[64];
	size_t len;
};

/* One accepted state: all that it names must match. */
struct accepted {
	const char *name; /* of the entry, for messages */
	uint32_t tees;    /* bits 1 << enum tee_type */
	struct measurement *measurements;
	size_t n_measurements;
	int32_t isv_prod_id;   /* SGX; -1: any */
	int32_t min_isv_svn;   /* SGX: at least; 0: any */
	int32_t min_guest_svn; /* SNP */
};

struct verify_policy {
	uint32_t accepted_tcb; /* bits 1 << enum tcb_status, beside UpToDate */
	/* A status other than UpToDate is accepted only if each of its advisories is here. */
	const struct span *accepted_advisories;
	size_t n_accepted_advisories;
	bool allow_debug;
	bool allow_simulated;
	bool require_crl;               /* of SNP; Intel's are always needed */
	uint32_t min_evaluation_number; /* of TCB info and QE identity; 0: any */

	/* TDX. Zero means the default. */
	bool allow_sept_ve;             /* SEPT_VE_DISABLE may be 0 */
	uint64_t td_attributes_allowed; /* 0: SEPT_VE_DISABLE, PKS, PERFMON, LASS, ICSSD, TPA */
	uint64_t xfam_allowed;          /* 0: 0x0006DBE7 */
	bool allow_migration;           /* MIGRATABLE, a service TD, SNP's migration agent */

	/* SNP */
	uint8_t vmpl;
	struct snp_tcb min_tcb;               /* of reported and launch TCB, by component */
	uint64_t snp_required, snp_forbidden; /* policy bits */
	uint64_t platform_required;           /* platform_info bits (ALIAS_CHECK_COMPLETE) */
	bool refuse_provisional;              /* committed below current TCB, as clouds' often is */

	/* What may run; none: not judged here, unless measurements_required, which then refuses.
	 * Each TEE needs entries of its own where there are any; simulated ones are bound by theirs
	 * alone. */
	const struct accepted *accepted;
	size_t n_accepted;
	bool measurements_required;

	const unsigned char *report_data; /* 64 bytes, compared in full; NULL: not judged here */
	int64_t skew_sec;                 /* that issue dates of collateral may lie ahead of time */
};

enum crl_state { CRL_ABSENT, CRL_CHECKED };

/* CRLNumbers of the lists that something was judged by; 0: there was none, or it has none. */
struct crl_numbers {
	int64_t root;   /* of Intel's root */
	int64_t issuer; /* of the PCK CA; of the ARK */
};

enum { VERDICT_ADVISORIES_MAX = 64, VERDICT_MISMATCHES_MAX = 8, PLATFORM_ID_MAX = 64 };

struct mismatch {
	const char *name; /* of the register; a literal or the policy's */
	unsigned char want[64], got[64];
	size_t len;
};

/* Points into evidence, collateral and policy, which must outlive it. */
struct verdict {
	enum reason reason; /* Ok, Simulated: accepted; else why not */
	/* What was wrong, where, what to change; printable ASCII. "" when accepted. */
	char message[480];

	/* What was found, as far as the checks came. */
	enum tcb_status tcb;                              /* merged; TCB_STATUS_N: not judged */
	enum tcb_status platform_tcb, module_tcb, qe_tcb; /* Intel; TCB_STATUS_N: none */
	char tcb_date[21];          /* of the platform's level; "" : unknown */
	uint32_t evaluation_number; /* the smaller of TCB info's and QE identity's */
	struct span advisories[VERDICT_ADVISORIES_MAX]; /* each once */
	size_t n_advisories;
	enum crl_state crl;
	struct crl_numbers lists;
	int64_t valid_until; /* the earliest end of anything it rests on, Unix seconds */
	unsigned char platform_id[PLATFORM_ID_MAX]; /* platform instance id or PPID; chip id */
	size_t platform_id_len;
	struct mismatch mismatches[VERDICT_MISMATCHES_MAX];
	size_t n_mismatches;

	/* What a re-evaluation against new collateral needs. */
	bool has_pck;
	struct pck pck;
	unsigned char leaf_serial[CERT_SERIAL_MAX];
	size_t leaf_serial_len;
	unsigned char issuer_serial[CERT_SERIAL_MAX]; /* of who issued the leaf */
	size_t issuer_serial_len;
	uint16_t qe_svn;
	bool has_snp;
	enum snp_product product;
	bool vlek;
	struct snp_tcb reported_tcb;
};

/* Before anything was looked at. */
static inline struct verdict verdict_none(void)
{
	return (struct verdict){
		.reason = REASON_Internal,
		.tcb = TCB_STATUS_N,
		.platform_tcb = TCB_STATUS_N,
		.module_tcb = TCB_STATUS_N,
		.qe_tcb = TCB_STATUS_N,
		.valid_until = INT64_MAX,
	};
}

static inline bool verdict_accepted(const struct verdict *v)
{
	return v->reason == REASON_Ok || v->reason == REASON_Simulated;
}

/* Certificate chains and attestation keys already verified under one epoch of collateral. One
 * thread at a time. Bounded; chosen by hash of what was verified. */
struct verify_cache;
int verify_cache_new(struct verify_cache **ret, size_t max_entries, struct error *err);
void verify_cache_free(struct verify_cache *c); /* NULL allowed */
DEFINE_CLEANUP(struct verify_cache *, verify_cache_free)

/* 2023-01-01 and 10000-01-01, Unix seconds: a time outside comes from a clock that was never set.
 */
#define VERIFY_TIME_MIN 1672531200ll
#define VERIFY_TIME_END 253402300800ll

struct verify_input {
	const struct evidence *evidence;
	const struct collateral *collateral;
	const struct verify_policy *policy;
	int64_t time; /* Unix seconds: the one time of this verification */
};

/* Always gives a verdict: anything unknown, missing or out of memory is a refusal. cache may be
 * NULL. Order: shape, chain, revocation, dates, collateral, signatures, TCB, then policy (debug
 * first, report data last), so that the reason is the most basic one. */
void verify(const struct verify_input *in, struct verify_cache *cache, struct verdict *ret);

/* For the parts (intel.c, snp.c, simulated.c): refuses, and returns -EACCES. */
int verdict_refuse(struct verdict *v, enum reason reason, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The same for want of memory. */
int verdict_refuse_oom(struct verdict *v);
/* Lowers valid_until. */
void verdict_until(struct verdict *v, int64_t end);
/* A list with a lower number than was seen of its issuer hides what was revoked since: refuses. 0
 * or -EACCES. */
int verdict_judge_list(struct verdict *v, const char *issuer, int64_t number, int64_t seen);
/* Adds an advisory unless it is there. -E2BIG refuses. */
int verdict_advise(struct verdict *v, struct span advisory);
/* TCB status and advisories, which come before a policy's other questions. 0 or -EACCES. */
int verdict_judge_tcb(struct verdict *v, const struct verify_input *in);
/* What every kind of evidence is judged by in the end: TCB status and advisories, then measurements
 * (those of the evidence, named), then report data. 0 or -EACCES. */
int verdict_judge(
	struct verdict *v, const struct verify_input *in, const struct measurement *got, size_t n);
