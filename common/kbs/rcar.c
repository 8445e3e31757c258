/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kbs/rcar.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdio.h>

#include "common/base/algorithm.h"
#include "common/base/codec.h"
#include "common/kbs/jcs.h"

enum {
	NODES_MAX = 100000, /* an SNP report is an array of integers, and so are its certificates */
	DEPTH_MAX = 32,
	ANSWER_MAX = 128 * 1024,
	CANONICAL_MAX = 512 * 1024,
};

static const struct json_limits request_limits = {RCAR_REQUEST_MAX, NODES_MAX, DEPTH_MAX};
static const struct json_limits answer_limits = {ANSWER_MAX, 1000, DEPTH_MAX};

static int parse(
	struct json *doc, struct span body, const struct json_limits *limits, struct error *err)
{
	int r = json_parse(doc, body, limits, err);

	if (r < 0)
		return r == -ENOMEM ? r : error_prefix(err, -EBADMSG, "body");
	return json_is_object(json_root(doc)) ? 0
					      : error_set(err, -EBADMSG, "body: not a JSON object");
}

/*
 * Request and challenge
 */

int rcar_auth_write(struct buf *out, const char *tee)
{
	return buf_printf(out,
		"{\"version\":\"" RCAR_VERSION "\",\"tee\":\"%s\",\"extra-params\":"
		"{\"supported-hash-algorithms\":[\"sha384\"]}}",
		tee);
}

static bool name_fits(const char *s)
{
	for (; *s; s++)
		if (!(*s >= 'a' && *s <= 'z') && !(*s >= '0' && *s <= '9') && *s != '-')
			return false;
	return true;
}

int rcar_auth_read(char ret_tee[RCAR_TEE_MAX], struct span body, struct error *err)
{
	_cleanup_json_ struct json doc = {0};
	char version[16], tee[RCAR_TEE_MAX];
	int r = parse(&doc, body, &request_limits, err);

	if (r < 0)
		return r;
	if (!json_copy(json_get(json_root(&doc), "version"), version, sizeof(version)) ||
		strncmp(version, "0.4.", 4) != 0)
		return error_set(
			err, -EPROTO, "KBS Client Protocol Version Mismatch: expect " RCAR_VERSION);
	if (!json_copy(json_get(json_root(&doc), "tee"), tee, sizeof(tee)) || !*tee ||
		!name_fits(tee))
		return error_set(err, -EBADMSG, "tee is not the name of one");
	memcpy(ret_tee, tee, sizeof(tee));
	return 0;
}

int rcar_challenge_write(struct buf *out, const unsigned char nonce[RCAR_NONCE])
{
	buf_puts(out, "{\"nonce\":\"");
	buf_base64(out, nonce, RCAR_NONCE);
	return buf_puts(out, "\",\"extra-params\":\"\"}");
}

int rcar_challenge_read(char ret_nonce[RCAR_NONCE_TEXT], struct span body, struct error *err)
{
	_cleanup_json_ struct json doc = {0};
	unsigned char bytes[RCAR_NONCE];
	char nonce[RCAR_NONCE_TEXT];
	struct json_val hash;
	int r = parse(&doc, body, &answer_limits, err);

	if (r < 0)
		return r;
	hash = json_find(json_root(&doc), "extra-params", "selected-hash-algorithm");
	if (json_exists(hash) && !json_str_is(hash, "sha384"))
		return error_set(err, -EBADMSG, "the broker chose another hash than sha384");
	if (!json_copy(json_get(json_root(&doc), "nonce"), nonce, sizeof(nonce)) ||
		codec_unbase64_exact(bytes, sizeof(bytes), CODEC_BASE64, span_str(nonce)) < 0)
		return error_set(err, -EBADMSG, "nonce is not the base64 of %d bytes", RCAR_NONCE);
	memcpy(ret_nonce, nonce, sizeof(nonce));
	return 0;
}

/*
 * What evidence is bound to
 */

static bool plain(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '"' || s.p[i] == '\\' ||
			s.p[i] == 0x7f)
			return false;
	return true;
}

static void put_plain(struct buf *out, const char *name, struct span value)
{
	if (value.len)
		buf_printf(out, "%s\"%s\":\"" SPAN_FMT "\"", out->p[out->len - 1] == '{' ? "" : ",",
			name, SPAN_ARG(value));
}

static int put_digest(struct buf *out, const char *name, struct span token)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	_cleanup_buf_ struct buf hex = BUF_INIT(2 * sizeof(digest));

	if (!token.len)
		return 0;
	if (EVP_Digest(token.p, token.len, digest, NULL, algorithm_sha256(), NULL) != 1 ||
		codec_hex(&hex, digest, sizeof(digest)) < 0)
		return -ENOMEM;
	put_plain(out, name, buf_view(&hex));
	return 0;
}

int rcar_additional_write(struct buf *out, const struct rcar_requester *r)
{
	if (!r->container.len && !r->node_token.len && !r->pod_token.len)
		return 0;
	if (!plain(r->container))
		return -EINVAL;
	if (buf_puts(out, "{\"casemate\":{") < 0)
		return out->err;
	put_plain(out, "container", r->container);
	if (put_digest(out, "nodeToken", r->node_token) < 0 ||
		put_digest(out, "podToken", r->pod_token) < 0)
		return -ENOMEM;
	return buf_puts(out, "}}");
}

int rcar_report_data(unsigned char ret[RCAR_REPORT_DATA], struct span nonce_b64,
	struct json_val tee_pubkey, struct span additional_evidence)
{
	_cleanup_buf_ struct buf text = BUF_INIT(CANONICAL_MAX);
	int r;

	buf_puts(&text, "{\"additional-evidence\":");
	jcs_string(&text, additional_evidence);
	buf_puts(&text, ",\"nonce\":");
	jcs_string(&text, nonce_b64);
	buf_puts(&text, ",\"tee-pubkey\":");
	r = jcs_write(&text, tee_pubkey);
	buf_putc(&text, '}');
	if (r == -ENOMEM || text.err == -ENOMEM)
		return -ENOMEM;
	if (r < 0 || text.err)
		return -EBADMSG;
	return EVP_Digest(text.p, text.len, ret, NULL, algorithm_sha384(), NULL) == 1 ? 0 : -ENOMEM;
}

/*
 * Attestation
 */

/* Appends "name":"value", after a comma unless it is the first. Values need no escapes. */
static int add_plain(struct secret *s, const char *name, struct span value, bool *first)
{
	const struct span parts[] = {span_str(*first ? "\"" : ",\""), span_str(name),
		SPAN_LIT("\":\""), value, SPAN_LIT("\"")};

	if (!value.len)
		return 0;
	if (!plain(value))
		return -EINVAL;
	*first = false;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (secret_add(s, parts[i]) < 0)
			return -ENOBUFS;
	return 0;
}

static int add_requester(struct secret *s, const struct rcar_requester *w)
{
	const struct {
		const char *name;
		struct span value;
	} members[] = {{"nodeToken", w->node_token}, {"podToken", w->pod_token},
		{"container", w->container}};
	bool first = true;
	int r = secret_add(s, SPAN_LIT(",\"casemate\":{"));

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(members); i++)
		r = add_plain(s, members[i].name, members[i].value, &first);
	return r == 0 ? secret_add(s, SPAN_LIT("}")) : r;
}

static bool has_requester(const struct rcar_requester *w)
{
	return w->node_token.len || w->pod_token.len || w->container.len;
}

int rcar_primary_write(struct buf *out, const char *tee, struct span evidence)
{
	bool quote = strcmp(tee, "tdx") == 0 || strcmp(tee, "sgx") == 0;

	buf_puts(out, quote ? "{\"cc_eventlog\":null,\"quote\":\"" : "{\"evidence\":\"");
	buf_base64(out, evidence.p, evidence.len);
	return buf_puts(out, "\"}");
}

int rcar_attest_write(struct secret *ret, const struct rcar_attest_out *o)
{
	_cleanup_buf_ struct buf open = BUF_INIT(RCAR_REQUEST_MAX);
	_cleanup_secret_ struct secret s = {0};
	size_t tokens = o->who.node_token.len + o->who.pod_token.len + o->who.container.len + 128;
	int r;

	buf_puts(&open, "{\"init-data\":null,\"runtime-data\":{\"nonce\":");
	jcs_string(&open, o->nonce);
	buf_puts(&open, ",\"tee-pubkey\":");
	buf_span(&open, o->tee_pubkey);
	buf_puts(&open, "},\"tee-evidence\":{\"primary_evidence\":");
	buf_span(&open, o->primary);
	buf_puts(&open, ",\"additional_evidence\":");
	jcs_string(&open, o->additional);
	buf_putc(&open, '}');
	if (open.err)
		return open.err == -E2BIG ? -ENOBUFS : open.err;
	r = secret_init(&s, open.len + tokens);
	if (r == 0)
		r = secret_add(&s, buf_view(&open));
	if (r == 0 && has_requester(&o->who))
		r = add_requester(&s, &o->who);
	if (r == 0)
		r = secret_add(&s, SPAN_LIT("}"));
	if (r < 0)
		return r;
	*ret = s;
	s = (struct secret){0};
	return 0;
}

static int take(struct span *ret, struct rcar_attest *a, struct json_val object, const char *name,
	size_t max, struct error *err)
{
	struct json_val v = json_get(object, name);

	if (!json_exists(v))
		return 0;
	*ret = json_str(v, &a->arena);
	if (!ret->p || ret->len > max || !plain(*ret))
		return error_set(err, -EBADMSG,
			"casemate.%s is not a string without blanks of at most %zu bytes", name,
			max);
	return 0;
}

static int read_requester(struct rcar_attest *a, struct json_val v, struct error *err)
{
	struct rcar_requester *w = &a->who;
	int r;

	if (!json_exists(v))
		return 0;
	if (!json_is_object(v))
		return error_set(err, -EBADMSG, "casemate is not an object");
	r = take(&w->node_token, a, v, "nodeToken", RCAR_TOKEN_MAX, err);
	if (r == 0)
		r = take(&w->pod_token, a, v, "podToken", RCAR_TOKEN_MAX, err);
	return r < 0 ? r : take(&w->container, a, v, "container", RCAR_CONTAINER_MAX - 1, err);
}

static int read_init_data(struct rcar_attest *a, struct json_val v, struct error *err)
{
	if (!json_exists(v) || json_type(v) == JSON_NULL)
		return 0;
	a->init_data = json_str(json_get(v, "body"), &a->arena);
	if (!json_str_is(json_get(v, "format"), "toml") || !a->init_data.p)
		return error_set(
			err, -EBADMSG, "init-data is not {\"format\":\"toml\",\"body\":…}");
	return 0;
}

int rcar_attest_read(struct rcar_attest *ret, struct span body, struct error *err)
{
	struct json_val root, runtime, evidence;
	int r;

	*ret = (struct rcar_attest){.arena = ARENA_INIT(2 * RCAR_REQUEST_MAX)};
	r = parse(&ret->doc, body, &request_limits, err);
	if (r < 0)
		return r;
	root = json_root(&ret->doc);
	runtime = json_get(root, "runtime-data");
	evidence = json_get(root, "tee-evidence");
	ret->nonce = json_str(json_get(runtime, "nonce"), &ret->arena);
	ret->tee_pubkey = json_get(runtime, "tee-pubkey");
	ret->primary = json_get(evidence, "primary_evidence");
	ret->additional = json_str(json_get(evidence, "additional_evidence"), &ret->arena);
	if (!ret->nonce.p || !json_is_object(ret->tee_pubkey))
		return error_set(err, -EBADMSG, "runtime-data lacks nonce or tee-pubkey");
	if (!json_is_object(ret->primary) || !ret->additional.p)
		return error_set(err, -EBADMSG,
			"tee-evidence lacks primary_evidence or additional_evidence");
	r = read_init_data(ret, json_get(root, "init-data"), err);
	return r < 0 ? r : read_requester(ret, json_get(root, "casemate"), err);
}

void rcar_attest_free(struct rcar_attest *a)
{
	json_free(&a->doc);
	arena_free(&a->arena);
}

int rcar_token_write(struct buf *out, struct span token)
{
	buf_puts(out, "{\"token\":");
	buf_json_string(out, token);
	return buf_putc(out, '}');
}

/*
 * Refusals
 */

int rcar_error_write(struct buf *out, const char *variant, const char *detail, const char *reason)
{
	buf_printf(out, "{\"type\":\"" RCAR_ERROR_TYPE "%s\",\"detail\":", variant);
	buf_json_string(out, span_str(detail));
	if (reason) {
		buf_puts(out, ",\"reason\":");
		buf_json_string(out, span_str(reason));
	}
	return buf_putc(out, '}');
}

int rcar_error_read(struct rcar_error *ret, struct span body, struct error *err)
{
	_cleanup_json_ struct json doc = {0};
	struct rcar_error e = {0};
	char type[128];
	struct json_val root;
	struct span variant;
	int r = parse(&doc, body, &answer_limits, err);

	if (r < 0)
		return r;
	root = json_root(&doc);
	if (!json_is_string(json_get(root, "type")) || !json_is_string(json_get(root, "detail")))
		return error_set(err, -EBADMSG, "no refusal of a key broker");
	json_copy(json_get(root, "detail"), e.detail, sizeof(e.detail));
	json_copy(json_get(root, "reason"), e.reason, sizeof(e.reason));
	if (json_copy(json_get(root, "type"), type, sizeof(type))) {
		variant = span_after(span_str(type), RCAR_ERROR_TYPE);
		if (variant.len < sizeof(e.variant))
			snprintf(e.variant, sizeof(e.variant), SPAN_FMT, SPAN_ARG(variant));
	}
	*ret = e;
	return 0;
}

bool rcar_error_passes(int status, const char *reason)
{
	static const char *const reasons[] = {
		"NotAttested", "VerdictExpired", "CollateralMissing", "RateLimited"};

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (strcmp(reason, reasons[i]) == 0)
			return true;
	return (status == 401 && strcmp(reason, "TokenInvalid") != 0) || status == 408 ||
	       status == 429 || status >= 500;
}
