/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/pck.h"

#include "common/base/codec.h"
#include "common/tee/der.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

#define SGX_OID "1.2.840.113741.1.13.1"

/* The first certificate of a PEM file, or of the PEM inside of a quote. */
static struct cert *leaf_of(const char *path)
{
	static const char end[] = "-----END CERTIFICATE-----";
	struct span q = vector(path);
	const char *p = memmem(q.p, q.len, "-----BEGIN", 10);
	const char *e = p ? memmem(p, q.len - (size_t)(p - q.p), end, sizeof(end) - 1) : NULL;
	struct cert *c = NULL;
	struct error err = {0};
	int r = -EBADMSG;

	if (e)
		r = cert_parse_pem(
			&c, 1, (struct span){p, (size_t)(e - p) + sizeof(end) - 1}, &err);
	CHECK_ROW(path, r == 1, "%s", err.message);
	return c;
}

static void check_hex(const char *row, const unsigned char *p, size_t len, const char *want)
{
	_cleanup_buf_ struct buf hex = BUF_INIT(128);

	codec_hex(&hex, p, len);
	CHECK_STR(row, buf_view(&hex), want);
}

static void test_real_leaves(void)
{
	static const struct {
		const char *path, *fmspc, *svns; /* components and CPUSVN, equal in all of them */
		enum pck_ca ca;
		unsigned pcesvn, sgx_type;
		int dynamic, cached, smt;
	} rows[] = {
		{"dcap-qvl/sgx_quote", "00a067110000", "0b0b0202ff0100000000000000000000",
			PCK_CA_PROCESSOR, 13, 0, -1, -1, -1},
		{"dcap-qvl/tdx_quote", "b0c06f000000", "03030202040100050000000000000000",
			PCK_CA_PLATFORM, 11, 1, 1, 1, 1},
		{"go-tdx-guest/quote_v5_sample.dat", "90c06f000000",
			"04040202040100050000000000000000", PCK_CA_PLATFORM, 13, 1, 1, 1, 1},
		{"go-tdx-guest/tdx_prod_quote_SPR_E4.dat", "50806f000000",
			"03030202020100020000000000000000", PCK_CA_PLATFORM, 11, 1, 1, 0, 1},
		{"trustee/tdx_quote_6.dat", "00a06d080000", "02020707040100020000000000000000",
			PCK_CA_PLATFORM, 11, 2, 1, 0, 1},
		{"trustee/occlum_quote.dat", "00606a000000", "04040303ffff00000000000000000000",
			PCK_CA_PLATFORM, 11, 1, 1, 1, 1},
		{"intel-qvl/pckCert.pem", "00707f000000", "00030000000101000000000000000000",
			PCK_CA_PROCESSOR, 3, 0, -1, -1, -1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(cert_unref_p) struct cert *c = leaf_of(rows[i].path);
		const char *name = rows[i].path;
		struct error err = {0};
		struct pck p = {0};

		if (!c || !CHECK_ROW(name, pck_read(&p, c, &err) == 0, "%s", err.message))
			continue;
		check_hex(name, p.fmspc, 6, rows[i].fmspc);
		check_hex(name, p.components, 16, rows[i].svns);
		check_hex(name, p.cpusvn, 16, rows[i].svns);
		CHECK_ROW(name,
			p.ca == rows[i].ca && p.pcesvn == rows[i].pcesvn &&
				p.sgx_type == rows[i].sgx_type &&
				p.dynamic_platform == rows[i].dynamic &&
				p.cached_keys == rows[i].cached && p.smt_enabled == rows[i].smt &&
				p.has_platform_instance_id == (p.ca == PCK_CA_PLATFORM),
			"CA %d, PCESVN %u, type %u, %d %d %d", p.ca, p.pcesvn, p.sgx_type,
			p.dynamic_platform, p.cached_keys, p.smt_enabled);
		CHECK_ROW(name, p.pceid[0] == 0 && p.pceid[1] == 0, "PCE-ID");
	}
}

/* Seven of one platform. They were issued by nobody who may. */
static void test_samples(void)
{
	static const struct {
		const char *path;
		unsigned pcesvn;
	} rows[] = {
		{"sgx-dcap/PCKCertSelection-SampleData/pck0_sample.pem", 6},
		{"sgx-dcap/PCKCertSelection-SampleData/pck1_sample.pem", 5},
		{"sgx-dcap/PCKCertSelection-SampleData/pck2_sample.pem", 4},
		{"sgx-dcap/PCKCertSelection-SampleData/pck3_sample.pem", 4},
		{"sgx-dcap/PCKCertSelection-SampleData/pck4_sample.pem", 7},
		{"sgx-dcap/PCKCertSelection-SampleData/pck5_sample.pem", 8},
		{"sgx-dcap/PCKCertSelection-SampleData/pck6_sample.pem", 5},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_(cert_unref_p) struct cert *c = leaf_of(rows[i].path);
		struct error err = {0};
		struct pck p = {0};

		if (!c)
			continue;
		CHECK_ROW(rows[i].path, pck_read(&p, c, &err) == -EBADMSG, "accepted");
		CHECK_ROW(rows[i].path,
			pck_read_extension(
				&p, PCK_CA_PROCESSOR, cert_extension(c, SGX_OID), &err) == 0,
			"%s", err.message);
		check_hex(rows[i].path, p.fmspc, 6, "00707f000000");
		CHECK_ROW(rows[i].path, p.pcesvn == rows[i].pcesvn && p.components[0] == 1,
			"PCESVN %u, first component %u", p.pcesvn, p.components[0]);
	}
}

/* OBJECT IDENTIFIER 1.2.840.113741.1.13.1 and one more number. */
#define OID1 "\x06\x0a\x2a\x86\x48\x86\xf8\x4d\x01\x0d\x01"
#define OID2 "\x06\x0b\x2a\x86\x48\x86\xf8\x4d\x01\x0d\x01"

/* The same length, something else in it: the first from becomes to. */
static void test_wrong_extensions(void)
{
	static const struct {
		const char *name;
		enum pck_ca ca;
		struct span from, to;
		bool ok;
	} rows[] = {
		{"nothing changed", PCK_CA_PLATFORM, {"", 0}, {"", 0}, true},
		{"a Processor CA's has no more than 5", PCK_CA_PROCESSOR, {"", 0}, {"", 0}, false},
		{"PPID twice, no PCE-ID", PCK_CA_PLATFORM, SPAN_LIT(OID1 "\x03"),
			SPAN_LIT(OID1 "\x01"), false},
		{"configuration twice, no SGX type", PCK_CA_PLATFORM, SPAN_LIT(OID1 "\x05"),
			SPAN_LIT(OID1 "\x07"), false},
		{"an element 8", PCK_CA_PLATFORM, SPAN_LIT(OID1 "\x06"), SPAN_LIT(OID1 "\x08"),
			false},
		{"an element 0", PCK_CA_PLATFORM, SPAN_LIT(OID1 "\x06"), SPAN_LIT(OID1 "\0"),
			false},
		{"another name", PCK_CA_PLATFORM, SPAN_LIT("\x0d\x01\x04"),
			SPAN_LIT("\x0d\x02\x04"), false},
		{"another kind of PPID", PCK_CA_PLATFORM, SPAN_LIT(OID1 "\x01\x04"),
			SPAN_LIT(OID1 "\x01\x05"), false},
		{"another kind of FMSPC", PCK_CA_PLATFORM, SPAN_LIT(OID1 "\x04\x04"),
			SPAN_LIT(OID1 "\x04\x02"), false},
		{"SGX type 2", PCK_CA_PLATFORM, SPAN_LIT("\x0a\x01\x01"), SPAN_LIT("\x0a\x01\x02"),
			true},
		{"SGX type 3", PCK_CA_PLATFORM, SPAN_LIT("\x0a\x01\x01"), SPAN_LIT("\x0a\x01\x03"),
			false},
		{"SGX type as INTEGER", PCK_CA_PLATFORM, SPAN_LIT("\x0a\x01\x01"),
			SPAN_LIT("\x02\x01\x01"), false},
		{"component 1 of 127", PCK_CA_PLATFORM, SPAN_LIT(OID2 "\x02\x01\x02\x01\x03"),
			SPAN_LIT(OID2 "\x02\x01\x02\x01\x7f"), true},
		{"component 1 below 0", PCK_CA_PLATFORM, SPAN_LIT(OID2 "\x02\x01\x02\x01\x03"),
			SPAN_LIT(OID2 "\x02\x01\x02\x01\x80"), false},
		{"component 2 twice, no 1", PCK_CA_PLATFORM, SPAN_LIT(OID2 "\x02\x01"),
			SPAN_LIT(OID2 "\x02\x02"), false},
		{"component 19", PCK_CA_PLATFORM, SPAN_LIT(OID2 "\x02\x01"),
			SPAN_LIT(OID2 "\x02\x13"), false},
		{"a component of another sequence", PCK_CA_PLATFORM, SPAN_LIT(OID2 "\x02\x01"),
			SPAN_LIT(OID2 "\x07\x01"), false},
		{"a flag that is false", PCK_CA_PLATFORM, SPAN_LIT("\x01\x01\xff"),
			SPAN_LIT("\x01\x01\0"), true},
		{"a flag neither true nor false", PCK_CA_PLATFORM, SPAN_LIT("\x01\x01\xff"),
			SPAN_LIT("\x01\x01\x01"), false},
		{"flag 2 twice, no 1", PCK_CA_PLATFORM, SPAN_LIT(OID2 "\x07\x01"),
			SPAN_LIT(OID2 "\x07\x02"), false},
		{"flag 4", PCK_CA_PLATFORM, SPAN_LIT(OID2 "\x07\x01"), SPAN_LIT(OID2 "\x07\x04"),
			false},
	};
	_cleanup_(cert_unref_p) struct cert *c = leaf_of("dcap-qvl/tdx_quote");
	struct span extension = c ? cert_extension(c, SGX_OID) : SPAN_NONE;

	for (size_t i = 0; extension.len && i < ARRAY_SIZE(rows); i++) {
		_cleanup_free_ char *copy = malloc(extension.len);
		struct error err = {0};
		struct pck p;
		char *at;
		int r;

		memcpy(copy, extension.p, extension.len);
		at = memmem(copy, extension.len, rows[i].from.p, rows[i].from.len);
		if (!CHECK_ROW(rows[i].name, at && rows[i].from.len == rows[i].to.len, "not there"))
			continue;
		memcpy(at, rows[i].to.p, rows[i].to.len);
		r = pck_read_extension(&p, rows[i].ca, (struct span){copy, extension.len}, &err);
		CHECK_ROW(rows[i].name, r == (rows[i].ok ? 0 : -EBADMSG), "%d: %s", r, err.message);
	}
}

/* 5, 6 or 7 elements behind a Platform CA, 5 behind a Processor CA. */
static void test_how_many(void)
{
	_cleanup_(cert_unref_p) struct cert *c = leaf_of("dcap-qvl/tdx_quote");
	struct span extension = c ? cert_extension(c, SGX_OID) : SPAN_NONE, list, item;

	CU_ASSERT(der_take(&extension, DER_SEQUENCE, &list));
	extension = list;
	for (int n = 0; n <= 7; n++) {
		/* so many of its elements, in a sequence of two bytes of length */
		_cleanup_buf_ struct buf b = BUF_INIT(1024);
		size_t len = (size_t)(list.p - extension.p);
		const char header[] = {0x30, (char)0x82, (char)(len >> 8), (char)len};
		struct pck p;

		if (len > 255) {
			buf_add(&b, header, 4);
			buf_add(&b, extension.p, len);
			CU_ASSERT_EQUAL(pck_read_extension(&p, PCK_CA_PLATFORM, buf_view(&b), NULL),
				n >= 5 ? 0 : -EBADMSG);
			CU_ASSERT_EQUAL(
				pck_read_extension(&p, PCK_CA_PROCESSOR, buf_view(&b), NULL),
				n == 5 ? 0 : -EBADMSG);
		}
		CU_ASSERT_EQUAL(der_take(&list, DER_SEQUENCE, &item), n < 7);
	}
}

static void test_truncations(void)
{
	_cleanup_(cert_unref_p) struct cert *c = leaf_of("dcap-qvl/tdx_quote");
	struct span extension = c ? cert_extension(c, SGX_OID) : SPAN_NONE;

	for (size_t n = 0; n < extension.len; n++) {
		_cleanup_free_ char *copy = malloc(n + 1);
		struct pck p;

		memcpy(copy, extension.p, n);
		CHECK_ROW("truncated",
			pck_read_extension(&p, PCK_CA_PLATFORM, (struct span){copy, n}, NULL) ==
				-EBADMSG,
			"at %zu", n);
	}
}

const CU_TestInfo pck_tests[] = {
	{"real PCK certificates", test_real_leaves},
	{"Intel's samples", test_samples},
	{"extensions with something wrong", test_wrong_extensions},
	{"how many elements there may be", test_how_many},
	{"no part is an extension", test_truncations},
	CU_TEST_INFO_NULL,
};
