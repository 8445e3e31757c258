/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated TEE's certificates: an installation's root, and one for each agent. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "common/base/credential.h"
#include "common/tee/roots.h"
#include "common/tee/simulated.h"

enum { ROOT_LIFETIME_SEC = 10 * 365 * 24 * 3600 };

static int write_cert(struct buf *out, X509 *cert, struct error *err)
{
	_cleanup_secret_ struct secret pem = {0};
	int r = credential_write_cert(&pem, cert, err);

	if (r == 0 && buf_span(out, secret_view(&pem)) < 0)
		r = error_set(err, out->err, "the certificate cannot be written");
	return r;
}

int simulated_make_root(
	struct buf *ret_cert, struct secret *ret_key, int64_t now_sec, struct error *err)
{
	_cleanup_credential_ struct credential c = {0};
	int r = credential_begin(
		&c, SIMULATED_ROOT_NAME, now_sec, now_sec + ROOT_LIFETIME_SEC, err);

	if (r < 0)
		return r;
	if (!X509_set_issuer_name(c.cert, X509_get_subject_name(c.cert)) ||
		!credential_add_ext(
			c.cert, c.cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
		!credential_add_ext(c.cert, c.cert, NID_key_usage, "critical,keyCertSign") ||
		!credential_add_ext(c.cert, c.cert, NID_subject_key_identifier, "hash") ||
		!X509_sign(c.cert, c.key, EVP_sha256()))
		return credential_openssl_failed(err, -EIO, "making the simulated root");
	r = credential_write_key(ret_key, c.key, err);
	return r == 0 ? write_cert(ret_cert, c.cert, err) : r;
}

/* A Kubernetes UID, as short as a common name must be. */
static bool is_uid(const char *s)
{
	static const char allowed[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-";
	size_t n = strlen(s);

	return n > 0 && n <= CERT_NAME_MAX - sizeof("node:") && strspn(s, allowed) == n;
}

static int read_root(
	struct credential *ret, struct span root_cert, struct span root_key, struct error *err)
{
	BIO *in = BIO_new_mem_buf(root_cert.p, (int)root_cert.len);
	int r;

	if (in)
		ret->cert = PEM_read_bio_X509(in, NULL, credential_no_passphrase, NULL);
	BIO_free(in);
	ERR_clear_error();
	if (!ret->cert)
		return error_set(err, -EBADMSG, "the simulated root is no PEM certificate");
	r = credential_read_key(&ret->key, root_key, err);
	return r < 0 ? error_prefix(err, r, "the simulated root's key") : 0;
}

int simulated_certify(struct buf *ret_cert, struct span root_cert, struct span root_key,
	EVP_PKEY *key, const char *node_uid, int64_t now_sec, int64_t lifetime_sec,
	struct error *err)
{
	_cleanup_credential_ struct credential root = {0}, c = {0};
	char name[CERT_NAME_MAX];
	int r;

	if (!is_uid(node_uid))
		return error_set(err, -EINVAL,
			"the node's UID must be 1 to %zu letters, digits and dashes",
			CERT_NAME_MAX - sizeof("node:"));
	if (EVP_PKEY_get_bits(key) != 256 || !EVP_PKEY_is_a(key, "EC"))
		return error_set(err, -EINVAL, "a simulated node's key must be on the curve P-256");
	snprintf(name, sizeof(name), "node:%s", node_uid);
	r = read_root(&root, root_cert, root_key, err);
	if (r == 0)
		r = credential_begin(&c, name, now_sec, now_sec + lifetime_sec, err);
	if (r < 0)
		return r;
	if (!X509_set_pubkey(c.cert, key) ||
		!X509_set_issuer_name(c.cert, X509_get_subject_name(root.cert)) ||
		!credential_add_ext(
			c.cert, root.cert, NID_basic_constraints, "critical,CA:FALSE") ||
		!credential_add_ext(
			c.cert, root.cert, NID_key_usage, "critical,digitalSignature") ||
		!credential_add_ext(
			c.cert, root.cert, NID_authority_key_identifier, "keyid:always") ||
		!X509_sign(c.cert, root.key, EVP_sha256()))
		return credential_openssl_failed(
			err, -EIO, "making a simulated node's certificate");
	return write_cert(ret_cert, c.cert, err);
}
