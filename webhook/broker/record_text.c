/* SPDX-License-Identifier: Apache-2.0
 *
 * Records of keys as text. */
#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <stdio.h>

#include "common/base/codec.h"
#include "common/base/json.h"
#include "webhook/broker/record.h"

#define MAGIC "casemate-keys/1 "

enum {
	MAC_TEXT = 2 * WRAP_MAC,
	HEAD_LEN = sizeof(MAGIC) - 1 + KEK_ID_MAX - 1 + 1 + MAC_TEXT + 1,
};

static const struct json_limits limits = {KEY_RECORD_BYTES_MAX, 32768, 8};

static int corrupt(struct error *err, const char *what)
{
	return error_set(err, -EBADMSG,
		"the record is damaged (%s); nothing was changed: restore it from a backup", what);
}

static int read_head(struct span text, char ret_kek[KEK_ID_MAX], unsigned char ret_mac[WRAP_MAC],
	struct error *err)
{
	struct span rest = span_after(text, MAGIC);

	if (text.len >= sizeof(MAGIC) - 1 && !rest.p && span_starts(text, "casemate-keys/"))
		return error_set(err, -EBADMSG,
			"the record is of another format than casemate-keys/1; use the Casemate "
			"that "
			"wrote it, or restore it from a backup");
	if (!rest.p || text.len < HEAD_LEN || rest.p[KEK_ID_MAX - 1] != ' ' ||
		rest.p[KEK_ID_MAX + MAC_TEXT] != '\n')
		return corrupt(err, "its first line");
	memcpy(ret_kek, rest.p, KEK_ID_MAX - 1);
	ret_kek[KEK_ID_MAX - 1] = '\0';
	for (size_t i = 0; i < MAC_TEXT; i++)
		if (rest.p[KEK_ID_MAX + i] >= 'A' && rest.p[KEK_ID_MAX + i] <= 'F')
			return corrupt(err, "its first line");
	if (strspn(ret_kek, "0123456789abcdef") != KEK_ID_MAX - 1 ||
		codec_hex_exact(ret_mac, WRAP_MAC, (struct span){rest.p + KEK_ID_MAX, MAC_TEXT}) <
			0)
		return corrupt(err, "its first line");
	return 0;
}

static int mac_of(
	unsigned char ret[WRAP_MAC], const struct kek *kek, struct span body, struct error *err)
{
	_cleanup_buf_ struct buf b = BUF_INIT(KEY_RECORD_BYTES_MAX + HEAD_LEN);

	buf_puts(&b, kek->id);
	buf_putc(&b, '\n');
	if (buf_span(&b, body) < 0)
		return error_set(err, b.err, "a record is too large");
	return wrap_mac(ret, kek, buf_view(&b)) < 0 ? error_set(err, -EIO, "OpenSSL: HMAC") : 0;
}

/* An integer from min to max. */
static bool read_number(struct json_val v, int64_t min, int64_t max, int64_t *ret)
{
	return json_int(v, ret) && *ret >= min && *ret <= max;
}

static int read_version(
	struct key_record *rec, struct key_entry *e, struct json_val value, struct error *err)
{
	_cleanup_buf_ struct buf nonce = BUF_INIT(64), wrapped = BUF_INIT(KEY_BYTES_MAX + WRAP_TAG);
	int64_t version = 0, size = 0, made = 0;
	enum key_type type = key_type_parse(json_str(json_get(value, "type"), &rec->arena));
	struct key_version *v = &e->v[e->n];

	if (e->n == KEY_VERSIONS_MAX || json_count(value) != 6 || type == KEY_TYPE_N ||
		!read_number(json_get(value, "version"), 1, INT32_MAX, &version) ||
		!read_number(json_get(value, "size"), 1, KEY_BYTES_MAX, &size) ||
		!read_number(json_get(value, "made"), 0, INT64_MAX, &made) ||
		(e->n && e->v[e->n - 1].version <= version))
		return corrupt(err, "a version of a key");
	if (codec_unbase64(&nonce, CODEC_BASE64, json_str(json_get(value, "nonce"), &rec->arena)) <
			0 ||
		codec_unbase64(&wrapped, CODEC_BASE64,
			json_str(json_get(value, "wrapped"), &rec->arena)) < 0 ||
		nonce.len != WRAP_NONCE || wrapped.len <= WRAP_TAG)
		return corrupt(err, "a wrapped key");
	*v = (struct key_version){.version = (unsigned)version,
		.type = type,
		.size = (unsigned)size,
		.made_sec = made,
		.wrapped = arena_dup(&rec->arena, buf_view(&wrapped))};
	memcpy(v->nonce, nonce.p, WRAP_NONCE);
	e->n++;
	return v->wrapped.p ? 0 : error_oom(err);
}

static int read_key(struct key_record *rec, struct json_val value, struct error *err)
{
	struct json_val versions = json_get(value, "versions");
	struct key_entry *e;
	char name[KEY_NAME_MAX];
	struct json_iter it;

	if (json_count(value) != 3 || !json_copy(json_get(value, "name"), name, sizeof(name)) ||
		key_record_find(rec, name) || json_count(versions) == 0 || !json_is_array(versions))
		return corrupt(err, "a key");
	e = key_record_add(rec, name);
	if (!e || !read_number(json_get(value, "removed"), 0, INT64_MAX, &e->removed_sec))
		return corrupt(err, "a key");
	json_each (it, versions) {
		int r = read_version(rec, e, it.value, err);

		if (r < 0)
			return r;
	}
	return 0;
}

static int read_owner(struct key_record *rec, struct json_val root, struct error *err)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(8192);
	const char *const names[] = {"namespace", "namespaceUID", "profile", "profileUID"};
	const char *values[ARRAY_SIZE(names)];
	struct key_owner o;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct span s = json_str(json_get(root, names[i]), &a);

		values[i] = s.p ? arena_strdup(&a, s) : NULL;
		if (!values[i])
			return corrupt(err, "whose keys they are");
	}
	o = (struct key_owner){values[0], values[1], values[2], values[3]};
	return key_record_new(rec, &o, err) == -ENOMEM ? -ENOMEM
	       : rec->keys                             ? 0
						       : corrupt(err, "whose keys they are");
}

int key_record_read_body(struct key_record *ret, struct span body, struct error *err)
{
	_cleanup_json_ struct json doc = {0};
	_cleanup_record_ struct key_record rec = {0};
	struct json_val root, keys;
	struct json_iter it;
	int r = json_parse(&doc, body, &limits, err);

	if (r < 0)
		return r == -ENOMEM ? r : corrupt(err, "no JSON");
	root = json_root(&doc);
	keys = json_get(root, "keys");
	if (json_count(root) != 6 || !json_is_array(keys))
		return corrupt(err, "its members");
	r = read_owner(&rec, root, err);
	if (r == 0 && !read_number(json_get(root, "deleted"), 0, INT64_MAX, &rec.deleted_sec))
		r = corrupt(err, "its members");
	if (r < 0)
		return r;
	json_each (it, keys) {
		r = read_key(&rec, it.value, err);
		if (r < 0)
			return r;
	}
	*ret = rec;
	rec = (struct key_record){0};
	return 0;
}

int key_record_kek(char ret[KEK_ID_MAX], struct span text)
{
	unsigned char mac[WRAP_MAC];

	return read_head(text, ret, mac, NULL);
}

int key_record_read(
	struct key_record *ret, struct span text, const struct kek_ring *keks, struct error *err)
{
	unsigned char mac[WRAP_MAC], want[WRAP_MAC];
	char id[KEK_ID_MAX] = "";
	const struct kek *kek;
	struct span body;
	int r = read_head(text, id, mac, err);

	if (r < 0)
		return r;
	kek = kek_ring_find(keks, id);
	if (!kek)
		return error_set(err, -ENOKEY,
			"the record is under key-encryption key %s, which is not known: add it "
			"to the file of key-encryption keys, behind the newest, or set up what "
			"wrapped it as well",
			id);
	body = (struct span){text.p + HEAD_LEN, text.len - HEAD_LEN};
	if (body.len > KEY_RECORD_BYTES_MAX)
		return corrupt(err, "too large");
	r = mac_of(want, kek, body, err);
	if (r < 0)
		return r;
	if (CRYPTO_memcmp(mac, want, WRAP_MAC) != 0)
		return corrupt(err, "its seal does not hold");
	r = key_record_read_body(ret, body, err);
	if (r == 0)
		memcpy(ret->kek, id, sizeof(ret->kek));
	return r;
}

static void write_key(struct buf *b, const struct key_entry *e)
{
	buf_printf(b, "{\"name\":\"%s\",\"removed\":%" PRId64 ",\"versions\":[", e->name,
		e->removed_sec);
	for (size_t i = 0; i < e->n; i++) {
		const struct key_version *v = &e->v[i];

		buf_printf(b,
			"%s{\"version\":%u,\"type\":\"%s\",\"size\":%u,\"made\":%" PRId64
			",\"nonce\":\"",
			i ? "," : "", v->version, key_type_name(v->type), v->size, v->made_sec);
		buf_base64(b, v->nonce, WRAP_NONCE);
		buf_puts(b, "\",\"wrapped\":\"");
		buf_base64(b, v->wrapped.p, v->wrapped.len);
		buf_puts(b, "\"}");
	}
	buf_puts(b, "]}");
}

static void write_body(struct buf *b, const struct key_record *rec)
{
	const char *separator = "";

	buf_puts(b, "{\"namespace\":");
	buf_json_string(b, span_str(rec->owner.namespace_));
	buf_puts(b, ",\"namespaceUID\":");
	buf_json_string(b, span_str(rec->owner.namespace_uid));
	buf_puts(b, ",\"profile\":");
	buf_json_string(b, span_str(rec->owner.profile));
	buf_puts(b, ",\"profileUID\":");
	buf_json_string(b, span_str(rec->owner.profile_uid));
	buf_printf(b, ",\"deleted\":%" PRId64 ",\"keys\":[", rec->deleted_sec);
	for (size_t i = 0; i < rec->n; i++) {
		if (!rec->keys[i].n)
			continue;
		buf_puts(b, separator);
		write_key(b, &rec->keys[i]);
		separator = ",";
	}
	buf_puts(b, "]}\n");
}

int key_record_write(struct buf *out, const struct key_record *rec, const struct kek_ring *keks,
	struct error *err)
{
	_cleanup_buf_ struct buf body = BUF_INIT(KEY_RECORD_BYTES_MAX);
	unsigned char mac[WRAP_MAC];
	int r;

	if (keks->n == 0 || (rec->n && strcmp(rec->kek, keks->v[0].id) != 0))
		return error_set(err, -ENOKEY,
			"a record is not under the newest "
			"key-encryption key");
	write_body(&body, rec);
	if (body.err)
		return error_set(err, body.err,
			"the keys of %s/%s take more than %d bytes: keep fewer versions, or divide "
			"them among profiles",
			rec->owner.namespace_, rec->owner.profile, KEY_RECORD_BYTES_MAX);
	r = mac_of(mac, &keks->v[0], buf_view(&body), err);
	if (r < 0)
		return r;
	buf_printf(out, MAGIC "%s ", keks->v[0].id);
	codec_hex(out, mac, sizeof(mac));
	buf_putc(out, '\n');
	return buf_span(out, buf_view(&body)) < 0
		       ? error_set(err, out->err, "a record is too large")
		       : 0;
}
