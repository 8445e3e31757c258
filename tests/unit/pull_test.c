/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/collateral/pull.h"

#include <stdio.h>

#include "common/base/codec.h"
#include "tests/unit/intel_sign.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

#define SGX_SET  "dcap-qvl/sgx_quote_collateral.json"
#define SGX_TIME 1751000000
#define FMSPC    "00A067110000"

#define LIST(...)                                                                                  \
	{                                                                                          \
		.v = (const char *const[]){__VA_ARGS__},                                           \
		.n = sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)                   \
	}
#define DEFAULTS                                                                                   \
	.pcs = "https://pcs", .pccs = "", .root_crl = "https://root/crl", .kds = "https://kds/",   \
	.update = ""
#define BOTH .tee = LIST("sgx", "tdx"), .ca = LIST("processor", "platform")

#define CHIP16 "00112233445566778899aabbccddeeff"
#define CHIP64 CHIP16 CHIP16 CHIP16 CHIP16

static void test_plan(void)
{
	const struct {
		const char *name;
		struct pull_options o;
		const char *urls;
	} rows[] = {
		{"one platform", {DEFAULTS, BOTH, .fmspc = LIST(FMSPC)},
			"https://root/crl\n"
			"https://pcs/sgx/certification/v4/pckcrl?ca=processor&encoding=der\n"
			"https://pcs/sgx/certification/v4/pckcrl?ca=platform&encoding=der\n"
			"https://pcs/sgx/certification/v4/qe/identity\n"
			"https://pcs/tdx/certification/v4/qe/identity\n"
			"https://pcs/sgx/certification/v4/tcb?fmspc=" FMSPC "\n"
			"https://pcs/tdx/certification/v4/tcb?fmspc=" FMSPC "\n"},
		{"PCCS as its settings have it, early",
			{.pcs = "",
				.root_crl = "",
				.kds = "https://kds",
				.update = "early",
				.pccs = "https://pccs:8081/sgx/certification/v4/",
				.tee = LIST("tdx"),
				.ca = LIST("platform"),
				.fmspc = LIST(FMSPC)},
			"https://pccs:8081/sgx/certification/v4/rootcacrl\n"
			"https://pccs:8081/sgx/certification/v4/pckcrl?ca=platform&encoding=der\n"
			"https://pccs:8081/tdx/certification/v4/qe/identity?update=early\n"
			"https://pccs:8081/tdx/certification/v4/tcb?fmspc=" FMSPC
			"&update=early\n"},
		{"product", {DEFAULTS, .snp = LIST("Genoa", "Genoa")},
			"https://kds/vcek/v1/Genoa/cert_chain\n"
			"https://kds/vlek/v1/Genoa/cert_chain\n"
			"https://kds/vcek/v1/Genoa/crl\n"},
		{"chip", {DEFAULTS, .vcek = LIST("Milan:" CHIP64 ":03000000000008ce")},
			"https://kds/vcek/v1/Milan/cert_chain\n"
			"https://kds/vlek/v1/Milan/cert_chain\n"
			"https://kds/vcek/v1/Milan/crl\n"
			"https://kds/vcek/v1/Milan/" CHIP64
			"?blSPL=03&teeSPL=00&snpSPL=08&ucodeSPL=206\n"},
		{"chips of Turin, as KDS and as a report have them",
			{DEFAULTS, .vcek = LIST("Turin:0011223344556677:0102030400000005",
					   "Turin:" CHIP64 ":0102030400000005")},
			"https://kds/vcek/v1/Turin/cert_chain\n"
			"https://kds/vlek/v1/Turin/cert_chain\n"
			"https://kds/vcek/v1/Turin/crl\n"
			"https://kds/vcek/v1/Turin/0011223344556677"
			"?fmcSPL=01&blSPL=02&teeSPL=03&snpSPL=04&ucodeSPL=05\n"
			"https://kds/vcek/v1/Turin/0011223344556677"
			"?fmcSPL=01&blSPL=02&teeSPL=03&snpSPL=04&ucodeSPL=05\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_pull_plan_ struct pull_plan plan = {0};
		_cleanup_buf_ struct buf urls = BUF_INIT(1 << 16);
		struct error err = {0};
		int r = pull_plan_make(&plan, &rows[i].o, &err);

		CHECK_ROW(rows[i].name, r == 0, "%s", err.message);
		for (size_t k = 0; k < plan.n; k++) {
			buf_printf(&urls, "%s\n", plan.requests[k].url);
			CHECK_ROW(rows[i].name, plan.requests[k].name[0], "no name");
		}
		CHECK_STR(rows[i].name, buf_view(&urls), rows[i].urls);
	}
}

static void test_options(void)
{
	const struct {
		struct pull_options o;
		const char *message;
	} rows[] = {
		{{DEFAULTS}, "nothing is asked for"},
		{{DEFAULTS, BOTH, .fmspc = LIST("00A06711000")}, "--fmspc: \"00A06711000\" is not"},
		{{DEFAULTS, BOTH, .fmspc = LIST("00A067110000&x")}, "--fmspc: "},
		{{DEFAULTS, .tee = LIST("snp"), .fmspc = LIST(FMSPC)},
			"--tee: \"snp\" is none of sgx, tdx"},
		{{DEFAULTS, .ca = LIST("root"), .fmspc = LIST(FMSPC)},
			"--ca: \"root\" is none of processor, platform"},
		{{DEFAULTS, .snp = LIST("milan")}, "--snp: \"milan\" is none of Milan"},
		{{DEFAULTS, .vcek = LIST("Milan")}, "--vcek: \"Milan\" is not PRODUCT:CHIPID:TCB"},
		{{DEFAULTS, .vcek = LIST("Rome:00:00")}, "--vcek: \"Rome:00:00\" is not"},
		{{DEFAULTS, .vcek = LIST("Milan:0011223344556677:0102030400000005")},
			"--vcek: the chip id of a Milan is 128 digits"},
		{{DEFAULTS, .vcek = LIST("Milan:" CHIP64 ":05")},
			"is not a TCB version: 16 digits"},
		{{.pcs = "http://pcs",
			 .pccs = "",
			 .root_crl = "https://x",
			 .kds = "https://k",
			 .update = "",
			 BOTH,
			 .fmspc = LIST(FMSPC)},
			"--pcs: \"http://pcs\" is not https://"},
		{{.pcs = "",
			 .pccs = "ftp://127.0.0.1",
			 .root_crl = "",
			 .kds = "https://k",
			 .update = "",
			 BOTH,
			 .fmspc = LIST(FMSPC)},
			"--pccs: \"ftp://127.0.0.1\" is not https://"},
		{{.pcs = "https://p",
			 .pccs = "",
			 .root_crl = "http://r",
			 .kds = "https://k",
			 .update = "",
			 BOTH,
			 .fmspc = LIST(FMSPC)},
			"--root-crl: "},
		{{.pcs = "https://p",
			 .pccs = "",
			 .root_crl = "https://r",
			 .kds = "http://127.0.0.1:1@kds",
			 .update = "",
			 .snp = LIST("Milan")},
			"--kds: "},
		{{.pcs = "https://p",
			 .pccs = "",
			 .root_crl = "https://r",
			 .kds = "https://k",
			 .update = "early&x",
			 BOTH,
			 .fmspc = LIST(FMSPC)},
			"--update: \"early&x\" is none of early, standard"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_pull_plan_ struct pull_plan plan = {0};
		struct error err = {0};
		int r = pull_plan_make(&plan, &rows[i].o, &err);

		CHECK_ROW(rows[i].message, r == -EINVAL && strstr(err.message, rows[i].message),
			"%d: %s", r, err.message);
		CU_ASSERT(!plan.requests && plan.n == 0);
	}
}

/* As a header carries it. */
static void escape(struct buf *out, struct span pem)
{
	for (size_t i = 0; i < pem.len; i++) {
		if (strchr(" \n+/=-", pem.p[i]))
			buf_printf(out, "%%%02X", (unsigned char)pem.p[i]);
		else
			buf_putc(out, pem.p[i]);
	}
}

/* The set's document as the service answers it. */
static void answer(struct buf *out, const char *member, const char *string)
{
	char name[64];

	snprintf(name, sizeof(name), "%s_signature", string);
	buf_printf(out, "{\"%s\":", member);
	buf_span(out, intel_set_vector(SGX_SET, string));
	buf_puts(out, ",\"signature\":\"");
	buf_span(out, intel_set_vector(SGX_SET, name));
	buf_puts(out, "\"}");
}

static struct pull_request *request(const struct pull_plan *p, enum pull_kind kind, bool tdx)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->requests[i].kind == kind && p->requests[i].tdx == tdx)
			return &p->requests[i];
	}
	CU_FAIL("no such question");
	return &p->requests[0];
}

static void test_take(void)
{
	const struct pull_options o = {DEFAULTS, BOTH, .fmspc = LIST(FMSPC)};
	const struct pull_options other = {DEFAULTS, BOTH, .fmspc = LIST("00A067110001")};
	_cleanup_pull_plan_ struct pull_plan plan = {0}, plan2 = {0};
	_cleanup_buf_ struct buf tcb_chain = BUF_INIT(1 << 16), crl_chain = BUF_INIT(1 << 16);
	_cleanup_buf_ struct buf tcb = BUF_INIT(1 << 16), qe = BUF_INIT(1 << 16);
	_cleanup_buf_ struct buf wrong = BUF_INIT(1 << 16), cut = BUF_INIT(1 << 16);
	struct span pck_crl = intel_set_vector(SGX_SET, "pck_crl");

	if (pull_plan_make(&plan, &o, NULL) < 0 || pull_plan_make(&plan2, &other, NULL) < 0) {
		CU_FAIL("no plan");
		return;
	}
	escape(&tcb_chain, intel_set_vector(SGX_SET, "tcb_info_issuer_chain"));
	escape(&crl_chain, intel_set_vector(SGX_SET, "pck_crl_issuer_chain"));
	buf_printf(&cut, "%.*s%%2", 100, tcb_chain.p);
	answer(&tcb, "tcbInfo", "tcb_info");
	answer(&qe, "enclaveIdentity", "qe_identity");
	intel_edit(&wrong, buf_view(&tcb), "\"pcesvn\":13", "\"pcesvn\":12");

	const struct {
		const char *name;
		const struct pull_request *rq;
		const char *chain;
		struct span body;
		int64_t now;
		const char *message; /* NULL: taken */
	} rows[] = {
		{"TCB info", request(&plan, PULL_TCB_INFO, false), tcb_chain.p, buf_view(&tcb),
			SGX_TIME, NULL},
		{"QE identity", request(&plan, PULL_QE_IDENTITY, false), tcb_chain.p, buf_view(&qe),
			SGX_TIME, NULL},
		{"PCK list, hex", request(&plan, PULL_PCK_CRL, false), crl_chain.p, pck_crl,
			SGX_TIME, NULL},
		{"root list", request(&plan, PULL_ROOT_CRL_LIST, false), NULL,
			intel_set_vector(SGX_SET, "root_ca_crl"), SGX_TIME, NULL},
		{"late", request(&plan, PULL_TCB_INFO, false), tcb_chain.p, buf_view(&tcb),
			SGX_TIME + 86400 * 30, "it was valid until"},
		{"no chain", request(&plan, PULL_TCB_INFO, false), NULL, buf_view(&tcb), SGX_TIME,
			"without its issuer chain (header TCB-Info-Issuer-Chain)"},
		{"chain not escaped", request(&plan, PULL_TCB_INFO, false), "%zz", buf_view(&tcb),
			SGX_TIME, "it is not escaped as in an URL"},
		{"chain cut", request(&plan, PULL_TCB_INFO, false), cut.p, buf_view(&tcb), SGX_TIME,
			"its issuer chain (header TCB-Info-Issuer-Chain)"},
		{"chain of another", request(&plan, PULL_TCB_INFO, false), crl_chain.p,
			buf_view(&tcb), SGX_TIME, "ChainInvalid"},
		{"changed", request(&plan, PULL_TCB_INFO, false), tcb_chain.p, buf_view(&wrong),
			SGX_TIME, "CollateralSignatureInvalid"},
		{"for TDX", request(&plan, PULL_TCB_INFO, true), tcb_chain.p, buf_view(&tcb),
			SGX_TIME, "the answer is something else"},
		{"for another platform", request(&plan2, PULL_TCB_INFO, false), tcb_chain.p,
			buf_view(&tcb), SGX_TIME, "the answer is something else"},
		{"identity for TCB info", request(&plan, PULL_TCB_INFO, false), tcb_chain.p,
			buf_view(&qe), SGX_TIME, "the answer is something else"},
		{"a page", request(&plan, PULL_TCB_INFO, false), tcb_chain.p,
			SPAN_LIT("<html>welcome</html>"), SGX_TIME, "the answer: neither JSON"},
		{"nothing", request(&plan, PULL_PCK_CRL, false), crl_chain.p, SPAN_LIT(""),
			SGX_TIME, "the answer: neither JSON"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(collateral_free_p) struct collateral *c = NULL;
		struct error err = {0};
		int r = collateral_new(&c, &err);

		if (r == 0)
			r = pull_take(
				c, rows[i].rq, rows[i].chain, rows[i].body, rows[i].now, &err);
		CHECK_ROW(rows[i].name, r == (rows[i].message ? -EBADMSG : 0), "%d: %s", r,
			err.message);
		CHECK_ROW(rows[i].name, strstr(err.message, rows[i].message ? rows[i].message : ""),
			"%s", err.message);
	}
}

/* A chip's certificate is that of the chip and TCB asked for, and its ASK comes before it. */
static void test_take_vcek(void)
{
	static const char chip[] =
		"d49554ec717f4e5b0fe6b143bcf0405bd7ae304727edf46603f2a76aef6a3abc"
		"15d7af38db757039029f0efacfd08e244324884738c72b082e2f87a44d541eb6";
	struct span vcek = vector("virtee-sev/vcek_milan.der");
	struct span ask = vector("virtee-sev/cert_chain_milan");
	struct span report = vector_hex("virtee-sev/report_milan.hex");
	_cleanup_buf_ struct buf want = BUF_INIT(1024), lower = BUF_INIT(1024);
	_cleanup_pull_plan_ struct pull_plan plan = {0}, plan2 = {0};
	_cleanup_(collateral_free_p) struct collateral *c = NULL;
	struct error err = {0};
	const char *text[1], *text2[1];

	buf_printf(&want, "Milan:%s:", chip);
	codec_hex(&want, report.p + 0x180, 8);
	buf_printf(&lower, "Milan:%s:0000000000000000", chip);
	text[0] = want.p;
	text2[0] = lower.p;
	if (pull_plan_make(&plan, &(struct pull_options){DEFAULTS, .vcek = {text, 1}}, &err) < 0 ||
		pull_plan_make(&plan2, &(struct pull_options){DEFAULTS, .vcek = {text2, 1}}, &err) <
			0 ||
		collateral_new(&c, &err) < 0) {
		CHECK_ROW("plan", false, "%s", err.message);
		return;
	}
	CU_ASSERT_EQUAL(
		pull_take(c, request(&plan, PULL_ARK_CHAIN, false), NULL, ask, 1740000000, &err),
		0);
	CU_ASSERT_EQUAL(
		pull_take(c, request(&plan2, PULL_VCEK, false), NULL, vcek, 1740000000, &err),
		-EBADMSG);
	CU_ASSERT(strstr(err.message, "the answer is something else") != NULL);
	CHECK_ROW("VCEK",
		pull_take(c, request(&plan, PULL_VCEK, false), NULL, vcek, 1740000000, &err) == 0,
		"%s", err.message);
	CU_ASSERT_EQUAL(c->amd.n_leaves, 1);
}

CU_TestInfo pull_tests[] = {
	{"plan", test_plan},
	{"options", test_options},
	{"answers", test_take},
	{"VCEK", test_take_vcek},
	CU_TEST_INFO_NULL,
};
