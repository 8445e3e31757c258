/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/collateral/inventory.h"

#include "common/base/json.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

#define SGX_SET  "dcap-qvl/sgx_quote_collateral.json"
#define SGX_TIME 1751000000 /* when all of it holds */

enum { PATHS_MAX = 3 };

struct fix {
	struct collateral *c;
	struct inventory inv;
};

static bool fix_begin(
	struct fix *f, const char *const paths[PATHS_MAX], const char *root, int64_t now)
{
	struct error err = {0};
	int r;

	*f = (struct fix){0};
	r = collateral_new(&f->c, &err);
	if (r == 0 && root)
		r = roots_add(&f->c->roots, vector(root), &err);
	for (size_t i = 0; r == 0 && i < PATHS_MAX && paths[i]; i++)
		r = collateral_add(f->c, vector(paths[i]), paths[i], &err);
	if (r == 0)
		r = inventory_make(&f->inv, f->c, now, &err);
	return CHECK_ROW(paths[0], r == 0, "%s", err.message);
}

static void fix_end(struct fix *f)
{
	inventory_free(&f->inv);
	collateral_free(f->c);
}

static const struct inventory_item *find(
	const struct inventory *inv, const char *kind, const char *subject, const char *issuer)
{
	for (size_t i = 0; i < inv->n; i++) {
		const struct inventory_item *it = &inv->items[i];

		if (strcmp(it->kind, kind) == 0 &&
			(!subject || strcmp(it->subject, subject) == 0) &&
			(!issuer || strcmp(it->issuer, issuer) == 0))
			return it;
	}
	return NULL;
}

static void test_problems(void)
{
	static const struct {
		const char *name, *paths[PATHS_MAX], *root;
		int64_t now;
		const char *kind, *subject, *issuer; /* of the piece that is looked at */
		enum reason want;
		const char *note;
		size_t problems; /* of all */
	} rows[] = {
		{"in time", {SGX_SET}, NULL, SGX_TIME, "tcb-info", "sgx 00a067110000", NULL,
			REASON_Ok, "", 0},
		{"first second", {SGX_SET}, NULL, 1750330571, "tcb-info", NULL, NULL, REASON_Ok, "",
			0},
		{"a second early", {SGX_SET}, NULL, 1750330570, "tcb-info", NULL, NULL,
			REASON_CollateralExpired, "it is not valid before 2025-06-19T10:56:11Z", 1},
		{"last second", {SGX_SET}, NULL, 1752919278, "qe-identity", "QE", NULL, REASON_Ok,
			"", 0},
		{"a second late", {SGX_SET}, NULL, 1752919279, "qe-identity", "QE", NULL,
			REASON_CollateralExpired, "it was valid until 2025-07-19T10:01:18Z", 1},
		{"list, late", {SGX_SET}, NULL, 1752922571, "crl", NULL,
			"Intel SGX PCK Processor CA", REASON_CrlExpired, "it was valid until", 2},
		{"certificate, late", {"go-tdx-guest/tcb_info_issuer_chain.pem"}, NULL, 1751000000,
			"certificate", "Intel SGX TCB Signing", NULL, REASON_CertificateExpired,
			"it was valid until 2025-05-21", 1},
		{"list alone", {"go-tdx-guest/pckcrl"}, NULL, 1687000000, "crl", NULL, NULL,
			REASON_Ok,
			"not checked: the certificate of \"Intel SGX PCK Platform CA\" is not here",
			0},
		{"list and CA", {"go-tdx-guest/pckcrl", "go-tdx-guest/pck_crl_issuer_chain.pem"},
			NULL, 1687000000, "crl", NULL, NULL, REASON_Ok, "", 0},
		{"list of another", {"intel-qvl/intermediateCaCrl.der", SGX_SET}, NULL, SGX_TIME,
			"crl", NULL, "Intel SGX PCK Processor CA", REASON_Ok, "", 0},
		{"CA of another root", {"intel-qvl/pckSignChain.pem"}, NULL, SGX_TIME,
			"certificate", "Intel SGX PCK Processor CA", NULL, REASON_UnknownRoot,
			"the \"Intel SGX Root CA\" that signed it is not the one that is trusted",
			2},
		{"another root", {"intel-qvl/pckSignChain.pem"}, NULL, SGX_TIME, "certificate",
			"Intel SGX Root CA", NULL, REASON_UnknownRoot, "this root is not trusted",
			2},
		{"another root, trusted", {"intel-qvl/pckSignChain.pem", "intel-qvl/pckCert.pem"},
			"intel-qvl/trustedRootCaCert.pem", 1700000000, "certificate",
			"Intel SGX PCK Certificate", NULL, REASON_Ok, "", 0},
		{"list of another CA of that name",
			{"intel-qvl/intermediateCaCrl.der", "intel-qvl/tdx/pckSignChain.pem"},
			"intel-qvl/tdx/trustedRootCaCert.pem", 1700000000, "crl", NULL, NULL,
			REASON_CollateralSignatureInvalid,
			"\"Intel SGX PCK Processor CA\" did not sign it", 1},
		{"leaf of another CA of that name",
			{"intel-qvl/pckCert.pem", "dcap-qvl/sgx_quote_collateral.json"}, NULL,
			SGX_TIME, "certificate", "Intel SGX PCK Certificate", NULL,
			REASON_ChainInvalid, "\"Intel SGX PCK Processor CA\" did not sign it", 1},
		{"chain missing", {"trustee/tcbInfo.json"}, NULL, 1761955200, "tcb-info",
			"tdx 00a06d080000", NULL, REASON_ChainInvalid, "there is no issuer chain",
			1},
		{"VCEK", {"virtee-sev/vcek_turin.der", "virtee-sev/cert_chain_turin"}, NULL,
			1740000000, "certificate", "SEV-VCEK Turin 1e550a8ee5cf9f4d", "SEV-Turin",
			REASON_Ok, "", 0},
		{"VCEK alone", {"virtee-sev/vcek_turin.der"}, NULL, 1740000000, "certificate", NULL,
			NULL, REASON_Ok, "not checked: the certificate of \"SEV-Turin\"", 0},
		{"VCEK of a VLEK's issuer",
			{"go-sev-guest/milanvlek.testcer", "virtee-sev/vcek_milan.der"}, NULL,
			1740000000, "certificate", "SEV-VLEK-Milan", "ARK-Milan", REASON_Ok, "", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct inventory_item *it;
		struct fix f;

		if (fix_begin(&f, rows[i].paths, rows[i].root, rows[i].now)) {
			it = find(&f.inv, rows[i].kind, rows[i].subject, rows[i].issuer);
			CHECK_ROW(rows[i].name, it && it->problem == rows[i].want, "%s: %s",
				it ? reason_name(it->problem) : "not there", it ? it->note : "");
			CHECK_ROW(rows[i].name,
				it && (rows[i].note[0] ? strstr(it->note, rows[i].note) != NULL
						       : !it->note[0]),
				"%s", it ? it->note : "");
			CHECK_ROW(rows[i].name, f.inv.problems == rows[i].problems, "%zu problems",
				f.inv.problems);
		}
		fix_end(&f);
	}
}

static void test_output(void)
{
	static const char *const paths[PATHS_MAX] = {SGX_SET};
	static const struct json_limits limits = {1 << 20, 1 << 12, 8};
	_cleanup_buf_ struct buf table = BUF_INIT(1 << 16), text = BUF_INIT(1 << 16);
	_cleanup_buf_ struct buf none = BUF_INIT(1 << 16);
	_cleanup_json_ struct json doc = {0}, empty = {0};
	struct inventory nothing = {0};
	struct json_val items, first;
	struct fix f;
	int64_t n;

	if (fix_begin(&f, paths, NULL, SGX_TIME)) {
		CU_ASSERT_EQUAL(inventory_table(&table, &f.inv), 0);
		CU_ASSERT(span_starts(buf_view(&table),
			"tcb-info     sgx 00a067110000  (Intel SGX TCB Signing, number 17)  "
			"2025-06-19T10:56:11Z to 2025-07-19T10:56:11Z\nqe-identity"));
		CU_ASSERT_EQUAL(inventory_json(&text, &f.inv), 0);
		CU_ASSERT_EQUAL(json_parse(&doc, buf_view(&text), &limits, NULL), 0);
		items = json_get(json_root(&doc), "items");
		CU_ASSERT_EQUAL(json_count(items), 7);
		CU_ASSERT(json_int(json_get(json_root(&doc), "problems"), &n) && n == 0);
		first = json_at(items, 0);
		CU_ASSERT(json_str_is(json_get(first, "kind"), "tcb-info"));
		CU_ASSERT(json_str_is(json_get(first, "until"), "2025-07-19T10:56:11Z"));
		CU_ASSERT(json_str_is(json_get(first, "reason"), "Ok"));
		CU_ASSERT(json_int(json_get(first, "number"), &n) && n == 17);
		CU_ASSERT(!json_exists(json_get(json_at(items, 6), "number")));
	}
	fix_end(&f);
	CU_ASSERT_EQUAL(inventory_json(&none, &nothing), 0);
	CU_ASSERT_EQUAL(json_parse(&empty, buf_view(&none), &limits, NULL), 0);
}

CU_TestInfo inventory_tests[] = {
	{"problems", test_problems},
	{"output", test_output},
	CU_TEST_INFO_NULL,
};
