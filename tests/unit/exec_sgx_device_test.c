/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/exec/sgx/device.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/cleanup.h"
#include "common/tee/quote.h"
#include "tests/tee/intel_world.h"
#include "tests/unit/test.h"
#include "tests/unit/tree.h"

enum { REPORT_DATA_AT = QUOTE_HEADER + 320 };

static void make_quote(struct buf *out, bool tdx)
{
	struct tee_intel w;

	if (tdx)
		tee_intel_tdx(&w, 4, false);
	else
		tee_intel_sgx(&w);
	tee_intel_quote(&w, out);
}

static const unsigned char *report_data(const struct buf *quote)
{
	return (const unsigned char *)quote->p + REPORT_DATA_AT;
}

static void test_quotes(void)
{
	_cleanup_buf_ struct buf good = BUF_INIT(TEE_QUOTE_MAX), guest = BUF_INIT(TEE_QUOTE_MAX);
	unsigned char data[SGX_DEVICE_REPORT_DATA];
	struct error err = {0};

	make_quote(&good, false);
	make_quote(&guest, true);
	CU_ASSERT_EQUAL(sgx_device_check(buf_view(&good), report_data(&good), &err), 0);
	for (size_t bit = 0; bit < 8 * sizeof(data); bit++) {
		memcpy(data, report_data(&good), sizeof(data));
		data[bit / 8] ^= (unsigned char)(1u << bit % 8);
		CHECK_ROW("a bit of the report data",
			sgx_device_check(buf_view(&good), data, &err) == -EBADMSG &&
				strstr(err.message, "other report data"),
			"%zu: %s", bit, err.message);
	}
	CU_ASSERT_EQUAL(sgx_device_check(buf_view(&guest), data, &err), -EBADMSG);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "TDX guest"));
	for (size_t n = 0; n < good.len; n++) {
		_cleanup_free_ char *cut = malloc(n + 1);

		if (!cut)
			return;
		memcpy(cut, good.p, n);
		CHECK_ROW("a cut quote",
			sgx_device_check((struct span){cut, n}, data, NULL) == -EBADMSG, "%zu", n);
	}
}

static void test_types(void)
{
	static const struct {
		const char *step;
		int want;
		const char *says;
	} rows[] = {
		{"f /attestation_type dcap", 0, NULL},
		{"f /attestation_type dcap\n", 0, NULL},
		{"f /attestation_type none", -ENOTSUP, "is none"},
		{"f /attestation_type epid", -ENOTSUP, "is epid"},
		{"f /attestation_type dcap ", -ENOTSUP, "is no word"},
		{"f /attestation_type ", -ENOTSUP, "is no word"},
		{"- /attestation_type", -ENOTSUP, "no such file, nor a device /dev/null/sgx"},
	};
	struct sgx_device d;
	struct tree t = {0};

	if (!tree_new(&t))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct error err = {0};
		int r;

		tree_step(&t, rows[i].step);
		r = sgx_device_find(&d, t.root, "/dev/null/sgx", &err);
		CHECK_ROW(rows[i].step,
			r == rows[i].want && (!rows[i].says || strstr(err.message, rows[i].says)),
			"%d: %s", r, err.message);
	}
	tree_free(&t);
}

/* The quote is a file that is there already: the report data is not this one's. */
static void test_files(void)
{
	static const unsigned char data[SGX_DEVICE_REPORT_DATA] = "x";
	static const struct {
		const char *step;
		int want;
		const char *says;
	} rows[] = {
		{"f /other x", -ENOENT, "/user_report_data: No such file"},
		{"f /user_report_data ", -EAGAIN, "/quote: No such file"},
		{"d /quote", -EAGAIN, "/quote: Is a directory"},
		{"- /quote", -EAGAIN, "gives the enclave no quote"},
		{"f /quote ", -EBADMSG, "/quote: it is empty"},
		{"f /quote x", -EBADMSG, "/quote: "},
	};
	struct tree t = {0};

	if (!tree_new(&t))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf quote = BUF_INIT(QUOTE_MAX);
		struct error err = {0};
		int r;

		tree_step(&t, rows[i].step);
		r = sgx_device_quote(&quote, &(struct sgx_device){.path = t.root}, data, &err);
		CHECK_ROW(rows[i].step, r == rows[i].want && strstr(err.message, rows[i].says),
			"%d: %s", r, err.message);
	}
	CHECK_STR("what was written", span_str(tree_text(&t, "/user_report_data")), "x");
	tree_free(&t);
}

/* Devices that are not Occlum's. */
static void test_devices(void)
{
	static const unsigned char data[SGX_DEVICE_REPORT_DATA] = "x";
	_cleanup_buf_ struct buf quote = BUF_INIT(QUOTE_MAX);
	struct error err = {0};
	struct sgx_device d;

	CU_ASSERT_EQUAL(sgx_device_find(&d, "/dev/null/attestation", "/dev/null", &err), 0);
	CU_ASSERT(d.occlum && strcmp(d.path, "/dev/null") == 0);
	CU_ASSERT_EQUAL(sgx_device_quote(&quote, &d, data, &err), -ENOTSUP);
	CHECK_STR("no quotes", span_str(err.message),
		"/dev/null: makes no quotes: want Occlum's, built with DCAP");
	CU_ASSERT_EQUAL(sgx_device_find(&d, "/dev/null/attestation", "/proc/self", &err), -ENOTSUP);
	d.path = "/dev/null/sgx";
	CU_ASSERT_EQUAL(sgx_device_quote(&quote, &d, data, &err), -ENOTDIR);
	CU_ASSERT_EQUAL(quote.len, 0);
}

const CU_TestInfo exec_sgx_device_tests[] = {
	{"quotes, whole, changed and cut", test_quotes},
	{"how the enclave attests", test_types},
	{"files that are missing or wrong", test_files},
	{"devices", test_devices},
	CU_TEST_INFO_NULL,
};
