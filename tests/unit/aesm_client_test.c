/* SPDX-License-Identifier: Apache-2.0
 *
 * Quotes from a fake AESM that keeps to the rules, and from one that does not. Deadlines are either
 * so long that they are not met, or met for sure because the fake says nothing. */
#include "nodeagent/evidence/aesm_client.h"

#include <errno.h>

#include "common/base/clock.h"
#include "common/tee/quote.h"
#include "tests/unit/fake_aesmd.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

enum { LONG_USEC = 60 * USEC_PER_SEC, SHORT_USEC = 50 * USEC_PER_MSEC };

static int ask(struct fake_aesmd *f, struct span *golden, struct buf *quote, struct error *err)
{
	const struct aesm_client c = {
		.socket = fake_aesmd_socket(f),
		.call_usec = LONG_USEC,
		.total_usec = LONG_USEC,
		.pause_usec = 1000,
		.report = fake_aesmd_report,
		.ctx = golden,
	};

	*err = (struct error){0};
	return aesm_quote(&c, quote, err);
}

static void test_golden(void)
{
	struct span golden = vector("dcap-qvl/sgx_quote");
	_cleanup_fake_aesmd_ struct fake_aesmd *f = fake_aesmd_start(golden);
	_cleanup_buf_ struct buf quote = BUF_INIT(QUOTE_MAX);
	struct error err;
	int r = ask(f, &golden, &quote, &err);

	CHECK_ROW("golden", r == 0, "%d %s", r, err.message);
	CHECK_ROW("golden", span_equal(buf_view(&quote), golden), "%zu bytes, not %zu", quote.len,
		golden.len);
	for (int i = 0; i < AESM_STEP_N; i++)
		CU_ASSERT_EQUAL(fake_aesmd_asked(f, (enum aesm_step)i), 1);
}

/* What the plan makes of it, and how often InitQuoteEx was asked for. */
static const struct {
	const char *name;
	struct fake_aesmd_plan plan;
	int want;
	unsigned inits;
	const char *message;
} plans[] = {
	{"slow", {.step = AESM_QUOTE, .way = FAKE_SLOW}, 0, 1, NULL},
	{"oversize", {.step = AESM_INIT_QUOTE, .way = FAKE_OVERSIZE}, -EMSGSIZE, 1,
		"16777216 bytes"},
	{"no bytes", {.step = AESM_KEY_IDS, .way = FAKE_EMPTY}, -EBADMSG, 0, "no bytes"},
	{"another answer", {.step = AESM_QUOTE_SIZE, .way = FAKE_OTHER}, -EBADMSG, 1,
		"something else"},
	{"another answer to the last", {.step = AESM_QUOTE, .way = FAKE_OTHER}, -EBADMSG, 1,
		"something else"},
	{"noise", {.step = AESM_QUOTE, .way = FAKE_NOISE}, -EBADMSG, 1, "no valid protobuf"},
	{"unknown", {.step = AESM_KEY_ID_NUM, .way = FAKE_UNKNOWN}, -EOPNOTSUPP, 0, "update it"},
	{"deaf", {.step = AESM_KEY_ID_NUM, .way = FAKE_DEAF}, -EAGAIN, 0, "closed the connection"},
	{"no keys", {.no_keys = true}, -EOPNOTSUPP, 0, "no attestation keys"},
	{"no ECDSA", {.no_ecdsa = true}, -EOPNOTSUPP, 0, "no ECDSA P-256"},
	{"another report's quote", {.other_quote = true}, -EBADMSG, 1, "another report"},
	{"a quote cut", {.short_quote = true}, -EBADMSG, 1, "cut"},
	{"parameter", {.step = AESM_INIT_QUOTE, .code = 3, .times = 99}, -EREMOTEIO, 1, "error 3"},
	{"not for this QE", {.step = AESM_QUOTE, .code = 47, .times = 99}, -EREMOTEIO, 1,
		"same machine"},
	{"no certificates", {.step = AESM_INIT_QUOTE, .code = 44, .times = 99}, -EREMOTEIO, 1,
		"pccs_url"},
	{"no EPC", {.step = AESM_QUOTE, .code = 29, .times = 1}, -EAGAIN, 1, "no free EPC"},
	{"unheard of", {.step = AESM_QUOTE, .code = 9999, .times = 99}, -EREMOTEIO, 1,
		"error 9999"},
	{"network twice", {.step = AESM_INIT_QUOTE, .code = 12, .times = 2}, 0, 3, NULL},
	{"network busy", {.step = AESM_QUOTE, .code = 13, .times = 1}, 0, 2, NULL},
	{"busy", {.step = AESM_KEY_ID_NUM, .code = 18, .times = 3}, 0, 1, NULL},
	{"enclave lost", {.step = AESM_QUOTE_SIZE, .code = 46, .times = 1}, 0, 2, NULL},
	{"key lost", {.step = AESM_QUOTE, .code = 42, .times = 1}, 0, 2, NULL},
	{"key lost at once", {.step = AESM_QUOTE_SIZE, .code = 42, .times = 1}, 0, 2, NULL},
	{"key lost twice", {.step = AESM_QUOTE, .code = 42, .times = 2}, -EAGAIN, 2,
		"not initialised"},
	{"busy for good", {.step = AESM_QUOTE, .code = 18, .times = 99}, -EAGAIN, 8, "busy"},
};

static void test_plans(void)
{
	struct span golden = vector("dcap-qvl/sgx_quote");
	_cleanup_fake_aesmd_ struct fake_aesmd *f = fake_aesmd_start(golden);

	for (size_t i = 0; i < ARRAY_SIZE(plans); i++) {
		_cleanup_buf_ struct buf quote = BUF_INIT(QUOTE_MAX);
		struct error err;
		unsigned n;
		int r;

		fake_aesmd_plan(f, &plans[i].plan);
		r = ask(f, &golden, &quote, &err);
		n = fake_aesmd_asked(f, AESM_INIT_QUOTE);
		CHECK_ROW(plans[i].name, r == plans[i].want, "%d %s", r, err.message);
		CHECK_ROW(plans[i].name, n == plans[i].inits, "asked %u times", n);
		if (r == 0)
			CHECK_ROW(plans[i].name, span_equal(buf_view(&quote), golden),
				"another quote");
		else
			CHECK_ROW(plans[i].name,
				quote.len == 0 && err.code == r &&
					strstr(err.message, plans[i].message),
				"%zu bytes; message: %s", quote.len, err.message);
	}
}

/* The connection ends at each byte of each answer; in the quote, with strides. */
static void test_cut(void)
{
	static const size_t lengths[AESM_STEP_N] = {11, 525, 560, 12, 4677};
	struct span golden = vector("dcap-qvl/sgx_quote");
	_cleanup_fake_aesmd_ struct fake_aesmd *f = fake_aesmd_start(golden);

	for (int step = 0; step < AESM_STEP_N; step++) {
		struct fake_aesmd_plan plan = {.step = (enum aesm_step)step, .way = FAKE_CUT};
		size_t stride = step == AESM_QUOTE ? 13 : 1;
		struct error err = {0};
		int r = -EAGAIN;

		for (; plan.cut <= lengths[step] + stride && r == -EAGAIN; plan.cut += stride) {
			_cleanup_buf_ struct buf quote = BUF_INIT(QUOTE_MAX);

			fake_aesmd_plan(f, &plan);
			r = ask(f, &golden, &quote, &err);
			if (r == -EAGAIN)
				CHECK_ROW(aesm_step_name(plan.step),
					strstr(err.message, "closed") && quote.len == 0, "%s",
					err.message);
		}
		/* The first that was not cut. */
		plan.cut -= stride;
		CHECK_ROW(aesm_step_name(plan.step),
			r == 0 && plan.cut >= lengths[step] && plan.cut < lengths[step] + stride,
			"%d after %zu bytes: %s", r, plan.cut, err.message);
	}
}

static void test_silent(void)
{
	struct span golden = vector("dcap-qvl/sgx_quote");

	for (int step = 0; step < AESM_STEP_N; step++) {
		const struct fake_aesmd_plan plan = {
			.step = (enum aesm_step)step, .way = FAKE_SILENT};
		_cleanup_fake_aesmd_ struct fake_aesmd *f = fake_aesmd_start(golden);
		struct aesm_client c = {
			.socket = fake_aesmd_socket(f),
			.call_usec = step % 2 ? SHORT_USEC : LONG_USEC,
			.total_usec = step % 2 ? LONG_USEC : SHORT_USEC,
			.report = fake_aesmd_report,
			.ctx = &golden,
		};
		_cleanup_buf_ struct buf quote = BUF_INIT(QUOTE_MAX);
		struct error err = {0};
		int r;

		fake_aesmd_plan(f, &plan);
		r = aesm_quote(&c, &quote, &err);
		CHECK_ROW(aesm_step_name((enum aesm_step)step),
			r == -EAGAIN && strstr(err.message, "in time"), "%d %s", r, err.message);
	}
}

static int no_report(void *ctx, const unsigned char target_info[AESM_TARGET_INFO],
	unsigned char ret_report[AESM_REPORT], struct error *err)
{
	(void)ctx;
	(void)target_info;
	(void)ret_report;
	return error_set(err, -EIO, "no enclave");
}

static void test_nobody(void)
{
	struct span golden = vector("dcap-qvl/sgx_quote");
	_cleanup_fake_aesmd_ struct fake_aesmd *f = fake_aesmd_start(golden);
	_cleanup_buf_ struct buf quote = BUF_INIT(QUOTE_MAX);
	char path[120];
	struct aesm_client c = {.socket = "/tmp/casemate-test-none/aesm.socket",
		.report = no_report,
		.ctx = &golden};
	struct error err = {0};

	CU_ASSERT_EQUAL(aesm_quote(&c, &quote, &err), -EAGAIN);
	CHECK_ROW("nobody", strstr(err.message, "install and start aesmd"), "%s", err.message);
	memset(path, 'p', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	c.socket = path;
	CU_ASSERT_EQUAL(aesm_quote(&c, &quote, &err), -EINVAL);
	c.socket = fake_aesmd_socket(f);
	CU_ASSERT_EQUAL(aesm_quote(&c, &quote, &err), -EIO);
	CHECK_ROW("no report", strcmp(err.message, "no enclave") == 0, "%s", err.message);
}

CU_TestInfo aesm_client_tests[] = {
	{"the golden quote", test_golden},
	{"errors, retries, nonsense", test_plans},
	{"cut at every byte", test_cut},
	{"silence", test_silent},
	{"nobody there", test_nobody},
	CU_TEST_INFO_NULL,
};
