/* SPDX-License-Identifier: Apache-2.0
 *
 * An SGX host's evidence from the agent's side: a job on its thread, an AESM that is a fake, a
 * report that is a real quote's. */
#include "nodeagent/evidence/sgx.h"

#include <errno.h>

#include "common/base/clock.h"
#include "common/tee/quote.h"
#include "nodeagent/attest/round.h"
#include "tests/unit/fake_aesmd.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

enum { PATIENCE_USEC = 60 * USEC_PER_SEC };
#define DEVICE "/host/dev/sgx_enclave"

static int golden_report(const char *device,
	const unsigned char target_info[EXCHANGE_TARGET_INFO_SIZE],
	const unsigned char report_data[EXCHANGE_REPORT_DATA_SIZE],
	unsigned char ret_report[EXCHANGE_REPORT_SIZE], struct error *err)
{
	struct span golden = vector("dcap-qvl/sgx_quote");

	if (strcmp(device, DEVICE) != 0 || report_data[0] != 7 || report_data[63] != 9)
		return error_set(err, -EIO, "asked for something else");
	return fake_aesmd_report(&golden, target_info, ret_report, err);
}

struct wait {
	bool done;
	int r;
	char quote[QUOTE_MAX];
	size_t len;
	struct error err;
};

static void on_done(void *ctx, int r, struct span evidence, const struct error *err)
{
	struct wait *w = ctx;

	w->done = true;
	w->r = r;
	w->err = *err;
	w->len = evidence.len;
	if (evidence.len && evidence.len <= sizeof(w->quote))
		memcpy(w->quote, evidence.p, evidence.len);
}

static void run_job(struct wait *w, const struct sgx_source *source)
{
	struct evidence_request q = {.source = EVIDENCE_SGX, .sgx = *source};
	int64_t until = clock_monotonic_usec() + PATIENCE_USEC;
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	_cleanup_(loop_queue_free_p) struct loop_queue *queue = NULL;
	struct evidence_job *job = NULL;
	struct error err = {0};

	*w = (struct wait){0};
	q.report_data[0] = 7;
	q.report_data[63] = 9;
	sd_event_new(&event);
	loop_queue_new(&queue, event, 8);
	if (!CHECK_ROW("start", evidence_start(&job, queue, &q, on_done, w, &err) == 0, "%s",
		    err.message))
		return;
	while (!w->done && clock_monotonic_usec() < until)
		sd_event_run(event, USEC_PER_SEC / 10);
	if (!CHECK_ROW("job", w->done, "not done in time"))
		evidence_abandon(job);
}

static void test_job(void)
{
	struct span golden = vector("dcap-qvl/sgx_quote");
	_cleanup_fake_aesmd_ struct fake_aesmd *f = fake_aesmd_start(golden);
	struct sgx_source source = {.device = DEVICE, .report = golden_report};
	struct fake_aesmd_plan plan = {.step = AESM_QUOTE, .code = 47, .times = 1};
	static struct wait w;

	snprintf(source.socket, sizeof(source.socket), "%s", fake_aesmd_socket(f));
	run_job(&w, &source);
	CHECK_ROW("quote", w.r == 0 && span_equal((struct span){w.quote, w.len}, golden),
		"%d, %zu bytes: %s", w.r, w.len, w.err.message);
	fake_aesmd_plan(f, &plan);
	run_job(&w, &source);
	CHECK_ROW("refused", w.r == -EREMOTEIO && w.len == 0 && strstr(w.err.message, "error 47"),
		"%d %s", w.r, w.err.message);
}

/* With the enclave that is loaded for real, where there is no device for it. */
static void test_missing(void)
{
	struct span golden = vector("dcap-qvl/sgx_quote");
	_cleanup_fake_aesmd_ struct fake_aesmd *f = fake_aesmd_start(golden);
	struct sgx_source source = {.device = "/dev/casemate-none"};
	static struct wait w;

	run_job(&w, &source);
	CHECK_ROW("no AESM", w.r == -ENOTSUP && strstr(w.err.message, "set aesm.socket"), "%d %s",
		w.r, w.err.message);
	snprintf(source.socket, sizeof(source.socket), "%s", fake_aesmd_socket(f));
	run_job(&w, &source);
	CHECK_ROW("no device",
		w.r == -ENOENT && strstr(w.err.message, "/dev/casemate-none: ") && w.len == 0,
		"%d %s", w.r, w.err.message);
}

static void test_paths(void)
{
	static const struct {
		const char *sysroot, *socket, *want_socket, *want_device;
	} rows[] = {
		{NULL, "/var/run/aesmd/aesm.socket", "/var/run/aesmd/aesm.socket", "/dev/x"},
		{"/", "/aesm", "/aesm", "/dev/x"},
		{"/host", "/aesm", "/host/aesm", "/host/dev/x"},
		{"/host", "", "", "/host/dev/x"},
	};
	char longest[120];
	struct sgx_source s;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		sgx_source_set(&s, rows[i].sysroot, rows[i].socket, "/dev/x");
		CHECK_STR("socket", span_str(s.socket), rows[i].want_socket);
		CHECK_STR("device", span_str(s.device), rows[i].want_device);
	}
	memset(longest, 'p', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	sgx_source_set(&s, "", longest, "/dev/x");
	CHECK_STR("too long", span_str(s.socket), "");
}

static void test_platform(void)
{
	struct platform p = {.enclave_ok = true,
		.aesm_ok = true,
		.epc_bytes = 4096,
		.enclave_device = "/dev/sgx_enclave",
		.aesm_socket = "/var/run/aesmd/aesm.socket"};
	struct round_platform r;

	round_platform_of(&r, &p, "/host", true);
	CU_ASSERT_EQUAL(r.source, EVIDENCE_SGX);
	CHECK_STR("name", span_str(r.name), "sgx");
	CHECK_STR("socket", span_str(r.sgx.socket), "/host/var/run/aesmd/aesm.socket");
	CHECK_STR("device", span_str(r.sgx.device), DEVICE);
	CHECK_STR("source", span_str(evidence_source_name(r.source)), "aesm");
	p.simulated = true;
	round_platform_of(&r, &p, "/host", true);
	CU_ASSERT_EQUAL(r.source, EVIDENCE_SIMULATED);
	p.simulated = false;
	p.tdx_guest = true;
	round_platform_of(&r, &p, "/host", true);
	CU_ASSERT_EQUAL(r.source, EVIDENCE_TSM);
	CHECK_STR("name", span_str(r.name), "tdx");
	CHECK_STR("source", span_str(evidence_source_name(r.source)), "tsm");
	CHECK_STR("root", span_str(r.tsm_root), "/host/sys/kernel/config/tsm/report");
	round_platform_of(&r, &p, "/", true);
	CHECK_STR("root", span_str(r.tsm_root), "/sys/kernel/config/tsm/report");
	p.tdx_guest = false;
	p.snp_guest = true;
	round_platform_of(&r, &p, NULL, true);
	CU_ASSERT_EQUAL(r.source, EVIDENCE_TSM);
	CHECK_STR("name", span_str(r.name), "snp");
	CHECK_STR("root", span_str(r.tsm_root), "/sys/kernel/config/tsm/report");
}

/* What a node is said to be, that is several things. */
static void test_which_is_said(void)
{
	static const struct {
		const char *what;
		struct platform p;
		bool sgx_evidence;
		const char *name;
		enum evidence_source source;
		int64_t cvm_slots;
	} rows[] = {
		{"sgx", {.enclave_ok = true}, true, "sgx", EVIDENCE_SGX, -1},
		{"sgx, unproven", {.enclave_ok = true}, false, "sgx", EVIDENCE_NONE, -1},
		{"sgx and host", {.enclave_ok = true, .tdx_host = true, .tdx_keys = 15}, true,
			"sgx", EVIDENCE_SGX, 15},
		{"unproven sgx and host", {.enclave_ok = true, .tdx_host = true, .tdx_keys = 15},
			false, "tdx-host", EVIDENCE_NONE, 15},
		{"host", {.snp_host = true}, false, "snp-host", EVIDENCE_NONE, 0},
		{"guest and host", {.tdx_guest = true, .tdx_host = true}, true, "tdx", EVIDENCE_TSM,
			0},
		{"simulated", {.simulated = true, .enclave_ok = true, .tdx_host = true}, false,
			"simulated", EVIDENCE_SIMULATED, 0},
		{"nothing", {0}, true, "", EVIDENCE_NONE, -1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct round_platform r;

		round_platform_of(&r, &rows[i].p, "", rows[i].sgx_evidence);
		CHECK_STR(rows[i].what, span_str(r.name), rows[i].name);
		CHECK_ROW(rows[i].what,
			r.source == rows[i].source && r.cvm_slots == rows[i].cvm_slots,
			"source %s, %lld slots", evidence_source_name(r.source),
			(long long)r.cvm_slots);
	}
}

CU_TestInfo sgx_evidence_tests[] = {
	{"a job's quote", test_job},
	{"what is missing", test_missing},
	{"paths", test_paths},
	{"which platform", test_platform},
	{"which platform of several", test_which_is_said},
	CU_TEST_INFO_NULL,
};
