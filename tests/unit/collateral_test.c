/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/collateral.h"

#include <openssl/x509v3.h>

#include "common/base/codec.h"
#include "common/tee/pem.h"
#include "tests/unit/intel_sign.h"
#include "tests/unit/test.h"
#include "tests/unit/tree.h"
#include "tests/unit/vectors.h"

#define VECTORS "tests/vectors/"
#define SGX_SET "dcap-qvl/sgx_quote_collateral.json"
#define TDX_SET "dcap-qvl/tdx_quote_collateral.json"

static void say_document(
	struct buf *b, const char *name, const unsigned char *fmspc, enum reason problem)
{
	buf_printf(b, "%s%s", b->len ? " " : "", name);
	if (fmspc)
		codec_hex(b, fmspc, 6);
	if (problem != REASON_Ok)
		buf_printf(b, "(%s)", reason_name(problem));
}

static void say_if(struct buf *b, bool there, const char *name)
{
	if (there)
		buf_printf(b, "%s%s", b->len ? " " : "", name);
}

/* What is there, in one line. */
static struct buf say(const struct collateral *c)
{
	struct buf b = BUF_INIT(4096);
	size_t vleks = 0;

	for (size_t i = 0; i < c->intel.n_tcb_infos; i++) {
		const struct tcb_info *t = c->intel.tcb_infos[i];

		say_document(&b, t->tdx ? "tdx:" : "sgx:", t->fmspc, t->problem);
	}
	for (size_t i = 0; i < QE_KIND_N; i++) {
		if (c->intel.qe[i])
			say_document(
				&b, i == QE_SGX ? "QE" : "TD_QE", NULL, c->intel.qe[i]->problem);
	}
	say_if(&b, c->intel.root, "root");
	say_if(&b, c->intel.signer.cert, "signer");
	say_if(&b, c->intel.pck_ca[PCK_CA_PROCESSOR], "processor");
	say_if(&b, c->intel.pck_ca[PCK_CA_PLATFORM], "platform");
	say_if(&b, c->intel.n_pck_chain == 3, "pck");
	say_if(&b, c->intel.root_crl, "root-crl");
	say_if(&b, c->intel.pck_crl[PCK_CA_PROCESSOR], "processor-crl");
	say_if(&b, c->intel.pck_crl[PCK_CA_PLATFORM], "platform-crl");
	for (size_t i = 0; i < c->amd.n_intermediates; i++)
		say_if(&b, true, c->amd.intermediates[i]->subject);
	for (size_t i = 0; i < c->amd.n_leaves; i++)
		vleks += c->amd.leaves[i].vcek.vlek;
	if (c->amd.n_leaves)
		buf_printf(&b, " leaves:%zu", c->amd.n_leaves);
	if (vleks)
		buf_printf(&b, " vleks:%zu", vleks);
	for (size_t i = 0; i < SNP_PRODUCT_N; i++)
		say_if(&b, c->amd.crl[i], "ark-crl");
	return b;
}

static bool check(const char *row, const struct collateral *c, const char *want)
{
	_cleanup_buf_ struct buf b = say(c);

	return CHECK_STR(row, b.len ? buf_view(&b) : SPAN_LIT(""), want);
}

static void test_files(void)
{
	static const struct {
		const char *paths[4];
		int want; /* of the last */
		const char *what;
	} rows[] = {
		{{SGX_SET}, 0, "sgx:00a067110000 QE root signer processor root-crl processor-crl"},
		{{TDX_SET}, 0, "tdx:b0c06f000000 TD_QE root signer platform root-crl platform-crl"},
		{{SGX_SET, TDX_SET, "dcap-qvl/tdx_quote_outdated_collateral.json"}, 0,
			"sgx:00a067110000 tdx:b0c06f000000 tdx:90c06f000000 QE TD_QE root signer "
			"processor platform root-crl processor-crl platform-crl"},
		{{"dcap-qvl/TrustedRootCA.der"}, 0, "root"},
		{{"go-tdx-guest/rootcrl.der"}, 0, "root-crl"},
		{{"go-tdx-guest/pckcrl"}, 0, "platform-crl"},
		{{"go-tdx-guest/pck_crl_issuer_chain.pem"}, 0, "root platform"},
		{{"go-tdx-guest/sample_tcbInfo_response"}, 0, "tdx:50806f000000(ChainInvalid)"},
		/* the chain may be there before, or come behind */
		{{"go-tdx-guest/tcb_info_issuer_chain.pem", "go-tdx-guest/sample_tcbInfo_response"},
			0, "tdx:50806f000000 root signer"},
		{{"go-tdx-guest/sample_tcbInfo_response", "go-tdx-guest/sample_qeIdentity_response",
			 "go-tdx-guest/tcb_info_issuer_chain.pem"},
			0, "tdx:50806f000000 TD_QE root signer"},
		{{"trustee/tcbInfo.json", TDX_SET, "trustee/enclaveIdentity.json"}, 0,
			"tdx:00a06d080000 tdx:b0c06f000000 TD_QE root signer platform root-crl "
			"platform-crl"},
		{{"intel-qvl/intermediateCaCrl.pem"}, 0, "processor-crl"},
		{{"intel-qvl/tcbSignChain.pem", "intel-qvl/tcbInfo.json",
			 "intel-qvl/qeIdentity.json"},
			0, "sgx:00707f000000(UnknownRoot) QE(UnknownRoot) root signer"},
		{{"intel-qvl/qveIdentity.json"}, -ENOMSG, ""},
		{{"intel-qvl/pckCert.pem"}, 0, ""},
		{{"intel-qvl/pckCert.pem", "intel-qvl/pckSignChain.pem"}, 0, "root processor pck"},
		{{"sgx-dcap/PCKCertSelection-SampleData/tcb_info.json"}, 0,
			"sgx:00707f000000(ChainInvalid)"},
		{{"amd-roots/ask_ark_milan.pem"}, 0, "SEV-Milan"},
		{{"amd-roots/genoa_ask_ark_asvk.pem"}, 0, "SEV-Genoa SEV-VLEK-Genoa"},
		{{"virtee-sev/vcek_milan.der", "virtee-sev/vcek_turin.der",
			 "virtee-sev/cert_chain_turin"},
			0, "SEV-Turin leaves:2"},
		{{"go-sev-guest/vcek.testcer", "go-sev-guest/milanvlek.testcer"}, 0,
			"SEV-VLEK-Milan leaves:1"},
		{{"az-snp/vcek.pem"}, 0, "SEV-Milan leaves:1"},
		{{"az-snp/vcek.pem", "az-snp/vcek.pem"}, 0, "SEV-Milan leaves:1"},
		/* evidence and other things */
		{{"dcap-qvl/sgx_quote"}, -ENOMSG, ""},
		{{"go-tdx-guest/report.dat"}, -ENOMSG, ""},
		{{"go-tdx-guest/nonce.dat"}, -ENOMSG, ""},
		{{"trustee/test-report.bin"}, -ENOMSG, ""},
		{{"virtee-sev/report_milan.hex"}, -ENOMSG, ""},
		{{"trustee/e2e-snp-evidence.json"}, -ENOMSG, ""},
		{{"kbs/denied.json"}, -ENOMSG, ""},
		{{"kbs/rsa-tee-key.pem"}, -ENOMSG, ""},
		{{"NOTICE"}, -ENOMSG, ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(collateral_free_p) struct collateral *c = NULL;
		const char *row = rows[i].paths[0];
		struct error err = {0};
		int r = collateral_new(&c, &err);

		for (size_t k = 0; k < ARRAY_SIZE(rows[i].paths) && rows[i].paths[k]; k++) {
			uint64_t epoch = c->epoch;

			CHECK_ROW(row, r == 0, "%s", err.message);
			row = rows[i].paths[k];
			r = collateral_add(c, vector(row), row, &err);
			CU_ASSERT(c->epoch > epoch);
		}
		CHECK_ROW(row, r == rows[i].want, "%d: %s", r, err.message);
		CHECK_ROW(
			row, r == 0 || span_starts(span_str(err.message), row), "%s", err.message);
		check(row, c, rows[i].what);
	}
}

static void test_folders(void)
{
	static const struct {
		const char *path;
		int want;
		const char *what;
	} rows[] = {
		{VECTORS "go-tdx-guest", 0,
			"tdx:50806f000000 tdx:90c06f000000 TD_QE root "
			"signer platform root-crl platform-crl"},
		{VECTORS "virtee-sev", 0, "SEV-Milan SEV-Turin leaves:2"},
		{VECTORS "az-snp", 0, "SEV-Milan leaves:1"},
		{VECTORS "dcap-qvl/tdx_quote_collateral.json", 0,
			"tdx:b0c06f000000 TD_QE root signer platform root-crl platform-crl"},
		{VECTORS "kbs", -ENOMSG, ""},
		{VECTORS "nothing", -ENOENT, ""},
		{VECTORS "dcap-qvl/sgx_quote", -ENOMSG, ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(collateral_free_p) struct collateral *c = NULL;
		struct error err = {0};
		int r = collateral_new(&c, &err);

		if (r == 0)
			r = collateral_add_path(c, rows[i].path, &err);
		CHECK_ROW(rows[i].path, r == rows[i].want, "%d: %s", r, err.message);
		CHECK_ROW(rows[i].path, r == 0 || strstr(err.message, rows[i].path), "%s",
			err.message);
		check(rows[i].path, c, rows[i].what);
	}
}

/* A folder as Kubernetes mounts one, and what is none of its files. */
static void test_folder_of_links(void)
{
	static const char *const steps[] = {
		"f /.hidden {",
		"d /below",
		"f /below/broken.json {",
		"p /fifo",
		"f /readme nothing",
		"f /..data/crl 30",
		NULL,
	};
	_cleanup_(collateral_free_p) struct collateral *c = NULL;
	_cleanup_buf_ struct buf step = BUF_INIT(8192);
	struct error err = {0};
	struct tree t;
	int r;

	if (!tree_new(&t) || collateral_new(&c, &err) < 0)
		return;
	tree_steps(&t, steps);
	CU_ASSERT_EQUAL(collateral_add_path(c, t.root, &err), -ENOMSG);
	buf_puts(&step, "f /..data/crl ");
	codec_hex(&step, vector("go-tdx-guest/rootcrl.der").p,
		vector("go-tdx-guest/rootcrl.der").len);
	tree_step(&t, step.p);
	tree_step(&t, "l /crl ..data/crl");
	r = collateral_add_path(c, t.root, &err);
	CHECK_ROW("folder", r == 0, "%s", err.message);
	check("folder", c, "root-crl");
	/* what is broken is said, and takes nothing away that stands behind it */
	tree_step(&t, "f /abroken.json {\"tcbInfo\":");
	tree_step(&t, "f /zbroken.json {\"tcbInfo\":");
	tree_step(&t, "l /dangling ..data/nothing");
	collateral_free(TAKE_PTR(c));
	if (collateral_new(&c, &err) < 0)
		return;
	r = collateral_add_path(c, t.root, &err);
	CHECK_ROW("broken", r == -EBADMSG && strstr(err.message, "/abroken.json: JSON: line 1"),
		"%d: %s", r, err.message);
	check("broken", c, "root-crl");
	tree_free(&t);
}

/* Forms of the same bytes. */
static void test_forms(void)
{
	_cleanup_(collateral_free_p) struct collateral *c = NULL;
	_cleanup_buf_ struct buf hex = BUF_INIT(1 << 16), table = BUF_INIT(1 << 16);
	_cleanup_buf_ struct buf mixed = BUF_INIT(1 << 16);
	struct span crl = vector("go-tdx-guest/pckcrl"), vcek = vector("trustee/test-vcek.der");
	/* VCEK 63da758d-e664-4564-adc5-f4b93be8accd at 48, then the end */
	static const unsigned char guid[16] = {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64, 0xad,
		0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd};
	unsigned char place[8] = {
		48, 0, 0, 0, (unsigned char)vcek.len, (unsigned char)(vcek.len >> 8), 0, 0};
	static const unsigned char end[24];
	struct error err = {0};

	if (collateral_new(&c, &err) < 0)
		return;
	codec_hex(&hex, crl.p, crl.len);
	buf_puts(&hex, "\n");
	CHECK_ROW("hex", collateral_add(c, buf_view(&hex), "hex", &err) == 0, "%s", err.message);
	check("hex", c, "platform-crl");
	buf_add(&table, guid, sizeof(guid));
	buf_add(&table, place, sizeof(place));
	buf_add(&table, end, sizeof(end));
	buf_span(&table, vcek);
	CHECK_ROW("table", collateral_add(c, buf_view(&table), "table", &err) == 0, "%s",
		err.message);
	check("table", c, "platform-crl leaves:1");
	buf_span(&mixed, vector("go-tdx-guest/pck_crl_issuer_chain.pem"));
	pem_write(&mixed, "X509 CRL", vector("go-tdx-guest/rootcrl.der"));
	buf_span(&mixed, vector("amd-roots/ask_ark_genoa.pem"));
	CHECK_ROW("PEM", collateral_add(c, buf_view(&mixed), "PEM", &err) == 0, "%s", err.message);
	check("PEM", c, "root platform root-crl platform-crl SEV-Genoa leaves:1");
}

static void test_refused(void)
{
	static const struct {
		const char *text;
		int want;
		const char *message;
	} rows[] = {
		{"", -ENOMSG, "neither JSON"},
		{"\n", -ENOMSG, "neither JSON"},
		{"{}", -ENOMSG, "of no form"},
		{"{\"tcb_info\":\"{}\"}", -EBADMSG, "tcb_info: the signature is not 128"},
		{"{\"tcb_info\":\"{}\",\"tcb_info_signature\":1}", -EBADMSG, "not a string"},
		{"{\"pck_crl\":\"00\"}", -EBADMSG, "pck_crl: neither"},
		{"{\"pck_crl\":\"3000\"}", -EBADMSG, "pck_crl: neither"},
		{"{\"pck_crl\":\"\",\"root_ca_crl\":1}", -EBADMSG, "root_ca_crl: not a string"},
		{"{\"tcbInfo\":{}}", -EBADMSG, "signature: not 128"},
		{"{\"tcbInfo\":[],\"signature\":\"\"}", -EBADMSG, "tcbInfo: it is missing"},
		{"{\"tcbInfo\":{},\"tcbInfo\":{}}", -EBADMSG, "JSON: line 1"},
		{"{\"bundle\":\"v0\"}", -EBADMSG, "bundle: not \"casemate.dev/collateral/v1\""},
		{"{\"bundle\":\"casemate.dev/collateral/v1\"}", -EBADMSG,
			"certificates: not a list"},
		{"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", -EBADMSG,
			"PEM block 1: certificate: "},
		{"-----BEGIN CERTIFICATE-----\nAAAA\n", -EBADMSG, "PEM block 1: "},
		{"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", -EBADMSG,
			"PEM block 1: revocation list: "},
		{"-----BEGIN PRIVATE KEY-----\n", -ENOMSG, "neither CERTIFICATE nor X509 CRL"},
		{"0\x82", -EBADMSG, "certificate: "},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(collateral_free_p) struct collateral *c = NULL;
		struct error err = {0};
		int r = collateral_new(&c, &err);

		r = r ? r : collateral_add(c, span_str(rows[i].text), "in", &err);
		CHECK_ROW(rows[i].text, r == rows[i].want && strstr(err.message, rows[i].message),
			"%d: %s", r, err.message);
		CHECK_ROW(rows[i].text, span_starts(span_str(err.message), "in: "), "%s",
			err.message);
		check(rows[i].text, c, "");
	}
}

/* A part of anything is nothing, and changed bits crash nothing. */
static void test_cut(void)
{
	static const char *const paths[] = {
		SGX_SET,
		"go-tdx-guest/pckcrl",
		"go-tdx-guest/sample_tcbInfo_response",
		"go-tdx-guest/tcb_info_issuer_chain.pem",
		"virtee-sev/vcek_turin.der",
	};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		_cleanup_(collateral_free_p) struct collateral *c = NULL;
		struct span whole = vector(paths[i]);
		size_t end = whole.len;

		if (collateral_new(&c, NULL) < 0)
			return;
		while (strchr("\r\n", whole.p[end - 1]))
			end--;
		for (size_t len = 0; len < end; len += 1 + len / 100) {
			int r = collateral_add(c, (struct span){whole.p, len}, paths[i], NULL);

			/* between two blocks of PEM, the first is whole */
			CHECK_ROW(paths[i], r < 0 || (r == 0 && strstr(paths[i], ".pem")), "%zu",
				len);
		}
	}
}

/* A document like that of TDX_SET, of that day (two digits) and signed by the tests' root. */
static int add_dated(struct collateral *c, const struct intel_sign *s, const char *member,
	const char *day, bool good, struct error *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 16), answer = BUF_INIT(1 << 17);
	unsigned char raw[64];
	char date[32];

	snprintf(date, sizeof(date), "\"issueDate\":\"2025-06-%s", day);
	intel_edit(&text,
		intel_set_vector(
			TDX_SET, strcmp(member, "tcbInfo") == 0 ? "tcb_info" : "qe_identity"),
		"\"issueDate\":\"2025-06-19", date);
	intel_sign(raw, s, buf_view(&text));
	raw[0] ^= !good;
	buf_printf(&answer, "{\"%s\":%s,\"issuerChain\":", member, text.p);
	buf_json_string(&answer, buf_view(&s->chain));
	buf_puts(&answer, ",\"signature\":\"");
	codec_hex(&answer, raw, sizeof(raw));
	buf_puts(&answer, "\"}");
	return collateral_add(c, buf_view(&answer), "in", err);
}

static void test_newer(void)
{
	static const char *const members[] = {"tcbInfo", "enclaveIdentity"};
	static const struct {
		const char *day;
		bool good;
		int want;
		int64_t date; /* what is there then: day of June 2025 */
		bool usable;
	} rows[] = {
		{"10", false, 0, 10, false},
		{"09", false, 0, 9, false},
		{"09", true, 0, 9, true},
		{"11", true, 0, 11, true},
		{"10", true, 0, 11, true},
		{"12", false, -EBADMSG, 11, true},
		{"12", true, 0, 12, true},
	};
	_cleanup_intel_sign_ struct intel_sign s;
	_cleanup_(collateral_free_p) struct collateral *c = NULL;

	if (!intel_sign_begin(&s) || collateral_new(&c, NULL) < 0)
		return;
	CU_ASSERT(roots_add(&c->roots, buf_view(&s.root.cert_pem), NULL) == 0);
	for (size_t i = 0; i < 2 * ARRAY_SIZE(rows); i++) {
		const typeof(rows[0]) *row = &rows[i / 2];
		struct error err = {0};
		int r = add_dated(c, &s, members[i % 2], row->day, row->good, &err);
		int64_t date;
		bool usable;

		CHECK_ROW(row->day, r == row->want, "%d: %s", r, err.message);
		if (i % 2 ? !c->intel.qe[QE_TDX] : c->intel.n_tcb_infos != 1) {
			CU_FAIL("not one document");
			return;
		}
		date = i % 2 ? c->intel.qe[QE_TDX]->issue_date : c->intel.tcb_infos[0]->issue_date;
		usable = (i % 2 ? c->intel.qe[QE_TDX]->problem : c->intel.tcb_infos[0]->problem) ==
			 REASON_Ok;
		/* 2025-06-01 is day 20240 */
		CHECK_ROW(row->day, date / 86400 == 20239 + row->date, "%s: %lld", members[i % 2],
			(long long)date);
		CHECK_ROW(row->day, usable == row->usable, "%s: usable %d", members[i % 2], usable);
	}
}

/* A list of issuer's with that number (-1: none). */
static void make_crl(struct buf *ret_pem, const struct peer_cert *issuer, int64_t number)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *t = ASN1_TIME_set(NULL, 1750000000);
	ASN1_INTEGER *n = ASN1_INTEGER_new();
	unsigned char *der = NULL;
	int len;

	X509_CRL_set_version(crl, 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(issuer->cert));
	X509_CRL_set1_lastUpdate(crl, t);
	X509_CRL_set1_nextUpdate(crl, t);
	ASN1_INTEGER_set_int64(n, number);
	X509_CRL_add1_ext_i2d(crl, NID_crl_number, n, 0, X509V3_ADD_DEFAULT);
	CU_ASSERT(X509_CRL_sign(crl, issuer->key, EVP_sha256()) > 0);
	len = i2d_X509_CRL(crl, &der);
	pem_write(ret_pem, "X509 CRL", (struct span){(char *)der, (size_t)len});
	OPENSSL_free(der);
	ASN1_INTEGER_free(n);
	ASN1_TIME_free(t);
	X509_CRL_free(crl);
}

static void test_lists(void)
{
	static const char *const issuers[] = {
		"Intel SGX Root CA",
		"Intel SGX PCK Processor CA",
		"Intel SGX PCK Platform CA",
		"ARK-Milan",
		"ARK-Genoa",
		"ARK-Turin",
	};
	static const struct {
		int64_t number, there;
	} rows[] = {{5, 5}, {4, 5}, {6, 6}, {6, 6}, {1, 6}};

	for (size_t i = 0; i < ARRAY_SIZE(issuers); i++) {
		_cleanup_(collateral_free_p) struct collateral *c = NULL;
		struct peer_cert issuer;
		struct crl **at[] = {NULL, NULL, NULL, NULL, NULL, NULL};

		if (collateral_new(&c, NULL) < 0 ||
			!peer_cert_make(&issuer, issuers[i], NULL, false))
			return;
		at[0] = &c->intel.root_crl;
		at[1] = &c->intel.pck_crl[PCK_CA_PROCESSOR];
		at[2] = &c->intel.pck_crl[PCK_CA_PLATFORM];
		for (size_t k = 0; k < SNP_PRODUCT_N; k++)
			at[3 + k] = &c->amd.crl[k];
		for (size_t k = 0; k < ARRAY_SIZE(rows); k++) {
			_cleanup_buf_ struct buf pem = BUF_INIT(1 << 16);
			struct error err = {0};

			make_crl(&pem, &issuer, rows[k].number);
			CHECK_ROW(issuers[i], collateral_add(c, buf_view(&pem), "in", &err) == 0,
				"%s", err.message);
			CHECK_ROW(issuers[i], *at[i] && (*at[i])->number == rows[k].there,
				"row %zu", k);
		}
		for (size_t k = 0; k < ARRAY_SIZE(at); k++)
			CHECK_ROW(issuers[i], k == i || !*at[k], "also %s", issuers[k]);
		peer_cert_free(&issuer);
	}
}

/* What was written is read as the same, whatever the order of arrival. */
static void test_bundle(void)
{
	static const char *const paths[] = {
		SGX_SET,
		TDX_SET,
		"dcap-qvl/tdx_quote_outdated_collateral.json",
		"virtee-sev/vcek_milan.der",
		"virtee-sev/vcek_turin.der",
		"virtee-sev/cert_chain_turin",
		"amd-roots/milan_ask_ark_asvk.pem",
		"go-tdx-guest/rootcrl.der",
	};
	static const char what[] =
		"sgx:00a067110000 tdx:90c06f000000 tdx:b0c06f000000 QE TD_QE root signer processor "
		"platform root-crl processor-crl platform-crl";
	_cleanup_buf_ struct buf first = BUF_INIT(1 << 20), second = BUF_INIT(1 << 20);
	_cleanup_buf_ struct buf third = BUF_INIT(1 << 20), small = BUF_INIT(100);
	_cleanup_(collateral_free_p) struct collateral *a = NULL, *b = NULL, *read = NULL;
	_cleanup_(collateral_free_p) struct collateral *broken = NULL;
	struct error err = {0};

	if (collateral_new(&a, &err) < 0 || collateral_new(&b, &err) < 0 ||
		collateral_new(&read, &err) < 0 || collateral_new(&broken, &err) < 0)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const char *other = paths[ARRAY_SIZE(paths) - 1 - i];

		CU_ASSERT(collateral_add(a, vector(paths[i]), paths[i], &err) == 0);
		CU_ASSERT(collateral_add(b, vector(other), other, &err) == 0);
	}
	CHECK_ROW("first", collateral_write(&first, a, &err) == 0, "%s", err.message);
	CHECK_ROW("second", collateral_write(&second, b, &err) == 0, "%s", err.message);
	CU_ASSERT(first.len > 10000 && span_equal(buf_view(&first), buf_view(&second)));
	CHECK_ROW(
		"read", collateral_add(read, buf_view(&first), "in", &err) == 0, "%s", err.message);
	CHECK_ROW("third", collateral_write(&third, read, &err) == 0, "%s", err.message);
	CU_ASSERT(span_equal(buf_view(&first), buf_view(&third)));
	{
		_cleanup_buf_ struct buf b2 = say(read);

		CHECK_ROW("read", span_starts(buf_view(&b2), what), "%s", b2.p);
		CHECK_ROW("read", b2.p && strstr(b2.p, " leaves:2"), "%s", b2.p);
	}
	CU_ASSERT_EQUAL(collateral_write(&small, a, &err), -E2BIG);
	CU_ASSERT(collateral_add(broken, vector("trustee/tcbInfo.json"), "in", &err) == 0);
	buf_reset(&third);
	CU_ASSERT_EQUAL(collateral_write(&third, broken, &err), -EBADMSG);
	CHECK_ROW("broken", strstr(err.message, "TCB info: there is no issuer chain"), "%s",
		err.message);
}

CU_TestInfo collateral_tests[] = {
	{"files", test_files},
	{"folders", test_folders},
	{"folder of links", test_folder_of_links},
	{"forms", test_forms},
	{"refused", test_refused},
	{"cut", test_cut},
	{"newer", test_newer},
	{"lists", test_lists},
	{"bundle", test_bundle},
	CU_TEST_INFO_NULL,
};
