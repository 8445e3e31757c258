/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/wrap.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/base/algorithm.h"
#include "common/base/io.h"

enum {
	DERIVED = 32,
	ID_BYTES = (KEK_ID_MAX - 1) / 2,
	KEK_FILE_MAX = 4096,
	CONTEXT_MAX = 1024,
};

DEFINE_CLEANUP(EVP_CIPHER_CTX *, EVP_CIPHER_CTX_free)
DEFINE_CLEANUP(EVP_PKEY_CTX *, EVP_PKEY_CTX_free)

static bool derive(unsigned char *out, size_t len, struct span key, const char *purpose)
{
	_cleanup_(EVP_PKEY_CTX_free_p) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);

	return ctx && EVP_PKEY_derive_init(ctx) == 1 &&
	       EVP_PKEY_CTX_set_hkdf_md(ctx, algorithm_sha256()) == 1 &&
	       EVP_PKEY_CTX_set1_hkdf_key(ctx, (const unsigned char *)key.p, (int)key.len) == 1 &&
	       EVP_PKEY_CTX_add1_hkdf_info(
		       ctx, (const unsigned char *)purpose, (int)strlen(purpose)) == 1 &&
	       EVP_PKEY_derive(ctx, out, &len) == 1;
}

static int derive_secret(struct secret *ret, struct span key, const char *purpose)
{
	int r = secret_init(ret, DERIVED);

	if (r < 0)
		return r;
	if (!derive((unsigned char *)ret->p, DERIVED, key, purpose))
		return -EIO;
	ret->len = DERIVED;
	return 0;
}

static void kek_free(struct kek *k)
{
	secret_free(&k->wrap);
	secret_free(&k->mac);
	*k = (struct kek){0};
}

void kek_ring_free(struct kek_ring *ring)
{
	while (ring->n)
		kek_free(&ring->v[--ring->n]);
}

int kek_ring_add(struct kek_ring *ring, struct span key, struct error *err)
{
	unsigned char id[ID_BYTES];
	struct kek *k = &ring->v[ring->n];

	if (ring->n == KEKS_MAX)
		return error_set(err, -EBADMSG, "more than %d keys", KEKS_MAX);
	if (key.len != KEK_LEN)
		return error_set(err, -EBADMSG, "it is not of %d bytes", KEK_LEN);
	if (!derive(id, sizeof(id), key, "casemate kek id 1") ||
		derive_secret(&k->wrap, key, "casemate key wrap 1") < 0 ||
		derive_secret(&k->mac, key, "casemate record mac 1") < 0) {
		kek_free(k);
		return error_set(err, -EIO, "OpenSSL cannot derive from a key-encryption key");
	}
	for (size_t i = 0; i < sizeof(id); i++)
		snprintf(k->id + 2 * i, 3, "%02x", id[i]);
	if (kek_ring_find(ring, k->id)) {
		kek_free(k);
		return error_set(err, -EBADMSG, "the same key twice");
	}
	ring->n++;
	return 0;
}

static struct span next_line(struct span *text)
{
	const char *end = memchr(text->p, '\n', text->len);
	struct span line = {text->p, end ? (size_t)(end - text->p) : text->len};
	size_t used = line.len + (end ? 1 : 0);

	*text = (struct span){text->p + used, text->len - used};
	while (line.len && (line.p[line.len - 1] == '\r' || line.p[line.len - 1] == ' '))
		line.len--;
	return line;
}

static int parse_lines(struct kek_ring *ring, struct span text, struct error *err)
{
	unsigned number = 0;

	while (text.len) {
		struct span line = next_line(&text);
		_cleanup_secret_ struct secret key = {0};
		int r;

		number++;
		if (!line.len || line.p[0] == '#')
			continue;
		r = secret_unbase64(&key, line);
		if (r == -ENOMEM)
			return error_oom(err);
		if (r < 0 || key.len != KEK_LEN)
			return error_set(err, -EBADMSG,
				"line %u is not the base64 of %d bytes (make one with: openssl "
				"rand "
				"-base64 32)",
				number, KEK_LEN);
		r = kek_ring_add(ring, secret_view(&key), err);
		if (r < 0)
			return r;
	}
	return ring->n ? 0
		       : error_set(err, -EBADMSG,
				 "no key in it (make one with: openssl rand -base64 32)");
}

int kek_ring_parse(struct kek_ring *ret, struct span text, struct error *err)
{
	struct kek_ring ring = {0};
	int r = text.len == KEK_LEN ? kek_ring_add(&ring, text, err)
				    : parse_lines(&ring, text, err);

	if (r < 0) {
		kek_ring_free(&ring);
		return r;
	}
	*ret = ring;
	return 0;
}

int kek_ring_load(struct kek_ring *ret, const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	_cleanup_secret_ struct secret text = {0};
	struct stat st;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set(err, -errno, "%s: %m", path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EBADMSG, "%s: is no file", path);
	if (st.st_mode & (S_IRWXO | S_IWGRP))
		return error_set(err, -EACCES,
			"%s: mode %04o lets others at the key-encryption key; chmod 0400 it (in a "
			"volume: defaultMode: 0400)",
			path, st.st_mode & 07777);
	r = io_read_secret(fd, KEK_FILE_MAX, &text);
	if (r < 0)
		return error_set(err, r, "%s: %s", path,
			r == -E2BIG ? "too large for key-encryption keys" : strerror(-r));
	r = kek_ring_parse(ret, secret_view(&text), err);
	return r < 0 ? error_prefix(err, r, "%s", path) : 0;
}

const struct kek *kek_ring_find(const struct kek_ring *ring, const char *id)
{
	for (size_t i = 0; i < ring->n; i++)
		if (strcmp(ring->v[i].id, id) == 0)
			return &ring->v[i];
	return NULL;
}

int kek_ring_join(struct kek_ring *ring, const struct kek_ring *other)
{
	for (size_t i = 0; i < other->n; i++) {
		const struct kek *from = &other->v[i];
		struct kek *to = &ring->v[ring->n];

		if (kek_ring_find(ring, from->id))
			continue;
		if (ring->n == KEK_RING_MAX)
			return -E2BIG;
		if (secret_copy(&to->wrap, secret_view(&from->wrap)) < 0 ||
			secret_copy(&to->mac, secret_view(&from->mac)) < 0) {
			kek_free(to);
			return -ENOMEM;
		}
		memcpy(to->id, from->id, sizeof(to->id));
		ring->n++;
	}
	return 0;
}

/* Each part ends with a NUL, which none has inside. */
static int write_context(unsigned char out[CONTEXT_MAX], const struct wrap_context *c)
{
	int n = snprintf((char *)out, CONTEXT_MAX, "casemate key 1%c%s%c%s%c%s%c%s%c%u", 0,
		c->namespace_uid, 0, c->profile_uid, 0, c->key, 0, c->type, 0, c->version);

	return n > 0 && n < CONTEXT_MAX ? n : -EINVAL;
}

int wrap_seal(struct buf *out, unsigned char ret_nonce[WRAP_NONCE], const struct kek *kek,
	const struct wrap_context *c, struct span plain, struct error *err)
{
	_cleanup_(EVP_CIPHER_CTX_free_p) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	unsigned char bound[CONTEXT_MAX], tag[WRAP_TAG];
	_cleanup_secret_ struct secret sealed = {0};
	int n = write_context(bound, c), len = 0;

	if (n < 0)
		return error_set(err, n, "names of a key are too long");
	if (secret_init(&sealed, plain.len + 1) < 0)
		return error_oom(err);
	if (!ctx || RAND_bytes(ret_nonce, WRAP_NONCE) != 1 ||
		EVP_EncryptInit_ex2(ctx, algorithm_aes256_gcm(), (unsigned char *)kek->wrap.p,
			ret_nonce, NULL) != 1 ||
		EVP_EncryptUpdate(ctx, NULL, &len, bound, n) != 1 ||
		EVP_EncryptUpdate(ctx, (unsigned char *)sealed.p, &len,
			(const unsigned char *)plain.p, (int)plain.len) != 1 ||
		(size_t)len != plain.len ||
		EVP_EncryptFinal_ex(ctx, (unsigned char *)sealed.p + len, &len) != 1 ||
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, WRAP_TAG, tag) != 1)
		return error_set(err, -EIO, "OpenSSL cannot wrap a key");
	buf_add(out, sealed.p, plain.len);
	return buf_add(out, tag, sizeof(tag)) < 0 ? error_oom(err) : 0;
}

int wrap_open(struct secret *ret, const struct kek *kek, const struct wrap_context *c,
	const unsigned char nonce[WRAP_NONCE], struct span wrapped, struct error *err)
{
	_cleanup_(EVP_CIPHER_CTX_free_p) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	_cleanup_secret_ struct secret plain = {0};
	unsigned char bound[CONTEXT_MAX], tag[WRAP_TAG];
	int n = write_context(bound, c), len = 0, rest = 0;
	size_t size;

	if (n < 0 || wrapped.len < WRAP_TAG)
		return error_set(err, -EBADMSG, "a wrapped key is too short");
	size = wrapped.len - WRAP_TAG;
	memcpy(tag, wrapped.p + size, sizeof(tag));
	if (!ctx || secret_init(&plain, size + 1) < 0)
		return error_oom(err);
	if (EVP_DecryptInit_ex2(
		    ctx, algorithm_aes256_gcm(), (unsigned char *)kek->wrap.p, nonce, NULL) != 1 ||
		EVP_DecryptUpdate(ctx, NULL, &len, bound, n) != 1 ||
		EVP_DecryptUpdate(ctx, (unsigned char *)plain.p, &len,
			(const unsigned char *)wrapped.p, (int)size) != 1 ||
		(size_t)len != size ||
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, WRAP_TAG, tag) != 1 ||
		EVP_DecryptFinal_ex(ctx, (unsigned char *)plain.p + len, &rest) != 1)
		return error_set(err, -EBADMSG,
			"key %s, version %u, was not wrapped for this profile, or was changed",
			c->key, c->version);
	plain.len = size;
	plain.p[size] = '\0';
	*ret = plain;
	plain = (struct secret){0};
	return 0;
}

int wrap_mac(unsigned char ret[WRAP_MAC], const struct kek *kek, struct span text)
{
	unsigned len = 0;

	return HMAC(algorithm_sha256(), kek->mac.p, (int)kek->mac.len,
		       (const unsigned char *)text.p, text.len, ret, &len) &&
			       len == WRAP_MAC
		       ? 0
		       : -EIO;
}
