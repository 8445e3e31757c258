/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/certs/store.h"

#include <errno.h>
#include <openssl/x509v3.h>

void store_free(struct store *s)
{
	credential_free(&s->leaf);
	credential_free(&s->ca);
	bundle_free(&s->bundle);
}

void store_copy(struct store *to, const struct store *from)
{
	credential_copy(&to->leaf, &from->leaf);
	credential_copy(&to->ca, &from->ca);
	bundle_copy(&to->bundle, &from->bundle);
	to->spoilt = from->spoilt;
}

X509 *store_issuer(const struct store *s)
{
	for (size_t i = 0; s->leaf.cert && i < s->bundle.n; i++)
		if (authority_issued(s->bundle.cert[i], s->leaf.cert))
			return s->bundle.cert[i];
	return NULL;
}

/*
 * Reading
 */

static int read_data(struct secret *ret, struct json_val secret, const char *key, struct error *err)
{
	struct arena none = ARENA_INIT(0); /* base64 needs no escapes, so none is unescaped */
	struct json_val v = json_find(secret, "data", key);
	int r;

	if (!json_exists(v))
		return error_set(err, -EBADMSG, "missing");
	r = secret_unbase64(ret, json_str(v, &none));
	if (r == -EBADMSG)
		return error_set(err, r, "not base64");
	if (r < 0)
		return error_oom(err);
	return ret->len ? 0 : error_set(err, -EBADMSG, "empty");
}

static int read_certs(
	struct bundle *ret, struct json_val secret, const char *key, struct error *err)
{
	_cleanup_secret_ struct secret pem = {0};
	int r = read_data(&pem, secret, key, err);

	if (r == 0)
		r = bundle_read(ret, secret_view(&pem), err);
	return r < 0 ? error_prefix(err, r, "%s", key) : 0;
}

static int read_key(EVP_PKEY **ret_key, struct json_val secret, const char *key, struct error *err)
{
	_cleanup_secret_ struct secret pem = {0};
	int r = read_data(&pem, secret, key, err);

	if (r == 0)
		r = credential_read_key(ret_key, secret_view(&pem), err);
	return r < 0 ? error_prefix(err, r, "%s", key) : 0;
}

/* The authorities. Expired ones stay in: whether they do must not hang on the reader's clock, else
 * replicas would disagree on the bundle. */
static int read_bundle(struct store *s, struct json_val secret, struct error *err)
{
	int r = read_certs(&s->bundle, secret, "ca.crt", err);

	for (size_t i = s->bundle.n; i-- > 0;) {
		if (X509_check_ca(s->bundle.cert[i]) == 1 &&
			authority_issued(s->bundle.cert[i], s->bundle.cert[i]))
			continue;
		bundle_remove(&s->bundle, i);
		r = error_set(err, -EBADMSG,
			"ca.crt: certificate %zu is not a self-signed authority", i + 1);
	}
	return r;
}

static int read_ca(struct store *s, struct json_val secret, int64_t now_sec, struct error *err)
{
	_cleanup_credential_ struct credential ca = {0};
	int r = read_key(&ca.key, secret, "ca.key", err);

	for (size_t i = 0; r == 0 && i < s->bundle.n; i++) {
		if (!credential_key_matches(s->bundle.cert[i], ca.key))
			continue;
		r = authority_check_ca(s->bundle.cert[i], now_sec, err);
		if (r < 0)
			return error_prefix(err, r, "ca.crt: the authority of ca.key");
		ca.cert = s->bundle.cert[i];
		X509_up_ref(ca.cert);
		s->ca = ca;
		ca = (struct credential){0};
		return 0;
	}
	return r < 0 ? r : error_set(err, -EBADMSG, "ca.key belongs to no authority in ca.crt");
}

static int read_leaf(struct store *s, struct json_val secret, const struct store_rules *rules,
	int64_t now_sec, struct error *err)
{
	_cleanup_credential_ struct credential leaf = {0};
	_cleanup_bundle_ struct bundle chain = {0};
	int r = read_certs(&chain, secret, "tls.crt", err);

	if (r == 0)
		r = read_key(&leaf.key, secret, "tls.key", err);
	if (r < 0)
		return r;
	if (!credential_key_matches(chain.cert[0], leaf.key))
		return error_set(err, -EBADMSG, "tls.key does not belong to tls.crt");
	r = authority_check_leaf(chain.cert[0], &s->bundle, &rules->names, now_sec, err);
	if (r < 0)
		return error_prefix(err, r, "tls.crt");
	leaf.cert = chain.cert[0];
	X509_up_ref(leaf.cert);
	s->leaf = leaf;
	leaf = (struct credential){0};
	return 0;
}

int store_read(struct store *ret, struct json_val secret, const struct store_rules *rules,
	int64_t now_sec, struct error *err)
{
	struct error each[3] = {0};
	int r = 0;

	read_bundle(ret, secret, &each[0]);
	read_ca(ret, secret, now_sec, &each[1]);
	read_leaf(ret, secret, rules, now_sec, &each[2]);
	/* The first explains the others, but for running out of memory: that is no fault of the
	 * Secret's, and must not be repaired. */
	for (size_t i = 0; i < 3; i++) {
		if (each[i].code == -ENOMEM)
			return error_oom(err);
		if (each[i].code < 0 && r == 0)
			r = error_set(err, each[i].code, "%s", each[i].message);
	}
	ret->spoilt = r < 0;
	return r;
}

/*
 * Deciding
 */

/* Forgets what time has taken since it was read. */
static void drop_expired(struct store *s, const struct store_rules *rules, int64_t now_sec)
{
	/* One that ends now is good, but can sign nothing more. */
	if (s->ca.cert && credential_not_after(s->ca.cert) <= now_sec)
		credential_free(&s->ca);
	if (s->leaf.cert &&
		authority_check_leaf(s->leaf.cert, &s->bundle, &rules->names, now_sec, NULL) < 0)
		credential_free(&s->leaf);
}

/* The oldest authority that is not needed leaves a full bundle. */
static void make_room(struct store *s, const X509 *needed)
{
	for (size_t i = s->bundle.n; s->bundle.n == BUNDLE_MAX && i-- > 0;)
		if (s->bundle.cert[i] != needed && s->bundle.cert[i] != s->ca.cert)
			bundle_remove(&s->bundle, i);
}

/* A server certificate that was lost from the Secret but is still served: whoever trusts it must go
 * on to, until the repaired Secret's authority has come round. */
static unsigned restore_leaf(
	struct store *s, const struct store *last, const struct store_rules *rules, int64_t now_sec)
{
	X509 *issuer = last ? store_issuer(last) : NULL;

	if (s->leaf.cert || !issuer ||
		authority_check_leaf(last->leaf.cert, &last->bundle, &rules->names, now_sec, NULL) <
			0)
		return 0;
	make_room(s, NULL);
	bundle_add(&s->bundle, issuer, false);
	credential_copy(&s->leaf, &last->leaf);
	return STORE_RESTORED;
}

static int new_ca(
	struct store *s, const struct store_rules *rules, int64_t now_sec, struct error *err)
{
	X509 *keep = store_issuer(s);
	int r;

	credential_free(&s->ca);
	r = authority_make_ca(&s->ca, now_sec, rules->ca_lifetime_sec, err);
	if (r < 0)
		return r;
	bundle_drop_expired(&s->bundle, now_sec);
	make_room(s, keep);
	return bundle_add(&s->bundle, s->ca.cert, true);
}

static int new_leaf(
	struct store *s, const struct store_rules *rules, int64_t now_sec, struct error *err)
{
	credential_free(&s->leaf);
	return authority_make_leaf(
		&s->leaf, &s->ca, &rules->names, now_sec, rules->leaf_lifetime_sec, err);
}

/* When all that the older authorities signed has expired: the newest one's birth ended their
 * signing. And not before everybody had time to take up the present one's certificate. */
static int64_t trim_at(const struct store *s, const struct store_rules *rules)
{
	int64_t born = authority_created(s->leaf.cert);
	int64_t life = credential_not_after(s->leaf.cert) - born, t;

	if (life < rules->leaf_lifetime_sec)
		life = rules->leaf_lifetime_sec;
	t = authority_created(s->ca.cert) + life;
	return (t > born ? t : born) + rules->grace_sec;
}

static unsigned trim(struct store *s, const struct store_rules *rules, int64_t now_sec)
{
	size_t before = s->bundle.n;

	bundle_drop_expired(&s->bundle, now_sec);
	if (store_issuer(s) == s->ca.cert && now_sec >= trim_at(s, rules))
		for (size_t i = s->bundle.n; i-- > 0;)
			if (s->bundle.cert[i] != s->ca.cert)
				bundle_remove(&s->bundle, i);
	return s->bundle.n < before ? STORE_TRIMMED : 0;
}

static void sooner(int64_t *t, int64_t at, int64_t now_sec)
{
	if (at > now_sec && at < *t)
		*t = at;
}

static int64_t again(const struct store *s, const struct store_rules *rules, int64_t now_sec)
{
	int64_t t = INT64_MAX;

	sooner(&t, credential_not_after(s->leaf.cert) + 1, now_sec);
	sooner(&t, authority_renew_at(s->leaf.cert), now_sec);
	sooner(&t, authority_renew_at(s->ca.cert), now_sec);
	if (s->bundle.n > 1)
		sooner(&t, trim_at(s, rules), now_sec);
	for (size_t i = 0; i < s->bundle.n; i++)
		sooner(&t, credential_not_after(s->bundle.cert[i]) + 1, now_sec);
	return t;
}

int store_advance(struct store *s, const struct store *last, bool trusted,
	const struct store_rules *rules, int64_t now_sec, unsigned *ret_changes,
	int64_t *ret_again_sec, struct error *err)
{
	unsigned changes;
	bool settled;
	int r = 0;

	drop_expired(s, rules, now_sec);
	changes = restore_leaf(s, last, rules, now_sec);
	if (changes)
		trusted = false; /* it was another bundle */
	settled = s->ca.cert && s->leaf.cert && store_issuer(s) == s->ca.cert;

	if (settled && trusted && now_sec >= authority_renew_at(s->ca.cert)) {
		r = new_leaf(s, rules, now_sec, err);
		changes |= STORE_NEW_LEAF;
	}
	if (r == 0 && (!s->ca.cert || changes & STORE_NEW_LEAF)) {
		r = new_ca(s, rules, now_sec, err);
		changes |= STORE_NEW_CA;
	} else if (r == 0 && s->leaf.cert &&
		   (settled ? now_sec >= authority_renew_at(s->leaf.cert) : trusted)) {
		credential_free(&s->leaf);
	}
	if (r == 0 && !s->leaf.cert) {
		r = new_leaf(s, rules, now_sec, err);
		changes |= STORE_NEW_LEAF;
	}
	if (r < 0)
		return r;
	if (s->spoilt)
		changes |= STORE_RESTORED;
	s->spoilt = false;
	*ret_changes = changes | trim(s, rules, now_sec);
	*ret_again_sec = again(s, rules, now_sec);
	return 0;
}

/*
 * Writing
 */

enum { STORE_PARTS = 4 };

struct parts {
	struct buf leaf, bundle, head;
	struct secret leaf_key, ca_key;
};

static void parts_free(struct parts *p)
{
	buf_free(&p->leaf);
	buf_free(&p->bundle);
	buf_free(&p->head);
	secret_free(&p->leaf_key);
	secret_free(&p->ca_key);
}

/* What stands before the data. */
static int write_head(struct buf *b, const char *namespace_, const char *name, const char *version)
{
	buf_puts(b, "{\"apiVersion\":\"v1\",\"kind\":\"Secret\",\"metadata\":{\"name\":");
	buf_json_string(b, span_str(name));
	buf_puts(b, ",\"namespace\":");
	buf_json_string(b, span_str(namespace_));
	if (version) {
		buf_puts(b, ",\"resourceVersion\":");
		buf_json_string(b, span_str(version));
		/* The type of a Secret cannot be changed. */
		return buf_puts(b, "},\"data\":{");
	}
	return buf_puts(b, "},\"type\":\"kubernetes.io/tls\",\"data\":{");
}

static int write_parts(struct parts *p, const struct store *s)
{
	const struct bundle leaf = {.cert = {s->leaf.cert}, .n = 1};
	int r = bundle_write(&leaf, &p->leaf);

	if (r == 0)
		r = bundle_write(&s->bundle, &p->bundle);
	if (r == 0)
		r = credential_write_key(&p->leaf_key, s->leaf.key, NULL);
	return r < 0 ? r : credential_write_key(&p->ca_key, s->ca.key, NULL);
}

int store_body(struct secret *ret, const struct store *s, const char *namespace_, const char *name,
	const char *resource_version, struct error *err)
{
	_cleanup_(parts_free) struct parts p = {
		BUF_INIT(BUNDLE_PEM_MAX), BUF_INIT(BUNDLE_PEM_MAX), BUF_INIT(4096), {0}, {0}};
	_cleanup_secret_ struct secret body = {0};
	int r = write_parts(&p, s);
	struct {
		const char *before;
		struct span value;
	} parts[STORE_PARTS] = {
		{"\"tls.crt\":\"", buf_view(&p.leaf)},
		{"\",\"tls.key\":\"", secret_view(&p.leaf_key)},
		{"\",\"ca.crt\":\"", buf_view(&p.bundle)},
		{"\",\"ca.key\":\"", secret_view(&p.ca_key)},
	};

	if (r == 0)
		r = write_head(&p.head, namespace_, name, resource_version);
	if (r == 0)
		r = secret_init(&body, p.head.len +
					       secret_base64_len(p.leaf.len + p.leaf_key.len +
								 p.bundle.len + p.ca_key.len) +
					       128 /* keys, quotes and each part's padding */);
	if (r == 0)
		r = secret_add(&body, buf_view(&p.head));
	for (size_t i = 0; r == 0 && i < STORE_PARTS; i++) {
		r = secret_add(&body, span_str(parts[i].before));
		if (r == 0)
			r = secret_add_base64(&body, parts[i].value);
	}
	if (r == 0)
		r = secret_add(&body, SPAN_LIT("\"}}"));
	if (r < 0)
		return error_set(err, r, "writing the Secret of the certificates");
	*ret = body;
	body = (struct secret){0};
	return 0;
}
