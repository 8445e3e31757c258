/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/claims.h"

#include <errno.h>

#include "common/base/codec.h"
#include "common/base/json.h"
#include "tests/unit/simulated_fix.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

static const struct json_limits limits = {CLAIMS_JSON_MAX, 4096, 8};

/* The value at a path of members, "a.b": strings decoded, the rest as written. */
static struct span at(struct json_val v, const char *path, struct arena *a)
{
	while (*path) {
		size_t n = strcspn(path, ".");

		v = json_is_array(v) ? json_at(v, (size_t)(*path - '0'))
				     : json_get_span(v, (struct span){path, n});
		path += n + (path[n] == '.');
	}
	return json_is_string(v) ? json_str(v, a) : json_raw(v);
}

struct claim {
	const char *path, *want;
};

static void check(const char *row, struct span text, const struct claim *claims)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(CLAIMS_JSON_MAX);
	_cleanup_json_ struct json doc = {0};
	struct error err = {0};

	if (!CHECK_ROW(row, json_parse(&doc, text, &limits, &err) == 0, "%s\n" SPAN_FMT,
		    err.message, SPAN_ARG(text)))
		return;
	for (; claims->path; claims++)
		CHECK_STR(claims->path, at(json_get(json_root(&doc), "claims"), claims->path, &a),
			claims->want);
}

/* What was found out about the platform: nothing. */
static const struct verdict no_verdict = {.tcb = TCB_STATUS_N, .module_tcb = TCB_STATUS_N};

static bool read_quote(struct evidence *e, const char *path)
{
	enum reason reason;
	struct error err = {0};

	*e = (struct evidence){0};
	if (!CHECK_ROW(path, quote_parse(&e->quote, vector(path), &reason, &err) == 0, "%s",
		    err.message))
		return false;
	e->tee = e->quote.tdx ? TEE_TYPE_TDX : TEE_TYPE_SGX;
	return true;
}

/* Expected values: cut out of the files by Python's struct, from the layouts alone. */
static const struct claim sgx_claims[] = {
	{"mrenclave", "33d8736db756ed4997e04ba358d27833188f1932ff7b1d156904d3f560452fbb"},
	{"mrsigner", "815f42f11cf64430c30bab7816ba596a1da0130c3b028b673133a66cf9a3e0e6"},
	{"isvProdId", "0"},
	{"isvSvn", "0"},
	{"attributes.flags", "0x0000000000000005"},
	{"attributes.xfrm", "0x00000000000000e7"},
	{"attributes.init", "true"},
	{"attributes.debug", "false"},
	{"attributes.mode64bit", "true"},
	{"attributes.provisionKey", "false"},
	{"miscSelect", "0x0000000000000000"},
	{"cpuSvn", "0b0b1a18ffff04000000000000000000"},
	{"configSvn", "0"},
	{"quote.version", "3"},
	{"quote.qeVendorId", "939a7233f79c4ca9940a0db3957f0607"},
	{"quote.userData", "3987622ee6968a54977c8626ef47123500000000"},
	{"quote.certificationDataType", "5"},
	{"qe.isvSvn", "10"},
	{"qe.isvProdId", "1"},
	{"reportData", "48656c6c6f2c20776f726c642100000000000000000000000000000000000000"
		       "0000000000000000000000000000000000000000000000000000000000000000"},
	{"fmspc", "00a067110000"},
	{"pceSvn", "13"},
	{"pckSerial", "0102"},
	{"smtEnabled", "true"},
	{"cachedKeys", "false"},
	{"dynamicPlatform", ""},
	{"platformInstanceId", "09000000000000000000000000000000"},
	{"pckCa", "Intel SGX PCK Processor CA"},
	{NULL, NULL},
};

static const struct claim tdx_claims[] = {
	{"mrtd", "7348651a34b2d2d3462822e3a750ec6110125f36757c78480bbfc69cc0d21fb001a1ced3ee19747d"
		 "da8f750c3bc8f876"},
	{"rtmrs.0", "5c8daf76063a71ac8fcef4067564661fc682ed7944c7a5d21dbbced02f61ceff4ba0678c6aef3b"
		    "dae8cbc614cec24619"},
	{"rtmrs.3",
		"0000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"00000000000000000"},
	{"tdAttributes.raw", "0x0000000010000000"},
	{"tdAttributes.debug", "false"},
	{"tdAttributes.septVeDisable", "true"},
	{"tdAttributes.perfmon", "false"},
	{"xfam", "0x00000000000602e7"},
	{"mrseam",
		"7bf063280e94fb051f5dd7b1fc59ce9aac42bb961df8d44b709c9b0ff87a7b4df648657ba6d11895"
		"89feab1d5a3c9a9d"},
	{"teeTcbSvn", "0b010400000000000000000000000000"},
	{"teeTcbSvn2", "0d010400000000000000000000000000"},
	{"mrservicetd", "00000000000000000000000000000000000000000000000000000000000000000000000000"
			"0000000000000000000000"},
	{"quote.version", "5"},
	{"reportData",
		"945eaacf5abc1f719d8666a942fda03d1edcb4490277396093dc5a5289ab9f1e094aed63060c"
		"d4a4933a4dd537ed1255c9c79ecb3ed82cd1b486233e31c25c3a"},
	{"fmspc", ""},
	{NULL, NULL},
};

static const struct claim snp_claims[] = {
	{"reportVersion", "2"},
	{"product", "Milan"},
	{"measurement",
		"a1f3930413247bb38cfc171579ea3c12d5fe4901f0c792f63fd75d98f1ef827c23500644e0e"
		"692e6be917f9050d3d38c"},
	{"hostData", "0000000000000000000000000000000000000000000000000000000000000000"},
	{"policy.raw", "0x000000000003001f"},
	{"policy.abiMajor", "0"},
	{"policy.abiMinor", "31"},
	{"policy.smt", "true"},
	{"policy.debug", "false"},
	{"platformInfo.smtEnabled", "true"},
	{"platformInfo.tsmeEnabled", "false"},
	{"reportedTcb.raw", "0300000000000873"},
	{"reportedTcb.bootloader", "3"},
	{"reportedTcb.tee", "0"},
	{"reportedTcb.snp", "8"},
	{"reportedTcb.microcode", "115"},
	{"reportedTcb.fmc", ""},
	{"currentTcb.microcode", "206"},
	{"guestSvn", "4"},
	{"vmpl", "0"},
	{"currentVersion", "1.52.4"},
	{"chipId",
		"c38427a30d4c7af9d96f7a15b97269825a64cb76a2352ffd5d18115d89ad473f8e8c0bcd9a5d9286"
		"612bad4aadfb4426205a3b9e4fea82301135a170e477524e"},
	{"signingKey", "vcek"},
	{"cpuid", ""},
	{NULL, NULL},
};

static void test_quotes(void)
{
	struct verdict v = {
		.has_pck = true,
		.pck =
			{
				.fmspc = {0x00, 0xa0, 0x67, 0x11},
				.pcesvn = 13,
				.has_platform_instance_id = true,
				.platform_instance_id = {9},
				.dynamic_platform = -1,
				.cached_keys = 0,
				.smt_enabled = 1,
			},
		.leaf_serial = {1, 2},
		.leaf_serial_len = 2,
	};
	_cleanup_buf_ struct buf sgx = BUF_INIT(CLAIMS_JSON_MAX), tdx = BUF_INIT(CLAIMS_JSON_MAX);
	struct evidence e;

	if (read_quote(&e, "dcap-qvl/sgx_quote")) {
		CU_ASSERT(verdict_json(&sgx, &v, &e) == 0);
		check("SGX", buf_view(&sgx), sgx_claims);
	}
	if (read_quote(&e, "go-tdx-guest/quote_v5_sample.dat")) {
		CU_ASSERT(verdict_json(&tdx, &no_verdict, &e) == 0);
		check("TDX", buf_view(&tdx), tdx_claims);
	}
}

static void test_snp(void)
{
	struct verdict v = {.has_snp = true, .product = SNP_MILAN};
	_cleanup_buf_ struct buf with = BUF_INIT(CLAIMS_JSON_MAX),
				 without = BUF_INIT(CLAIMS_JSON_MAX);
	/* A report of version 2 does not say of which product it is. */
	static const struct claim unknown[] = {
		{"product", ""},
		{"reportedTcb.raw", "0300000000000873"},
		{"reportedTcb.snp", ""},
		{NULL, NULL},
	};
	struct evidence e = {.tee = TEE_TYPE_SNP};
	enum reason reason;

	if (snp_report_parse(&e.snp, vector("trustee/test-report.bin"), &reason, NULL) < 0) {
		CU_FAIL("the report cannot be read");
		return;
	}
	CU_ASSERT(verdict_json(&with, &v, &e) == 0);
	CU_ASSERT(verdict_json(&without, &no_verdict, &e) == 0);
	check("SNP", buf_view(&with), snp_claims);
	check("SNP without a verdict", buf_view(&without), unknown);
}

/* Each bit alone, by its name. Those of the specifications' tables. */
static void test_bits(void)
{
	static const struct {
		const char *path;
		enum tee_type tee;
		bool platform_info;
		unsigned bit;
	} rows[] = {
		{"attributes.init", TEE_TYPE_SGX, false, 0},
		{"attributes.debug", TEE_TYPE_SGX, false, 1},
		{"attributes.mode64bit", TEE_TYPE_SGX, false, 2},
		{"attributes.provisionKey", TEE_TYPE_SGX, false, 4},
		{"attributes.einitTokenKey", TEE_TYPE_SGX, false, 5},
		{"attributes.cet", TEE_TYPE_SGX, false, 6},
		{"attributes.kss", TEE_TYPE_SGX, false, 7},
		{"attributes.aexNotify", TEE_TYPE_SGX, false, 10},
		{"tdAttributes.debug", TEE_TYPE_TDX, false, 0},
		{"tdAttributes.icssd", TEE_TYPE_TDX, false, 16},
		{"tdAttributes.lass", TEE_TYPE_TDX, false, 27},
		{"tdAttributes.septVeDisable", TEE_TYPE_TDX, false, 28},
		{"tdAttributes.migratable", TEE_TYPE_TDX, false, 29},
		{"tdAttributes.pks", TEE_TYPE_TDX, false, 30},
		{"tdAttributes.kl", TEE_TYPE_TDX, false, 31},
		{"tdAttributes.tpa", TEE_TYPE_TDX, false, 62},
		{"tdAttributes.perfmon", TEE_TYPE_TDX, false, 63},
		{"policy.smt", TEE_TYPE_SNP, false, 16},
		{"policy.migrateMa", TEE_TYPE_SNP, false, 18},
		{"policy.debug", TEE_TYPE_SNP, false, 19},
		{"policy.singleSocket", TEE_TYPE_SNP, false, 20},
		{"policy.cxlAllow", TEE_TYPE_SNP, false, 21},
		{"policy.memAes256Xts", TEE_TYPE_SNP, false, 22},
		{"policy.raplDis", TEE_TYPE_SNP, false, 23},
		{"policy.ciphertextHiding", TEE_TYPE_SNP, false, 24},
		{"policy.pageSwapDisable", TEE_TYPE_SNP, false, 25},
		{"platformInfo.smtEnabled", TEE_TYPE_SNP, true, 0},
		{"platformInfo.tsmeEnabled", TEE_TYPE_SNP, true, 1},
		{"platformInfo.eccEnabled", TEE_TYPE_SNP, true, 2},
		{"platformInfo.raplDisabled", TEE_TYPE_SNP, true, 3},
		{"platformInfo.ciphertextHiding", TEE_TYPE_SNP, true, 4},
		{"platformInfo.aliasCheckComplete", TEE_TYPE_SNP, true, 5},
		{"platformInfo.tioEnabled", TEE_TYPE_SNP, true, 7},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf text = BUF_INIT(CLAIMS_JSON_MAX);
		const struct claim set[] = {{rows[i].path, "true"}, {NULL, NULL}};
		uint64_t bits = 1ull << rows[i].bit;
		struct evidence e = {0};
		enum reason reason;

		if (rows[i].tee == TEE_TYPE_SNP)
			snp_report_parse(&e.snp, vector("trustee/test-report.bin"), &reason, NULL);
		else if (!read_quote(&e, rows[i].tee == TEE_TYPE_SGX ? "dcap-qvl/sgx_quote"
								     : "dcap-qvl/tdx_quote"))
			return;
		e.tee = rows[i].tee;
		if (e.tee == TEE_TYPE_SGX) {
			e.quote.sgx.flags = bits;
		} else if (e.tee == TEE_TYPE_TDX) {
			e.quote.td.td_attributes = bits;
		} else {
			e.snp.policy = rows[i].platform_info ? 0 : bits;
			e.snp.platform_info = rows[i].platform_info ? bits : 0;
		}
		CU_ASSERT(verdict_json(&text, &no_verdict, &e) == 0);
		check(rows[i].path, buf_view(&text), set);
		CHECK_ROW(rows[i].path,
			strstr(text.p, ": true") && !strstr(strstr(text.p, ": true") + 1, ": true"),
			"others are set, too");
	}
}

static const char accepted[] =
	"{\n"
	"  \"verdict\": \"accepted\",\n"
	"  \"reason\": \"Simulated\",\n"
	"  \"message\": \"\",\n"
	"  \"tee\": \"simulated\",\n"
	"  \"tcb\": {\n"
	"    \"status\": \"SWHardeningNeeded\",\n"
	"    \"date\": \"2024-03-13T00:00:00Z\",\n"
	"    \"evaluationDataNumber\": 17,\n"
	"    \"advisories\": [\n"
	"      \"INTEL-SA-00289\",\n"
	"      \"INTEL-SA-00615\"\n"
	"    ]\n"
	"  },\n"
	"  \"crl\": \"checked\",\n"
	"  \"validUntil\": \"2025-06-27T04:53:20Z\",\n"
	"  \"platformID\": \"ab01\",\n"
	"  \"mismatch\": [],\n"
	"  \"claims\": {\n"
	"    \"simulatedTee\": \"sgx\",\n"
	"    \"node\": \"node-1\",\n"
	"    \"nodeUID\": \"" SIMULATED_UID "\",\n"
	"    \"svn\": 3,\n"
	"    \"debug\": false,\n"
	"    \"measurements\": {\n"
	"      \"mrenclave\": "
	"\"ee02000000000000000000000000000000000000000000000000000000000000\"\n"
	"    },\n"
	"    \"reportData\": \"dada0000000000000000000000000000000000000000000000000000000000000000"
	"000000000000000000000000000000000000000000000000000000000000\",\n"
	"    \"evidenceDigest\": \"0d000000000000000000000000000000000000000000000000000000000000"
	"00\"\n"
	"  }\n"
	"}";

static const char refused[] = "{\n"
			      "  \"verdict\": \"refused\",\n"
			      "  \"reason\": \"MeasurementNotAllowed\",\n"
			      "  \"message\": \"say \\\"what\\\"\",\n"
			      "  \"tee\": null,\n"
			      "  \"tcb\": {\n"
			      "    \"status\": null,\n"
			      "    \"date\": null,\n"
			      "    \"evaluationDataNumber\": null,\n"
			      "    \"advisories\": []\n"
			      "  },\n"
			      "  \"crl\": \"absent\",\n"
			      "  \"validUntil\": null,\n"
			      "  \"platformID\": null,\n"
			      "  \"mismatch\": [\n"
			      "    {\n"
			      "      \"register\": \"rtmr2\",\n"
			      "      \"want\": \"0102\",\n"
			      "      \"got\": \"0304\"\n"
			      "    }\n"
			      "  ],\n"
			      "  \"claims\": {}\n"
			      "}";

/* The whole shape, to the byte: programs and people rely on it. */
static void test_shape(void)
{
	_cleanup_(simulated_fix_free) struct simulated_fix f;
	_cleanup_buf_ struct buf yes = BUF_INIT(CLAIMS_JSON_MAX), no = BUF_INIT(CLAIMS_JSON_MAX),
				 short_of = BUF_INIT(100);
	struct verdict v = {
		.reason = REASON_Simulated,
		.tcb = TCB_SWHardeningNeeded,
		.tcb_date = "2024-03-13T00:00:00Z",
		.evaluation_number = 17,
		.advisories = {SPAN_LIT("INTEL-SA-00289"), SPAN_LIT("INTEL-SA-00615")},
		.n_advisories = 2,
		.crl = CRL_CHECKED,
		.valid_until = 1751000000,
		.platform_id = {0xab, 1},
		.platform_id_len = 2,
	};
	struct verdict w = {
		.reason = REASON_MeasurementNotAllowed,
		.message = "say \"what\"",
		.tcb = TCB_STATUS_N,
		.valid_until = 1751000000,
		.mismatches = {{"rtmr2", {1, 2}, {3, 4}, 2}},
		.n_mismatches = 1,
	};
	struct evidence e = {.tee = TEE_TYPE_SIMULATED, .digest = {0x0d}};

	if (!simulated_fix_new(&f))
		return;
	e.simulated = f.what;
	e.simulated.n_measurements = 1;
	CU_ASSERT(verdict_json(&yes, &v, &e) == 0);
	CHECK_STR("accepted", buf_view(&yes), accepted);
	CU_ASSERT(verdict_json(&no, &w, NULL) == 0);
	CHECK_STR("refused", buf_view(&no), refused);
	CU_ASSERT(verdict_json(&short_of, &v, &e) == -E2BIG);
}

CU_TestInfo claims_tests[] = {
	{"quotes", test_quotes},
	{"SNP", test_snp},
	{"bits", test_bits},
	{"shape", test_shape},
	CU_TEST_INFO_NULL,
};
