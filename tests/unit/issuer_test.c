/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens of pods by the keys of their issuer: RS256 and ES256, whatever may be wrong about keys,
 * header, signature and claims. */
#include "webhook/broker/issuer.h"

#include <errno.h>
#include <openssl/rsa.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/codec.h"
#include "tests/unit/test.h"

#define NOW 1790000000

DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free)

static const struct issuer_rules rules = {"https://issuer.example", "casemate.dev"};

/* Two keys of an issuer, and one that is nobody's. */
struct world {
	EVP_PKEY *rsa, *ec, *other;
	struct jwks keys;
};

static void add_key(struct buf *set, const char *id, const EVP_PKEY *key, const char *alg)
{
	_cleanup_buf_ struct buf jwk = BUF_INIT(4096);

	jwk_write(&jwk, key, alg);
	buf_printf(set, "%s{\"kid\":\"%s\",\"use\":\"sig\",%.*s", set->len ? "," : "", id,
		(int)jwk.len - 1, jwk.p + 1);
}

static bool begin(struct world *w)
{
	_cleanup_buf_ struct buf keys = BUF_INIT(16384), set = BUF_INIT(16384);
	struct error err = {0};

	*w = (struct world){.rsa = EVP_RSA_gen(2048),
		.ec = jwk_generate(JWK_EC_P256),
		.other = jwk_generate(JWK_EC_P256)};
	if (!w->rsa || !w->ec || !w->other)
		return false;
	add_key(&keys, "r1", w->rsa, "RS256");
	add_key(&keys, "e1", w->ec, "ES256");
	buf_printf(&set, "{\"keys\":[" SPAN_FMT "]}", SPAN_ARG(buf_view(&keys)));
	return CHECK_ROW("keys", jwks_read(&w->keys, buf_view(&set), &err) == 0 && w->keys.n == 2,
		"%s", err.message);
}

static void end(struct world *w)
{
	jwks_free(&w->keys);
	EVP_PKEY_free(w->rsa);
	EVP_PKEY_free(w->ec);
	EVP_PKEY_free(w->other);
}

static void sign_rs256(struct buf *out, struct span header, struct span payload, EVP_PKEY *key)
{
	_cleanup_(EVP_MD_CTX_free_p) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	unsigned char sig[512];
	size_t len = sizeof(sig);

	codec_base64url(out, header.p, header.len);
	buf_putc(out, '.');
	codec_base64url(out, payload.p, payload.len);
	CU_ASSERT(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
		  EVP_DigestSign(ctx, sig, &len, (unsigned char *)out->p, out->len) == 1);
	buf_putc(out, '.');
	codec_base64url(out, sig, len);
}

static void sign(struct buf *out, const char *header, const char *payload, EVP_PKEY *key)
{
	if (EVP_PKEY_is_a(key, "RSA"))
		sign_rs256(out, span_str(header), span_str(payload), key);
	else
		CU_ASSERT_EQUAL(
			jws_sign_es256(out, span_str(header), span_str(payload), key, NULL), 0);
}

/*
 * Keys and signatures
 */

static void test_keys(void)
{
#define EC                                                                                         \
	"\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","  \
	"\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"" /* RFC 7515 A.3.1 */
	static const struct {
		const char *name, *json;
		int want; /* how many, or an error */
	} rows[] = {
		{"one", "{\"keys\":[{\"kid\":\"a\"," EC "}]}", 1},
		{"for signatures",
			"{\"keys\":[{\"kid\":\"a\",\"use\":\"sig\",\"alg\":\"ES256\"," EC "}]}", 1},
		{"another member", "{\"x\":1,\"keys\":[{\"kid\":\"a\",\"y9\":[]," EC "}]}", 1},
		{"beside others",
			"{\"keys\":[{\"kid\":\"b\",\"kty\":\"OKP\"},{\"kid\":\"a\"," EC "},7]}", 1},
		{"for encryption", "{\"keys\":[{\"kid\":\"a\",\"use\":\"enc\"," EC "}]}", -EBADMSG},
		{"of another algorithm",
			"{\"keys\":[{\"kid\":\"a\",\"alg\":\"ECDH-ES+A256KW\"," EC "}]}", -EBADMSG},
		{"private", "{\"keys\":[{\"kid\":\"a\",\"d\":\"AA\"," EC "}]}", -EBADMSG},
		{"without an id", "{\"keys\":[{" EC "}]}", -EBADMSG},
		{"an empty id", "{\"keys\":[{\"kid\":\"\"," EC "}]}", -EBADMSG},
		{"two of one id", "{\"keys\":[{\"kid\":\"a\"," EC "},{\"kid\":\"a\"," EC "}]}",
			-EBADMSG},
		{"off the curve",
			"{\"keys\":[{\"kid\":\"a\",\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
			"\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\",\"y\":"
			"\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}]}",
			-EBADMSG},
		{"none", "{\"keys\":[]}", -EBADMSG},
		{"no list", "{\"keys\":{\"kid\":\"a\"," EC "}}", -EBADMSG},
		{"no set", "[]", -EBADMSG},
		{"twice the member", "{\"keys\":[],\"keys\":[{\"kid\":\"a\"," EC "}]}", -EBADMSG},
		{"nothing", "", -EBADMSG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_jwks_ struct jwks s = {0};
		struct error err = {0};
		int r = jwks_read(&s, span_str(rows[i].json), &err);

		CHECK_ROW(rows[i].name,
			rows[i].want > 0 ? r == 0 && s.n == (size_t)rows[i].want
					 : r == rows[i].want && s.n == 0 && err.message[0],
			"%d, %zu keys: %s", r, s.n, err.message);
	}
}

static void test_cut_keys(void)
{
	static const char text[] = "{\"keys\":[{\"kid\":\"a\"," EC "}]}";

	for (size_t n = 0; n + 1 < sizeof(text); n++) {
		_cleanup_jwks_ struct jwks s = {0};

		CU_ASSERT(jwks_read(&s, (struct span){text, n}, NULL) < 0);
	}
}

static void test_headers(void)
{
	static const struct {
		const char *name, *header;
		bool rsa;
		int want;
	} rows[] = {
		{"RS256", "{\"alg\":\"RS256\",\"kid\":\"r1\"}", true, 0},
		{"ES256", "{\"typ\":\"JWT\",\"alg\":\"ES256\",\"kid\":\"e1\"}", false, 0},
		{"none", "{\"alg\":\"none\",\"kid\":\"e1\"}", false, -EBADMSG},
		{"HS256", "{\"alg\":\"HS256\",\"kid\":\"r1\"}", true, -EBADMSG},
		{"RS512", "{\"alg\":\"RS512\",\"kid\":\"r1\"}", true, -EBADMSG},
		{"PS256", "{\"alg\":\"PS256\",\"kid\":\"r1\"}", true, -EBADMSG},
		{"no alg", "{\"kid\":\"e1\"}", false, -EBADMSG},
		{"the other's alg", "{\"alg\":\"RS256\",\"kid\":\"e1\"}", false, -EBADMSG},
		{"the other's key", "{\"alg\":\"ES256\",\"kid\":\"e1\"}", true, -EBADMSG},
		{"the other's key, its alg", "{\"alg\":\"RS256\",\"kid\":\"r1\"}", false,
			-EKEYREJECTED},
		{"an unknown key", "{\"alg\":\"ES256\",\"kid\":\"e2\"}", false, -EKEYREJECTED},
		{"no key", "{\"alg\":\"ES256\"}", false, -EKEYREJECTED},
		{"a key that is no text", "{\"alg\":\"ES256\",\"kid\":[\"e1\"]}", false,
			-EKEYREJECTED},
		{"a key of its own", "{\"alg\":\"ES256\",\"kid\":\"e2\",\"jwk\":{\"kty\":\"EC\"}}",
			false, -EKEYREJECTED},
		{"crit", "{\"alg\":\"ES256\",\"kid\":\"e1\",\"crit\":[\"exp\"]}", false, -EBADMSG},
		{"b64", "{\"alg\":\"ES256\",\"kid\":\"e1\",\"b64\":false}", false, -EBADMSG},
		{"no object", "[]", false, -EBADMSG},
		{"twice the alg", "{\"alg\":\"none\",\"alg\":\"ES256\",\"kid\":\"e1\"}", false,
			-EBADMSG},
	};
	struct world w;

	if (begin(&w))
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			_cleanup_buf_ struct buf token = BUF_INIT(JWS_MAX);
			_cleanup_buf_ struct buf payload = BUF_INIT(JWS_MAX);
			int r;

			sign(&token, rows[i].header, "{\"a\":1}", rows[i].rsa ? w.rsa : w.ec);
			r = jwks_verify(&w.keys, buf_view(&token), &payload, NULL);
			CHECK_ROW(rows[i].name, r == rows[i].want, "%d", r);
			CHECK_STR(rows[i].name, buf_view(&payload), r ? "" : "{\"a\":1}");
		}
	end(&w);
}

/* Neither a part of a token nor one of its bits is worth anything. */
static void test_malleable(void)
{
	static const char *const headers[] = {
		"{\"alg\":\"RS256\",\"kid\":\"r1\"}", "{\"alg\":\"ES256\",\"kid\":\"e1\"}"};
	struct world w;

	for (size_t i = 0; i < ARRAY_SIZE(headers) && begin(&w); i++) {
		_cleanup_buf_ struct buf token = BUF_INIT(JWS_MAX), out = BUF_INIT(JWS_MAX);
		_cleanup_buf_ struct buf good = BUF_INIT(JWS_MAX);

		sign(&token, headers[i], "{\"iss\":\"x\"}", i ? w.ec : w.rsa);
		CU_ASSERT_EQUAL(jwks_verify(&w.keys, buf_view(&token), &good, NULL), 0);
		for (size_t n = 0; n < token.len; n++)
			CU_ASSERT(jwks_verify(&w.keys, (struct span){token.p, n}, &out, NULL) < 0);
		for (size_t bit = 0; bit < 8 * token.len; bit++) {
			token.p[bit / 8] ^= (char)(1 << bit % 8);
			CHECK_ROW(headers[i],
				jwks_verify(&w.keys, buf_view(&token), &out, NULL) < 0, "bit %zu",
				bit);
			token.p[bit / 8] ^= (char)(1 << bit % 8);
		}
		CU_ASSERT_EQUAL(out.len, 0);
		end(&w);
	}
}

/*
 * Claims
 */

#define BOUND                                                                                      \
	"\"namespace\":\"shop\",\"node\":{\"name\":\"n1\",\"uid\":\"nu1\"},\"pod\":{\"name\":"     \
	"\"p\",\"uid\":\"pu1\"},\"serviceaccount\":{\"name\":\"app\",\"uid\":\"su1\"}"
#define ISS   "\"iss\":\"https://issuer.example\""
#define AUD   "\"aud\":[\"casemate.dev\"]"
#define TIMES "\"exp\":1790000300,\"iat\":1789999700,\"nbf\":1789999700"
#define SUB   "\"sub\":\"system:serviceaccount:shop:app\""
#define K8S   "\"kubernetes.io\":{" BOUND "}"
#define ALL   "{" AUD "," ISS "," TIMES "," SUB "," K8S "}"

static void test_claims(void)
{
	static const struct {
		const char *name, *claims, *says; /* NULL: accepted */
	} rows[] = {
		{"as kubelets get them", ALL, NULL},
		{"one audience as text",
			"{\"aud\":\"casemate.dev\"," ISS "," TIMES "," SUB "," K8S "}", NULL},
		{"among other audiences",
			"{\"aud\":[\"x\",\"casemate.dev\"]," ISS "," TIMES "," SUB "," K8S "}",
			NULL},
		{"another audience", "{\"aud\":[\"casemate\"]," ISS "," TIMES "," SUB "," K8S "}",
			"another audience"},
		{"the API server's",
			"{\"aud\":[\"https://issuer.example\"]," ISS "," TIMES "," SUB "," K8S "}",
			"another audience"},
		{"no audience", "{" ISS "," TIMES "," SUB "," K8S "}", "another audience"},
		{"an empty audience", "{\"aud\":[]," ISS "," TIMES "," SUB "," K8S "}",
			"another audience"},
		{"an audience in an object",
			"{\"aud\":{\"a\":\"casemate.dev\"}," ISS "," TIMES "," SUB "," K8S "}",
			"another audience"},
		{"another issuer",
			"{" AUD ",\"iss\":\"https://issuer.example/\"," TIMES "," SUB "," K8S "}",
			"another issuer"},
		{"no issuer", "{" AUD "," TIMES "," SUB "," K8S "}", "another issuer"},
		{"expired now",
			"{" AUD "," ISS ",\"exp\":1790000000,\"iat\":1789999700,\"nbf\":0," SUB
			"," K8S "}",
			"expired"},
		{"its last second",
			"{" AUD "," ISS ",\"exp\":1790000001,\"iat\":1789999700,\"nbf\":0," SUB
			"," K8S "}",
			NULL},
		{"ten minutes old",
			"{" AUD "," ISS ",\"exp\":1790003600,\"iat\":1789999400,\"nbf\":0," SUB
			"," K8S "}",
			NULL},
		{"older",
			"{" AUD "," ISS ",\"exp\":1790003600,\"iat\":1789999399,\"nbf\":0," SUB
			"," K8S "}",
			"ten minutes"},
		{"not yet",
			"{" AUD "," ISS
			",\"exp\":1790003600,\"iat\":1789999700,\"nbf\":1790000061," SUB "," K8S
			"}",
			"future"},
		{"clocks differ",
			"{" AUD "," ISS
			",\"exp\":1790003600,\"iat\":1790000060,\"nbf\":1790000060," SUB "," K8S
			"}",
			NULL},
		{"made tomorrow",
			"{" AUD "," ISS ",\"exp\":1790203600,\"iat\":1790086400,\"nbf\":0," SUB
			"," K8S "}",
			"future"},
		{"no exp", "{" AUD "," ISS ",\"iat\":1789999700,\"nbf\":0," SUB "," K8S "}",
			"from when to when"},
		{"no iat", "{" AUD "," ISS ",\"exp\":1790003600,\"nbf\":0," SUB "," K8S "}",
			"from when to when"},
		{"no nbf",
			"{" AUD "," ISS ",\"exp\":1790003600,\"iat\":1789999700," SUB "," K8S "}",
			"from when to when"},
		{"exp as text",
			"{" AUD "," ISS ",\"exp\":\"1790003600\",\"iat\":1789999700,\"nbf\":0," SUB
			"," K8S "}",
			"from when to when"},
		{"another subject",
			"{" AUD "," ISS "," TIMES
			",\"sub\":\"system:serviceaccount:shop:other\"," K8S "}",
			"subject"},
		{"no subject", "{" AUD "," ISS "," TIMES "," K8S "}", "subject"},
		{"a name with a colon",
			"{" AUD "," ISS "," TIMES ",\"sub\":\"system:serviceaccount:shop:a:b\","
			"\"kubernetes.io\":{\"namespace\":\"shop\",\"serviceaccount\":{\"name\":"
			"\"a:b\"},\"pod\":{\"name\":\"p\",\"uid\":\"u\"},\"node\":{\"name\":\"n\","
			"\"uid\":\"u\"}}}",
			"subject"},
		{"bound to nothing", "{" AUD "," ISS "," TIMES "," SUB "}", "service account"},
		{"no pod",
			"{" AUD "," ISS "," TIMES "," SUB
			",\"kubernetes.io\":{\"namespace\":\"shop\",\"serviceaccount\":{\"name\":"
			"\"app\"},\"node\":{\"name\":\"n\",\"uid\":\"u\"}}}",
			"bound to no pod"},
		{"no pod's uid",
			"{" AUD "," ISS "," TIMES "," SUB
			",\"kubernetes.io\":{\"namespace\":\"shop\",\"serviceaccount\":{"
			"\"name\":\"app\"},\"pod\":{\"name\":\"p\"},\"node\":{\"name\":"
			"\"n\",\"uid\":\"u\"}}}",
			"bound to no pod"},
		{"no node",
			"{" AUD "," ISS "," TIMES "," SUB
			",\"kubernetes.io\":{\"namespace\":\"shop\",\"serviceaccount\":{\"name\":"
			"\"app\"},\"pod\":{\"name\":\"p\",\"uid\":\"u\"}}}",
			"on which node"},
		{"no object", "[]", "cannot be read"},
		{"nothing", "", "cannot be read"},
		{"twice the audience",
			"{\"aud\":[\"x\"]," AUD "," ISS "," TIMES "," SUB "," K8S "}",
			"cannot be read"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct issued who = {0};
		struct error err = {0};
		int r = issuer_claims(&who, span_str(rows[i].claims), &rules, NOW, &err);

		CHECK_ROW(rows[i].name,
			rows[i].says
				? r == -EACCES && strstr(err.message, rows[i].says) && !who.user[0]
				: r == 0,
			"%d %s", r, err.message);
		if (r == 0)
			CHECK_ROW(rows[i].name,
				strcmp(who.user, "system:serviceaccount:shop:app") == 0 &&
					strcmp(who.pod, "p") == 0 &&
					strcmp(who.pod_uid, "pu1") == 0 &&
					strcmp(who.node, "n1") == 0 &&
					strcmp(who.node_uid, "nu1") == 0,
				"%s %s %s %s %s", who.user, who.pod, who.pod_uid, who.node,
				who.node_uid);
	}
	for (size_t n = 0; n + 1 < sizeof(ALL); n++) {
		struct issued who;

		CU_ASSERT_EQUAL(
			issuer_claims(&who, (struct span){ALL, n}, &rules, NOW, NULL), -EACCES);
	}
}

/*
 * The file, and the way to ask
 */

static void on_judged(void *arg, const struct caller *c)
{
	struct caller *got = arg;

	got->status = c->status;
	if (c->status == 200) {
		CU_ASSERT(strcmp(c->user, "system:serviceaccount:shop:app") == 0 &&
			  strcmp(c->pod_name, "p") == 0 && c->n_groups == 0);
	} else {
		CU_ASSERT(*c->message != '\0');
	}
}

static int asks(struct issuer *i, const char *header, EVP_PKEY *key, int64_t made)
{
	const struct caller_judge judge = issuer_judge(i);
	_cleanup_buf_ struct buf token = BUF_INIT(JWS_MAX), claims = BUF_INIT(4096);
	struct caller got = {0};

	buf_printf(&claims,
		"{" AUD "," ISS ",\"iat\":%lld,\"nbf\":%lld,\"exp\":%lld," SUB "," K8S "}",
		(long long)made, (long long)made, (long long)made + 3600);
	buf_putc(&claims, '\0');
	sign(&token, header, claims.p, key);
	CU_ASSERT_PTR_NULL(judge.ask(judge.ctx, buf_view(&token), on_judged, &got));
	return got.status;
}

static void write_keys(const char *path, const char *id, const EVP_PKEY *key)
{
	_cleanup_buf_ struct buf keys = BUF_INIT(8192);
	FILE *f;

	add_key(&keys, id, key, "ES256");
	f = fopen(path, "we");
	CU_ASSERT_PTR_NOT_NULL(f);
	if (f) {
		fprintf(f, "{\"keys\":[" SPAN_FMT "]}", SPAN_ARG(buf_view(&keys)));
		fclose(f);
	}
}

static void test_judge(void)
{
	int64_t now = clock_unix_usec() / (int64_t)USEC_PER_SEC;
	char dir[] = "/tmp/issuer-XXXXXX", path[64];
	_cleanup_(issuer_free_p) struct issuer *i = NULL;
	sd_event *event = NULL;
	struct world w;

	if (!mkdtemp(dir) || sd_event_new(&event) < 0 || !begin(&w))
		return;
	snprintf(path, sizeof(path), "%s/jwks", dir);
	CU_ASSERT(issuer_new(&i, event, path, &rules, NULL) < 0);
	write_keys(path, "e1", w.ec);
	CU_ASSERT_EQUAL(issuer_new(&i, event, path, &rules, NULL), 0);
	if (i) {
		const char *e1 = "{\"alg\":\"ES256\",\"kid\":\"e1\"}";

		CU_ASSERT_EQUAL(asks(i, e1, w.ec, now), 200);
		CU_ASSERT_EQUAL(asks(i, e1, w.ec, now - ISSUER_TOKEN_SEC - 1), 401);
		CU_ASSERT_EQUAL(asks(i, e1, w.other, now), 401);
		/* another set of keys is taken up, and one that is broken is not */
		write_keys(path, "e1", w.other);
		for (int turn = 0; turn < 300 && asks(i, e1, w.other, now) != 200; turn++)
			sd_event_run(event, 100 * USEC_PER_MSEC);
		CU_ASSERT_EQUAL(asks(i, e1, w.other, now), 200);
		CU_ASSERT_EQUAL(asks(i, e1, w.ec, now), 401);
	}
	issuer_free(TAKE_PTR(i));
	sd_event_unref(event);
	remove(path);
	remove(dir);
	end(&w);
}

const CU_TestInfo issuer_tests[] = {
	{"key sets", test_keys},
	{"key sets cut short", test_cut_keys},
	{"headers", test_headers},
	{"neither bits nor parts", test_malleable},
	{"claims", test_claims},
	{"the file of keys", test_judge},
	CU_TEST_INFO_NULL,
};
