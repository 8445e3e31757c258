/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/audit_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/cleanup.h"
#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/base/json.h"
#include "common/kbs/jws.h"

enum { CHAINS_MAX = 100000 };

struct chain {
	struct chain *next;
	struct audit_head head; /* of the last line seen */
	uint64_t first;         /* seq of the first one */
	unsigned char (*hashes)[AUDIT_HASH];
	size_t n, cap;
	uint64_t checked; /* seq of the furthest checkpoint that holds */
};

struct audit_check {
	struct chain *chains;
	struct audit_totals totals;
};

struct audit_check *audit_check_new(void)
{
	return calloc(1, sizeof(struct audit_check));
}

void audit_check_free(struct audit_check *c)
{
	while (c && c->chains) {
		struct chain *chain = c->chains;

		c->chains = chain->next;
		free(chain->hashes);
		free(chain);
	}
	free(c);
}

static struct chain *find(struct audit_check *c, const char *id)
{
	for (struct chain *chain = c->chains; chain; chain = chain->next)
		if (strcmp(chain->head.chain, id) == 0)
			return chain;
	return NULL;
}

static struct chain *add_chain(struct audit_check *c, const struct audit_line *line)
{
	struct chain *chain = c->totals.chains < CHAINS_MAX ? calloc(1, sizeof(*chain)) : NULL;

	if (!chain)
		return NULL;
	chain->first = line->head.seq;
	chain->next = c->chains;
	c->chains = chain;
	c->totals.chains++;
	return chain;
}

static int keep(struct chain *chain, const struct audit_line *line)
{
	if (chain->n == chain->cap) {
		size_t cap = chain->cap ? 2 * chain->cap : 1024;
		void *p = reallocarray(chain->hashes, cap, AUDIT_HASH);

		if (!p)
			return -ENOMEM;
		chain->hashes = p;
		chain->cap = cap;
	}
	memcpy(chain->hashes[chain->n++], line->head.hash, AUDIT_HASH);
	chain->head = line->head;
	return 0;
}

/* A chain's first line says that nothing is before it. */
static bool starts_well(const struct audit_line *line)
{
	static const unsigned char zeros[AUDIT_HASH];

	return line->head.seq > 1 || memcmp(line->prev, zeros, AUDIT_HASH) == 0;
}

int audit_check_line(struct audit_check *c, struct span line, bool mixed, const char *name,
	size_t number, struct error *err)
{
	struct audit_line l;
	struct chain *chain;
	int r;

	if (mixed && !span_starts(line, "{\"audit\":"))
		return 0;
	r = audit_line_read(&l, line, err);
	if (r < 0) {
		error_prefix(err, r, "%s:%zu", name, number);
		return r == -ENOMEM ? r : 1;
	}
	chain = find(c, l.head.chain);
	if (chain ? !audit_line_follows(&chain->head, &l, err) : !starts_well(&l)) {
		if (!chain)
			error_set(err, -EBADMSG, "a first line that follows another");
		error_prefix(err, -EBADMSG, "%s:%zu", name, number);
		return 1;
	}
	if (!chain)
		chain = add_chain(c, &l);
	if (!chain || keep(chain, &l) < 0)
		return error_oom(err);
	c->totals.lines++;
	return 0;
}

static int read_point(struct audit_head *ret, struct span jws, EVP_PKEY *key, struct error *err)
{
	static const struct json_limits limits = {AUDIT_CHECKPOINT_MAX, 32, 3};
	_cleanup_buf_ struct buf payload = BUF_INIT(AUDIT_CHECKPOINT_MAX);
	_cleanup_json_ struct json doc = {0};
	char hash[2 * AUDIT_HASH + 1];
	int64_t seq = 0;
	int r = jws_verify_es256(jws, key, &payload, err);

	if (r == 0)
		r = json_parse(&doc, buf_view(&payload), &limits, err);
	if (r < 0)
		return r;
	if (!json_copy(json_get(json_root(&doc), "chain"), ret->chain, sizeof(ret->chain)) ||
		!json_int(json_get(json_root(&doc), "seq"), &seq) || seq < 1 ||
		!json_copy(json_get(json_root(&doc), "hash"), hash, sizeof(hash)) ||
		codec_hex_exact(ret->hash, AUDIT_HASH, span_str(hash)) < 0)
		return error_set(err, -EBADMSG, "no chain, seq or hash in it");
	ret->seq = (uint64_t)seq;
	return 0;
}

int audit_check_point(struct audit_check *c, struct span jws, EVP_PKEY *key, struct error *err)
{
	struct audit_head point = {0};
	int r = read_point(&point, jws, key, err);
	struct chain *chain;

	if (r < 0) {
		error_prefix(err, r, "a checkpoint");
		return r == -ENOMEM ? r : 1;
	}
	chain = find(c, point.chain);
	if (!chain || point.seq > chain->head.seq) {
		error_set(err, -EBADMSG,
			"chain %s: it had come to line %" PRIu64 " when a checkpoint was made, but "
			"ends with line %" PRIu64 ": its end was removed, or a file is not given",
			point.chain, point.seq, chain ? chain->head.seq : 0);
		return 1;
	}
	c->totals.checkpoints++;
	if (point.seq < chain->first) /* its file is not there any more */
		return 0;
	if (memcmp(chain->hashes[point.seq - chain->first], point.hash, AUDIT_HASH) != 0) {
		error_set(err, -EBADMSG,
			"chain %s: line %" PRIu64 " is not the one that a checkpoint was made of: "
			"the log was written anew",
			point.chain, point.seq);
		return 1;
	}
	if (point.seq > chain->checked)
		chain->checked = point.seq;
	return 0;
}

void audit_check_totals(const struct audit_check *c, struct audit_totals *ret)
{
	*ret = c->totals;
	ret->from_start = true;
	for (const struct chain *chain = c->chains; chain; chain = chain->next) {
		uint64_t behind = chain->checked > chain->first ? chain->checked - chain->first + 1
				  : chain->checked == chain->first ? 1
								   : 0;

		ret->from_start = ret->from_start && chain->first == 1;
		ret->unchecked += chain->n - behind;
	}
}

int audit_point_sign(struct buf *out, const struct audit_head *head, int64_t now_sec, EVP_PKEY *key,
	struct error *err)
{
	_cleanup_buf_ struct buf payload = BUF_INIT(AUDIT_CHECKPOINT_MAX);
	char when[CLOCK_RFC3339_MAX];

	clock_format(when, now_sec);
	buf_printf(&payload, "{\"chain\":\"%s\",\"seq\":%" PRIu64 ",\"hash\":\"", head->chain,
		head->seq);
	codec_hex(&payload, head->hash, AUDIT_HASH);
	buf_printf(&payload, "\",\"time\":\"%s\"}", when);
	if (payload.err)
		return error_oom(err);
	return jws_sign_es256(out, SPAN_LIT("{\"alg\":\"ES256\",\"typ\":\"casemate-audit\"}"),
		buf_view(&payload), key, err);
}
