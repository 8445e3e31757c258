/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/audit_line.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "common/base/algorithm.h"
#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/base/json.h"
#include "common/base/utf8.h"
#include "common/kbs/key_id.h"
#include "webhook/broker/grant.h"

#define HASH_MEMBER ",\"hash\":\""
#define START       "{\"audit\":1,\"chain\":\""

enum {
	TEXT_MAX = 1024, /* bytes of one text, as it comes */
	TAIL = sizeof(HASH_MEMBER) - 1 + 2 * AUDIT_HASH + 2,
};

static const struct json_limits limits = {AUDIT_LINE_MAX, 256, 4};

DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free)

static int hash_of(
	unsigned char ret[AUDIT_HASH], const unsigned char prev[AUDIT_HASH], struct span body)
{
	_cleanup_(EVP_MD_CTX_free_p) EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	return ctx && EVP_DigestInit_ex(ctx, algorithm_sha256(), NULL) == 1 &&
			       EVP_DigestUpdate(ctx, prev, AUDIT_HASH) == 1 &&
			       EVP_DigestUpdate(ctx, body.p, body.len) == 1 &&
			       EVP_DigestFinal_ex(ctx, ret, NULL) == 1
		       ? 0
		       : -ENOMEM;
}

static bool is_utf8(struct span s)
{
	while (s.len) {
		size_t n = utf8_decode(s, NULL);

		if (!n)
			return false;
		s = (struct span){s.p + n, s.len - n};
	}
	return true;
}

/* A member, if there is something to say. What is no UTF-8 is not written as it came. */
static void add_text(struct buf *b, const char *name, struct span s)
{
	s = utf8_cut(s, TEXT_MAX);
	if (!s.len)
		return;
	buf_printf(b, ",\"%s\":", name);
	if (is_utf8(s))
		buf_json_string(b, s);
	else
		buf_puts(b, "\"(not UTF-8)\"");
}

static void add_string(struct buf *b, const char *name, const char *s)
{
	add_text(b, name, span_str(s));
}

static void add_requester(struct buf *b, const struct requester *who)
{
	add_string(b, "namespace", who->namespace_);
	add_string(b, "serviceAccount", who->service_account);
	add_string(b, "pod", who->pod);
	add_string(b, "podUID", who->pod_uid);
	add_string(b, "container", who->container);
	add_string(b, "node", who->node);
	add_string(b, "nodeUID", who->node_uid);
}

static void add_entry(struct buf *b, const struct audit_entry *e)
{
	char id[512];

	add_string(b, "protocol", e->protocol);
	if (e->who)
		add_requester(b, e->who);
	add_text(b, "tee", e->tee);
	add_text(b, "measurement", e->measurement_hex);
	add_string(b, "platform", e->platform_hex);
	if (e->key) {
		snprintf(id, sizeof(id), "%s/%s/%s", e->key->namespace_, e->key->profile,
			e->key->key);
		add_string(b, "key", id);
	}
	if (e->version)
		buf_printf(b, ",\"version\":%u", e->version);
	add_string(b, "verdict", e->reason == REASON_Ok ? "released" : "refused");
	add_string(b, "reason", reason_name(e->reason));
	add_string(b, "message", e->message);
}

static int finish(struct buf *out, struct buf *line, struct audit_head *head)
{
	struct audit_head next = *head;
	int r;

	buf_puts(line, ",\"prev\":\"");
	codec_hex(line, head->hash, AUDIT_HASH);
	if (buf_puts(line, "\"") < 0)
		return line->err;
	next.seq++;
	r = hash_of(next.hash, head->hash, buf_view(line));
	if (r < 0)
		return r;
	buf_puts(line, HASH_MEMBER);
	codec_hex(line, next.hash, AUDIT_HASH);
	buf_puts(line, "\"}\n");
	r = line->err ? line->err : buf_span(out, buf_view(line));
	if (r == 0)
		*head = next;
	return r;
}

static void start(
	struct buf *b, const struct audit_head *head, const char *replica, int64_t time_usec)
{
	char when[CLOCK_RFC3339_MAX];

	clock_format_micro(when, time_usec);
	buf_printf(b, START "%s\",\"seq\":%" PRIu64 ",\"time\":\"%s\"", head->chain, head->seq + 1,
		when);
	add_string(b, "replica", replica);
}

int audit_line_write(
	struct buf *out, struct audit_head *head, const char *replica, const struct audit_entry *e)
{
	_cleanup_buf_ struct buf line = BUF_INIT(AUDIT_LINE_MAX);

	start(&line, head, replica, e->time_usec);
	add_entry(&line, e);
	return finish(out, &line, head);
}

int audit_line_note(struct buf *out, struct audit_head *head, const char *replica,
	int64_t time_usec, const char *note)
{
	_cleanup_buf_ struct buf line = BUF_INIT(AUDIT_LINE_MAX);

	start(&line, head, replica, time_usec);
	add_string(&line, "note", note);
	return finish(out, &line, head);
}

static bool read_hash(struct json_val v, unsigned char ret[AUDIT_HASH])
{
	char text[2 * AUDIT_HASH + 1];

	return json_copy(v, text, sizeof(text)) && !strpbrk(text, "ABCDEF") &&
	       codec_hex_exact(ret, AUDIT_HASH, span_str(text)) == 0;
}

int audit_line_read(struct audit_line *ret, struct span line, struct error *err)
{
	_cleanup_json_ struct json doc = {0};
	struct audit_line l = {0};
	unsigned char hash[AUDIT_HASH];
	struct json_val root;
	struct span tail;
	int64_t seq = 0;
	int r;

	if (!span_starts(line, START) || line.len <= TAIL)
		return error_set(err, -EBADMSG, "it is no line of an audit log");
	tail = (struct span){line.p + line.len - TAIL, TAIL};
	r = json_parse(&doc, line, &limits, err);
	if (r < 0)
		return r == -ENOMEM ? r : error_set(err, -EBADMSG, "it is no line of an audit log");
	root = json_root(&doc);
	if (!span_starts(tail, HASH_MEMBER) ||
		!json_copy(json_get(root, "chain"), l.head.chain, sizeof(l.head.chain)) ||
		strlen(l.head.chain) != AUDIT_CHAIN_MAX - 1 ||
		!json_int(json_get(root, "seq"), &seq) || seq < 1 ||
		!read_hash(json_get(root, "prev"), l.prev) ||
		!read_hash(json_get(root, "hash"), l.head.hash))
		return error_set(err, -EBADMSG, "it is no line of an audit log");
	l.head.seq = (uint64_t)seq;
	if (hash_of(hash, l.prev, (struct span){line.p, line.len - TAIL}) < 0)
		return error_oom(err);
	if (CRYPTO_memcmp(hash, l.head.hash, AUDIT_HASH) != 0 || memchr(line.p, '\r', line.len))
		return error_set(err, -EBADMSG, "line %" PRIu64 " of chain %s was changed",
			l.head.seq, l.head.chain);
	*ret = l;
	return 0;
}

bool audit_line_follows(
	const struct audit_head *head, const struct audit_line *line, struct error *err)
{
	if (line->head.seq != head->seq + 1) {
		error_set(err, -EBADMSG,
			line->head.seq > head->seq
				? "chain %s: line %" PRIu64 " comes after line %" PRIu64
				  ": lines between them were removed"
				: "chain %s: line %" PRIu64 " comes after line %" PRIu64
				  ": lines were moved or repeated",
			head->chain, line->head.seq, head->seq);
		return false;
	}
	if (memcmp(line->prev, head->hash, AUDIT_HASH) != 0) {
		error_set(err, -EBADMSG,
			"chain %s: line %" PRIu64 " does not follow the one before it", head->chain,
			line->head.seq);
		return false;
	}
	return true;
}
