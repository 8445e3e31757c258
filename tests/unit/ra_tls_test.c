/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/provision/ra_tls.h"

#include <errno.h>
#include <openssl/sha.h>

#include "common/tee/cert.h"
#include "tests/unit/ra_tls_world.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"

enum { DER_MAX = 1 << 16 };

static void test_good(void)
{
	static const struct {
		const char *name, *dice, *quote, *want;
		enum tee_key key;
		const char *md;
	} rows[] = {
		{"both", "dice", "legacy", "dice", TEE_KEY_VCEK, "SHA256"},
		{"DICE", "dice", NULL, "dice", TEE_KEY_VCEK, "SHA256"},
		{"legacy", NULL, "legacy", "legacy", TEE_KEY_VCEK, "SHA256"},
		{"legacy, SHA-384", NULL, "legacy", "legacy", TEE_KEY_VCEK, "SHA384"},
		{"legacy, P-256", NULL, "legacy", "legacy", TEE_KEY_OTHER, "SHA256"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_ra_tls_world_ struct ra_tls_world w;
		_cleanup_buf_ struct buf der = BUF_INIT(DER_MAX);
		_cleanup_ra_tls_ struct ra_tls c = {0};
		unsigned char want[RA_TLS_REPORT_DATA] = {0};
		enum reason reason = REASON_N;
		struct error err = {0};

		ra_tls_world(&w, rows[i].dice, rows[i].quote);
		w.cert.key = w.cert.signer = rows[i].key;
		w.cert.md = rows[i].md;
		tee_cert_der(&w.cert, &der);
		if (!CHECK_ROW(rows[i].name,
			    ra_tls_read(&c, buf_view(&der), RA_TLS_WORLD_NOW, &reason, &err) == 0,
			    "%s", err.message))
			continue;
		CHECK_STR(rows[i].name, c.quote, rows[i].want);
		if (rows[i].dice)
			SHA256((const unsigned char *)w.claims.p, w.claims.len, want);
		else
			ra_tls_world_key_hash(rows[i].key, want);
		CHECK_ROW(rows[i].name, memcmp(want, c.report_data, sizeof(want)) == 0,
			"another report data");
	}
}

/* Neither a part of it nor anything else with one bit turned is read. */
static void turn(const char *name, struct span right)
{
	_cleanup_buf_ struct buf der = BUF_INIT(DER_MAX);

	buf_span(&der, right);
	for (size_t n = 0; n < der.len; n++) {
		_cleanup_ra_tls_ struct ra_tls c = {0};
		enum reason reason;

		CHECK_ROW(name,
			ra_tls_read(&c, (struct span){der.p, n}, RA_TLS_WORLD_NOW, &reason, NULL) <
				0,
			"%zu bytes are read", n);
	}
	for (size_t bit = 0; bit < 8 * der.len; bit++) {
		_cleanup_ra_tls_ struct ra_tls c = {0};
		enum reason reason;

		der.p[bit / 8] = (char)(der.p[bit / 8] ^ 1 << bit % 8);
		CHECK_ROW(name,
			ra_tls_read(&c, buf_view(&der), RA_TLS_WORLD_NOW, &reason, NULL) < 0,
			"bit %zu of byte %zu turned", bit % 8, bit / 8);
		der.p[bit / 8] = (char)(der.p[bit / 8] ^ 1 << bit % 8);
	}
}

/* As mbedTLS 2.28 writes it when it is called as Gramine's library calls it. */
static void test_mbedtls(void)
{
	struct span der = vector("synthetic/ra-tls-mbedtls.der");
	_cleanup_ra_tls_ struct ra_tls c = {0};
	enum reason reason = REASON_N;
	struct error err = {0};

	if (!CHECK_ROW("mbedTLS", ra_tls_read(&c, der, RA_TLS_WORLD_NOW, &reason, &err) == 0, "%s",
		    err.message))
		return;
	CHECK_STR("mbedTLS", c.quote, "dice");
	turn("mbedTLS", der);
}

static void another_key(struct ra_tls_world *w)
{
	w->cert.key = w->cert.signer = TEE_KEY_OTHER_P384;
}

static void signed_by_another(struct ra_tls_world *w)
{
	w->cert.signer = TEE_KEY_OTHER_P384;
}

static void issued(struct ra_tls_world *w)
{
	w->cert.issuer = "an authority";
}

static void rsa(struct ra_tls_world *w)
{
	w->cert.key = w->cert.signer = TEE_KEY_OTHER_RSA;
	w->cert.md = NULL;
}

static void sha512(struct ra_tls_world *w)
{
	w->cert.md = "SHA512";
}

static void expired(struct ra_tls_world *w)
{
	w->cert.not_after = RA_TLS_WORLD_NOW - 1;
}

static void early(struct ra_tls_world *w)
{
	w->cert.not_before = RA_TLS_WORLD_NOW + 1;
}

static void bare(struct ra_tls_world *w)
{
	w->cert.extensions[0].oid = w->cert.extensions[1].oid = NULL;
}

static void critical(struct ra_tls_world *w)
{
	w->cert.extensions[1].critical = true;
}

static void twice(struct ra_tls_world *w)
{
	w->cert.extensions[2] = w->cert.extensions[1];
}

static void version_1(struct ra_tls_world *w)
{
	w->cert.version_1 = true;
}

static void broken(struct ra_tls_world *w)
{
	w->cert.break_signature = true;
}

static void broken_dice(struct ra_tls_world *w)
{
	w->dice.p[0] = '\x01';
}

/* The algorithm of the only claim, behind its name. */
static void other_hash(struct ra_tls_world *w)
{
	char *name = memmem(w->dice.p, w->dice.len, "pubkey-hash", 11);

	name[14] = 5;
}

static void test_bad(void)
{
	static const struct {
		const char *name;
		void (*change)(struct ra_tls_world *w);
		enum reason reason;
		const char *says;
	} rows[] = {
		{"another key than the claims'", another_key, REASON_ReportDataMismatch,
			"another key"},
		{"signed by another key", signed_by_another, REASON_Malformed, "its own key"},
		{"issued by another", issued, REASON_Malformed, "not self-signed"},
		{"a key of RSA", rsa, REASON_UnsupportedVersion, "P-256"},
		{"signed with SHA-512", sha512, REASON_UnsupportedVersion, "SHA-256"},
		{"expired", expired, REASON_CertificateExpired, "not valid"},
		{"not yet valid", early, REASON_CertificateExpired, "not valid"},
		{"no evidence", bare, REASON_Malformed, "no evidence"},
		{"a critical extension", critical, REASON_Malformed, "critical"},
		{"an extension twice", twice, REASON_Malformed, "twice"},
		{"version 1", version_1, REASON_Malformed, "version 3"},
		{"a broken signature", broken, REASON_Malformed, ""},
		{"broken DICE, though the other is right", broken_dice, REASON_Malformed, "60000"},
		{"a hash that is not known", other_hash, REASON_UnsupportedVersion, "SHA-256"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_ra_tls_world_ struct ra_tls_world w;
		_cleanup_buf_ struct buf der = BUF_INIT(DER_MAX);
		_cleanup_ra_tls_ struct ra_tls c = {0};
		enum reason reason = REASON_N;
		struct error err = {0};
		int r;

		ra_tls_world(&w, "dice", "legacy");
		rows[i].change(&w);
		tee_cert_der(&w.cert, &der);
		r = ra_tls_read(&c, buf_view(&der), RA_TLS_WORLD_NOW, &reason, &err);
		CHECK_ROW(rows[i].name, r == -EACCES || r == -EBADMSG, "%d", r);
		CHECK_ROW(rows[i].name,
			reason == rows[i].reason && strstr(err.message, rows[i].says), "%s: %s",
			reason < REASON_N ? reason_name(reason) : "none", err.message);
	}
}

/* One extension at a time, so that each bit of both is turned. */
static void turn_made(const char *name, const char *dice, const char *quote)
{
	_cleanup_ra_tls_world_ struct ra_tls_world w;
	_cleanup_buf_ struct buf der = BUF_INIT(DER_MAX);

	ra_tls_world(&w, dice, quote);
	tee_cert_der(&w.cert, &der);
	turn(name, buf_view(&der));
}

static void test_turned(void)
{
	turn_made("DICE", "dice", NULL);
	turn_made("legacy", NULL, "legacy");
}

static void test_long(void)
{
	_cleanup_buf_ struct buf der = BUF_INIT(DER_MAX);
	_cleanup_ra_tls_ struct ra_tls c = {0};
	enum reason reason = REASON_N;
	struct error err = {0};

	while (der.len <= RA_TLS_DER_MAX)
		buf_putc(&der, '0');
	CU_ASSERT_EQUAL(ra_tls_read(&c, buf_view(&der), 0, &reason, &err), -EBADMSG);
	CU_ASSERT_EQUAL(reason, REASON_Malformed);
}

const CU_TestInfo ra_tls_tests[] = {
	{"good", test_good},
	{"mbedtls", test_mbedtls},
	{"bad", test_bad},
	{"turned", test_turned},
	{"long", test_long},
	CU_TEST_INFO_NULL,
};
