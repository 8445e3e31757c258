/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kbs/packet.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "common/base/codec.h"
#include "common/base/json.h"
#include "common/base/json_out.h"

enum { TAG = 16, GCM_IV = 12, CTR_IV = 16 };

DEFINE_CLEANUP(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_free)

static bool is_printable(const char *s)
{
	while (*s > ' ' && *s < 0x7f)
		s++;
	return *s == '\0';
}

static int bad(struct error *err, const char *what)
{
	return error_set(err, -EBADMSG, "the layer's key packet: %s", what);
}

/* Version 0.1.0 may be meant for a cloud's own key service. */
static int check_version(struct json_val root, struct error *err)
{
	if (!json_exists(json_get(root, "version")))
		return 0;
	if (!json_str_is(json_get(root, "version"), "0.1.0"))
		return bad(err, "version is none of those known; encrypt the image anew");
	return json_str_is(json_get(root, "provider"), "kbs")
		       ? 0
		       : bad(err, "provider is not kbs: another service has the key");
}

static int read_iv(struct packet *p, struct json_val root, struct arena *a, struct error *err)
{
	_cleanup_buf_ struct buf iv = BUF_INIT(PACKET_MAX);
	int r;

	p->gcm = json_str_is(json_get(root, "wrap_type"), "A256GCM");
	if (!p->gcm && !json_str_is(json_get(root, "wrap_type"), "A256CTR"))
		return bad(err, "wrap_type is neither A256GCM nor A256CTR");
	p->iv_len = p->gcm ? GCM_IV : CTR_IV;
	r = codec_unbase64(&iv, CODEC_BASE64, json_str(json_get(root, "iv"), a));
	if (r == -ENOMEM)
		return error_oom(err);
	if (r < 0 || iv.len != p->iv_len)
		return bad(err, p->gcm ? "iv is not the base64 of 12 bytes"
				       : "iv is not the base64 of 16 bytes");
	memcpy(p->iv, iv.p, iv.len);
	return 0;
}

static int read_wrapped(struct packet *p, struct json_val root, struct arena *a, struct error *err)
{
	struct span text = json_str(json_get(root, "wrapped_data"), a);
	int r;

	p->wrapped = BUF_INIT(PACKET_WRAPPED_MAX);
	r = codec_unbase64(&p->wrapped, CODEC_BASE64, text);
	if (r == -ENOMEM)
		return error_oom(err);
	if (r < 0 || p->wrapped.len <= (p->gcm ? TAG : 0))
		return bad(err, "wrapped_data is no base64 of a wrapped key");
	return 0;
}

int packet_read(struct packet *ret, struct span json, struct error *err)
{
	static const struct json_limits limits = {PACKET_MAX, 64, 8};
	_cleanup_arena_ struct arena a = ARENA_INIT(PACKET_MAX);
	_cleanup_json_ struct json doc = {0};
	struct json_val root;
	int r = json_parse(&doc, json, &limits, err);

	*ret = (struct packet){0};
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return error_prefix(err, -EBADMSG, "the layer's key packet");
	root = json_root(&doc);
	if (!json_copy(json_get(root, "kid"), ret->kid, sizeof(ret->kid)) || !*ret->kid ||
		!is_printable(ret->kid))
		return bad(err, "kid names no key");
	r = check_version(root, err);
	if (r == 0)
		r = read_iv(ret, root, &a, err);
	return r < 0 ? r : read_wrapped(ret, root, &a, err);
}

void packet_free(struct packet *p)
{
	buf_free(&p->wrapped);
}

static int check_kek(struct span kek, struct error *err)
{
	return kek.len == PACKET_KEK
		       ? 0
		       : error_set(err, -EINVAL, "a key that encrypts images has %d bytes, not %zu",
				 PACKET_KEK, kek.len);
}

static bool decrypt(struct secret *out, const struct packet *p, size_t n, const unsigned char *kek)
{
	_cleanup_(EVP_CIPHER_CTX_free_p) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	const EVP_CIPHER *cipher = p->gcm ? EVP_aes_256_gcm() : EVP_aes_256_ctr();
	const unsigned char *body = (const unsigned char *)p->wrapped.p;
	unsigned char tag[TAG], *to = (unsigned char *)out->p;
	int len;

	if (!ctx || EVP_DecryptInit_ex2(ctx, cipher, kek, p->iv, NULL) != 1 ||
		EVP_DecryptUpdate(ctx, to, &len, body, (int)n) != 1)
		return false;
	if (!p->gcm)
		return true;
	memcpy(tag, body + n, TAG);
	return EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1 &&
	       EVP_DecryptFinal_ex(ctx, to + n, &len) == 1;
}

int packet_open(struct secret *ret, const struct packet *p, struct span kek, struct error *err)
{
	_cleanup_secret_ struct secret plain = {0};
	size_t n = p->wrapped.len - (p->gcm ? TAG : 0);
	int r = check_kek(kek, err);

	if (r < 0)
		return r;
	if (secret_init(&plain, n) < 0)
		return error_oom(err);
	if (!decrypt(&plain, p, n, (const unsigned char *)kek.p))
		return bad(err, "it does not open with the key that it names; the image was "
				"encrypted for another one, or has been changed");
	plain.len = n;
	*ret = plain;
	plain = (struct secret){0};
	return 0;
}

static bool encrypt(
	unsigned char *body, const unsigned char *iv, struct span plain, const unsigned char *kek)
{
	_cleanup_(EVP_CIPHER_CTX_free_p) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int len;

	return ctx && EVP_EncryptInit_ex2(ctx, EVP_aes_256_gcm(), kek, iv, NULL) == 1 &&
	       EVP_EncryptUpdate(ctx, body, &len, (const unsigned char *)plain.p, (int)plain.len) ==
		       1 &&
	       EVP_EncryptFinal_ex(ctx, body + plain.len, &len) == 1 &&
	       EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, body + plain.len) == 1;
}

int packet_seal(
	struct buf *out, const char *kid, struct span kek, struct span plain, struct error *err)
{
	_cleanup_buf_ struct buf wrapped = BUF_INIT(PACKET_MAX), iv_text = BUF_INIT(PACKET_MAX);
	struct json_out o = JSON_OUT_INIT(out);
	unsigned char body[PACKET_WRAPPED_MAX], iv[GCM_IV];
	int r = check_kek(kek, err);

	if (r < 0)
		return r;
	if (!*kid || strlen(kid) >= PACKET_KID_MAX || !is_printable(kid))
		return error_set(err, -EINVAL, "the key's id is none");
	if (plain.len == 0 || plain.len > sizeof(body) - TAG)
		return error_set(err, -EINVAL, "a layer's options have %zu bytes, not 1 to %zu",
			plain.len, sizeof(body) - TAG);
	if (RAND_bytes(iv, sizeof(iv)) != 1 ||
		!encrypt(body, iv, plain, (const unsigned char *)kek.p))
		return error_set(err, -EIO, "a layer's key could not be wrapped");
	buf_base64(&wrapped, body, plain.len + TAG);
	buf_base64(&iv_text, iv, sizeof(iv));
	json_out_open(&o, NULL, '{');
	json_out_str(&o, "kid", span_str(kid));
	json_out_str(&o, "wrapped_data", buf_view(&wrapped));
	json_out_str(&o, "iv", buf_view(&iv_text));
	json_out_str(&o, "wrap_type", span_str("A256GCM"));
	json_out_close(&o, '}');
	return wrapped.err || iv_text.err || out->err ? error_oom(err) : 0;
}
