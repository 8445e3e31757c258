/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated TEE's document: read and written. */
#include "common/tee/simulated.h"

#include <errno.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>

#include "common/base/codec.h"
#include "common/base/json.h"
#include "common/tee/tcb.h"

enum { ECDSA_DER_MAX = 80, SVN_MAX = 65535 };

static const struct json_limits document_limits = {SIMULATED_MAX, 16, 2};
static const struct json_limits body_limits = {SIMULATED_MAX, 64, 3};

/* One reading. */
struct reading {
	struct simulated *s;
	struct json_val v; /* the object being read */
	const char *where; /* its path, "" or "tcb." */
	struct error *err;
};

static int wrong(const struct reading *rd, const char *member, const char *what)
{
	return error_set(
		rd->err, -EBADMSG, "simulated evidence: %s%s: %s", rd->where, member, what);
}

/* v is an object of exactly these members. */
static int check_members(const struct reading *rd, const char *const *names, size_t n)
{
	struct json_iter it;

	if (!json_is_object(rd->v))
		return wrong(rd, "", "must be an object");
	for (size_t i = 0; i < n; i++) {
		if (!json_exists(json_get(rd->v, names[i])))
			return wrong(rd, names[i], "is missing");
	}
	json_each (it, rd->v) {
		size_t i = 0;

		while (i < n && !json_str_is(it.key, names[i]))
			i++;
		if (i == n)
			return error_set(rd->err, -EBADMSG,
				"simulated evidence: %s" SPAN_FMT ": no such member is known",
				rd->where, SPAN_ARG(json_raw(it.key)));
	}
	return 0;
}

/* A string of printable characters without blanks, 1 to size - 1 of them. */
static int read_text(const struct reading *rd, const char *member, char *ret, size_t size)
{
	struct span s = json_str(json_get(rd->v, member), &rd->s->arena);

	if (s.len == 0 || s.len >= size)
		return wrong(rd, member, "must be a string, neither empty nor that long");
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return wrong(rd, member, "must be printable ASCII without blanks");
	}
	memcpy(ret, s.p, s.len);
	ret[s.len] = '\0';
	return 0;
}

/* Bytes in hexadecimal: 1 to max of them, or exactly max. */
static int read_hex(const struct reading *rd, struct json_val v, const char *member,
	unsigned char *ret, size_t max, size_t *ret_len)
{
	struct span s = json_str(v, &rd->s->arena);
	size_t len = s.len / 2;

	if (len == 0 || len > max || (!ret_len && len != max) || codec_hex_exact(ret, len, s) < 0)
		return wrong(
			rd, member, "must be a string of hexadecimal digits of the right length");
	if (ret_len)
		*ret_len = len;
	return 0;
}

static int read_tcb(const struct reading *body)
{
	static const char *const names[] = {"status", "svn"};
	struct reading rd = *body;
	enum tcb_status status;
	int64_t svn;
	int r;

	rd.v = json_get(body->v, "tcb");
	rd.where = "tcb.";
	r = check_members(&rd, names, ARRAY_SIZE(names));
	if (r == 0)
		r = read_text(&rd, "status", rd.s->tcb_status, sizeof(rd.s->tcb_status));
	if (r < 0)
		return r;
	if (!tcb_status_parse(span_str(rd.s->tcb_status), &status))
		return wrong(&rd, "status", "is no TCB status that Casemate knows");
	if (!json_int(json_get(rd.v, "svn"), &svn) || svn < 0 || svn > SVN_MAX)
		return wrong(&rd, "svn", "must be a whole number from 0 to 65535");
	rd.s->svn = (unsigned)svn;
	return 0;
}

static bool is_register(struct span s)
{
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i] | 0x20;

		if (!(c >= 'a' && c <= 'z') && !(s.p[i] >= '0' && s.p[i] <= '9'))
			return false;
	}
	return s.len > 0 && s.len < sizeof(((struct simulated *)0)->measurements[0].name);
}

static int read_measurements(const struct reading *body)
{
	struct json_val list = json_get(body->v, "measurements");
	struct simulated *s = body->s;
	struct json_iter it;

	if (!json_is_object(list) || json_count(list) > SIMULATED_MEASUREMENTS_MAX)
		return wrong(body, "measurements", "must be an object of at most 8 members");
	json_each (it, list) {
		struct span name = json_str(it.key, &s->arena);
		int r;

		if (!is_register(name))
			return wrong(
				body, "measurements", "a name must be 1 to 23 letters and digits");
		memcpy(s->measurements[s->n_measurements].name, name.p, name.len);
		r = read_hex(body, it.value, "measurements",
			s->measurements[s->n_measurements].value, sizeof(s->measurements[0].value),
			&s->measurements[s->n_measurements].len);
		if (r < 0)
			return r;
		s->n_measurements++;
	}
	return 0;
}

static int read_body(struct simulated *s, struct json_val v, struct error *err)
{
	static const char *const names[] = {"tee", "node", "nodeUID", "platformID", "tcb", "debug",
		"measurements", "reportData"};
	struct reading rd = {s, v, "", err};
	enum json_type debug = json_type(json_get(v, "debug"));
	int r = check_members(&rd, names, ARRAY_SIZE(names));

	if (r == 0)
		r = read_text(&rd, "tee", s->tee, sizeof(s->tee));
	if (r == 0 && strcmp(s->tee, "sgx") != 0 && strcmp(s->tee, "tdx") != 0 &&
		strcmp(s->tee, "snp") != 0)
		r = wrong(&rd, "tee", "must be sgx, tdx or snp");
	if (r == 0)
		r = read_text(&rd, "node", s->node, sizeof(s->node));
	if (r == 0)
		r = read_text(&rd, "nodeUID", s->node_uid, sizeof(s->node_uid));
	if (r == 0)
		r = read_hex(&rd, json_get(v, "platformID"), "platformID", s->platform_id,
			sizeof(s->platform_id), &s->platform_id_len);
	if (r == 0)
		r = read_tcb(&rd);
	if (r == 0 && debug != JSON_TRUE && debug != JSON_FALSE)
		r = wrong(&rd, "debug", "must be true or false");
	if (r == 0)
		r = read_measurements(&rd);
	if (r == 0)
		r = read_hex(&rd, json_get(v, "reportData"), "reportData", s->report_data,
			sizeof(s->report_data), NULL);
	s->debug = debug == JSON_TRUE;
	return r;
}

/* The frame: what was signed, by whom, and the signature. */
static int read_document(
	struct simulated *s, struct json_val v, enum reason *ret_reason, struct error *err)
{
	static const char *const names[] = {
		"casemateSimulated", "body", "certificate", "signature"};
	struct reading rd = {s, v, "", err};
	int64_t version;
	int r;

	if (!json_int(json_get(v, names[0]), &version))
		return wrong(&rd, names[0], "must be a whole number: the format's version");
	if (version != 1) {
		*ret_reason = REASON_UnsupportedVersion;
		return wrong(&rd, names[0], "only version 1 is known: update Casemate");
	}
	r = check_members(&rd, names, ARRAY_SIZE(names));
	if (r == 0 && (!json_is_string(json_get(v, "body")) ||
			      !json_is_string(json_get(v, "certificate"))))
		r = wrong(&rd, "", "body and certificate must be strings");
	if (r == 0)
		r = read_hex(&rd, json_get(v, "signature"), "signature", s->signature,
			sizeof(s->signature), NULL);
	if (r < 0)
		return r;
	/* Copies, whether something was escaped or not: text need not live on. */
	s->body = arena_dup(&s->arena, json_str(json_get(v, "body"), &s->arena));
	s->certificate = arena_dup(&s->arena, json_str(json_get(v, "certificate"), &s->arena));
	return s->body.p && s->certificate.p ? 0 : error_oom(err);
}

static int parse(struct simulated *s, struct span text, enum reason *ret_reason, struct error *err)
{
	_cleanup_json_ struct json document = {0}, body = {0};
	int r = json_parse(&document, text, &document_limits, err);

	if (r < 0)
		return error_prefix(err, r, "simulated evidence");
	r = read_document(s, json_root(&document), ret_reason, err);
	if (r < 0)
		return r;
	r = json_parse(&body, s->body, &body_limits, err);
	if (r < 0)
		return error_prefix(err, r, "simulated evidence: body");
	return read_body(s, json_root(&body), err);
}

int simulated_parse(
	struct simulated *ret, struct span text, enum reason *ret_reason, struct error *err)
{
	struct simulated s = {.arena = ARENA_INIT(8 * (size_t)SIMULATED_MAX)};
	enum reason reason = REASON_Malformed;
	int r = parse(&s, text, &reason, err);

	if (r == 0) {
		*ret = s;
		return 0;
	}
	arena_free(&s.arena);
	if (r == -ENOMEM)
		return r;
	*ret_reason = reason;
	return -EBADMSG; /* -E2BIG as well: no document is that long */
}

void simulated_free(struct simulated *s)
{
	arena_free(&s->arena);
	*s = (struct simulated){0};
}

static void write_string(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, "\"%s\":", name);
	buf_json_string(out, span_str(value));
}

static void write_hex(struct buf *out, const char *name, const unsigned char *p, size_t len)
{
	buf_printf(out, "\"%s\":\"", name);
	codec_hex(out, p, len);
	buf_putc(out, '"');
}

static void write_body(struct buf *out, const struct simulated *s)
{
	buf_putc(out, '{');
	write_string(out, "tee", s->tee);
	buf_putc(out, ',');
	write_string(out, "node", s->node);
	buf_putc(out, ',');
	write_string(out, "nodeUID", s->node_uid);
	buf_putc(out, ',');
	write_hex(out, "platformID", s->platform_id, s->platform_id_len);
	buf_puts(out, ",\"tcb\":{");
	write_string(out, "status", s->tcb_status);
	buf_printf(out, ",\"svn\":%u},\"debug\":%s,\"measurements\":{", s->svn,
		s->debug ? "true" : "false");
	for (size_t i = 0; i < s->n_measurements; i++) {
		buf_puts(out, i ? "," : "");
		write_hex(out, s->measurements[i].name, s->measurements[i].value,
			s->measurements[i].len);
	}
	buf_puts(out, "},");
	write_hex(out, "reportData", s->report_data, sizeof(s->report_data));
	buf_putc(out, '}');
}

/* r || s over SHA-256. */
static bool sign(unsigned char ret[64], EVP_PKEY *key, struct span bytes)
{
	unsigned char der[ECDSA_DER_MAX];
	const unsigned char *p = der;
	size_t len = sizeof(der);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	ECDSA_SIG *sig = NULL;
	bool ok = ctx && EVP_PKEY_get_bits(key) == 256 &&
		  EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key) == 1 &&
		  EVP_DigestSign(ctx, der, &len, (const unsigned char *)bytes.p, bytes.len) == 1;

	if (ok)
		sig = d2i_ECDSA_SIG(NULL, &p, (long)len);
	ok = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret, 32) == 32 &&
	     BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret + 32, 32) == 32;
	ECDSA_SIG_free(sig);
	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok;
}

int simulated_make(struct buf *out, const struct simulated *what, EVP_PKEY *key,
	struct span certificate, struct error *err)
{
	_cleanup_buf_ struct buf body = BUF_INIT(SIMULATED_MAX);
	unsigned char signature[64];

	write_body(&body, what);
	if (body.err)
		return error_set(err, body.err, "simulated evidence cannot be written");
	if (!sign(signature, key, buf_view(&body)))
		return error_set(
			err, -EIO, "simulated evidence cannot be signed: needs a P-256 key");
	buf_puts(out, "{\"casemateSimulated\":1,\"body\":");
	buf_json_string(out, buf_view(&body));
	buf_puts(out, ",\"certificate\":");
	buf_json_string(out, certificate);
	buf_putc(out, ',');
	write_hex(out, "signature", signature, sizeof(signature));
	buf_puts(out, "}\n");
	return out->err ? error_set(err, out->err, "simulated evidence cannot be written") : 0;
}
