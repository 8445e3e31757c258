/* SPDX-License-Identifier: Apache-2.0
 *
 * Inside, in order: what session_write() writes. Numbers are big endian; strings and bytes have
 * their length before them, in two bytes. */
#include "webhook/broker/session.h"

#include <errno.h>
#include <openssl/rand.h>

#include "common/base/clock.h"
#include "common/base/codec.h"

static const unsigned char magic[SEALING_MAGIC] = {'C', 'M', 'S', 1};

int session_new(struct session *ret, const char *tee, int64_t now_usec, struct error *err)
{
	struct session s = {.issued_usec = now_usec,
		.expires_usec = now_usec + SESSION_SEC * (int64_t)USEC_PER_SEC};

	if (strlen(tee) >= sizeof(s.tee))
		return error_set(err, -EINVAL, "the TEE's name is too long");
	strcpy(s.tee, tee);
	if (RAND_bytes(s.nonce, sizeof(s.nonce)) != 1)
		return error_set(err, -EIO, "no randomness for a nonce");
	*ret = s;
	return 0;
}

int session_prove(struct session *s, const struct proven *p)
{
	s->proven = *p;
	for (size_t i = 0; i < p->n_registers; i++) {
		size_t n = strlen(p->registers[i].name);

		if (n >= SESSION_NAME_MAX)
			return -E2BIG;
		memcpy(s->names[i], p->registers[i].name, n + 1);
		s->proven.registers[i].name = s->names[i];
	}
	return 0;
}

/*
 * Writing
 */

static void put_number(struct buf *out, uint64_t v)
{
	unsigned char bytes[8];

	for (int i = 7; i >= 0; i--, v >>= 8)
		bytes[i] = (unsigned char)v;
	buf_add(out, bytes, sizeof(bytes));
}

static void put_bytes(struct buf *out, const void *p, size_t n)
{
	const char len[2] = {(char)(n >> 8), (char)n};

	buf_add(out, len, sizeof(len));
	buf_add(out, p, n);
}

static void put_string(struct buf *out, const char *s)
{
	put_bytes(out, s, strlen(s));
}

static void put_proven(struct buf *out, const struct proven *p)
{
	put_number(out, p->tee);
	put_number(out, p->sample);
	put_number(out, p->n_registers);
	for (size_t i = 0; i < p->n_registers; i++) {
		put_string(out, p->registers[i].name);
		put_bytes(out, p->registers[i].value, p->registers[i].len);
	}
	put_number(out, (uint64_t)p->isv_prod_id);
	put_number(out, (uint64_t)p->isv_svn);
	put_number(out, (uint64_t)p->guest_svn);
	put_number(out, p->debug);
	put_number(out, p->tcb);
	put_number(out, p->n_advisories);
	for (size_t i = 0; i < p->n_advisories; i++)
		put_string(out, p->advisories[i]);
	put_bytes(out, p->platform_id, p->platform_id_len);
}

static void put_requester(struct buf *out, const struct requester *w)
{
	put_string(out, w->namespace_);
	put_string(out, w->service_account);
	put_string(out, w->pod);
	put_string(out, w->pod_uid);
	put_string(out, w->container);
	put_string(out, w->node);
	put_string(out, w->node_uid);
}

static void write_session(struct buf *out, const struct session *s)
{
	put_number(out, (uint64_t)s->issued_usec);
	put_number(out, (uint64_t)s->expires_usec);
	put_string(out, s->tee);
	put_bytes(out, s->nonce, sizeof(s->nonce));
	put_number(out, s->attested);
	if (!s->attested)
		return;
	put_bytes(out, s->key, s->key_len);
	put_proven(out, &s->proven);
	put_requester(out, &s->who);
}

int session_seal(struct buf *out, const struct sealing_keys *keys, const struct session *s,
	struct error *err)
{
	_cleanup_buf_ struct buf inside = BUF_INIT(SEALING_MAX);
	_cleanup_buf_ struct buf sealed = BUF_INIT(SEALING_OVERHEAD + SEALING_MAX);
	int r;

	write_session(&inside, s);
	if (inside.err)
		return error_set(err, inside.err, "the session holds too much");
	r = sealing_seal(&sealed, keys, magic, buf_view(&inside), err);
	if (r < 0)
		return error_prefix(err, r, "session");
	if (sealed.len > SESSION_TEXT_MAX / 4 * 3)
		return error_set(err, -E2BIG, "the session holds too much");
	r = codec_base64url(out, sealed.p, sealed.len);
	return r < 0 ? error_set(err, r, "no room for the session") : 0;
}

/*
 * Reading
 */

static bool take(struct span *in, void *out, size_t n)
{
	if (n > in->len)
		return false;
	if (n)
		memcpy(out, in->p, n);
	*in = (struct span){in->p + n, in->len - n};
	return true;
}

/* A number of at most max. */
static bool take_number(struct span *in, uint64_t max, uint64_t *ret)
{
	unsigned char bytes[8];
	uint64_t v = 0;

	if (!take(in, bytes, sizeof(bytes)))
		return false;
	for (size_t i = 0; i < sizeof(bytes); i++)
		v = v << 8 | bytes[i];
	*ret = v;
	return v <= max;
}

static bool take_flag(struct span *in, bool *ret)
{
	uint64_t v;

	if (!take_number(in, 1, &v))
		return false;
	*ret = v;
	return true;
}

static bool take_i32(struct span *in, int32_t *ret)
{
	uint64_t v;

	if (!take_number(in, UINT64_MAX, &v))
		return false;
	*ret = (int32_t)(int64_t)v;
	return true;
}

static bool take_bytes(struct span *in, void *out, size_t size, size_t *ret_len)
{
	unsigned char len[2];
	size_t n;

	if (!take(in, len, sizeof(len)))
		return false;
	n = (size_t)len[0] << 8 | len[1];
	*ret_len = n;
	return n <= size && take(in, out, n);
}

static bool take_string(struct span *in, char *out, size_t size)
{
	size_t n;

	if (!take_bytes(in, out, size - 1, &n))
		return false;
	out[n] = '\0';
	return true;
}

static bool take_registers(struct span *in, struct session *s)
{
	struct proven *p = &s->proven;
	uint64_t n;

	if (!take_number(in, PROVEN_REGISTERS_MAX, &n))
		return false;
	for (p->n_registers = 0; p->n_registers < n; p->n_registers++) {
		struct measurement *m = &p->registers[p->n_registers];

		m->name = s->names[p->n_registers];
		if (!take_string(in, s->names[p->n_registers], SESSION_NAME_MAX) ||
			!take_bytes(in, m->value, sizeof(m->value), &m->len))
			return false;
	}
	return true;
}

static bool take_proven(struct span *in, struct session *s)
{
	struct proven *p = &s->proven;
	uint64_t tee, tcb, n;

	if (!take_number(in, TEE_TYPE_N - 1, &tee) || !take_flag(in, &p->sample) ||
		!take_registers(in, s) || !take_i32(in, &p->isv_prod_id) ||
		!take_i32(in, &p->isv_svn) || !take_i32(in, &p->guest_svn) ||
		!take_flag(in, &p->debug) || !take_number(in, TCB_STATUS_N, &tcb) ||
		!take_number(in, PROVEN_ADVISORIES_MAX, &n))
		return false;
	p->tee = (enum tee_type)tee;
	p->tcb = (enum tcb_status)tcb;
	for (p->n_advisories = 0; p->n_advisories < n; p->n_advisories++)
		if (!take_string(in, p->advisories[p->n_advisories], PROVEN_ADVISORY_MAX))
			return false;
	return take_bytes(in, p->platform_id, sizeof(p->platform_id), &p->platform_id_len);
}

static bool take_requester(struct span *in, struct requester *w)
{
	return take_string(in, w->namespace_, sizeof(w->namespace_)) &&
	       take_string(in, w->service_account, sizeof(w->service_account)) &&
	       take_string(in, w->pod, sizeof(w->pod)) &&
	       take_string(in, w->pod_uid, sizeof(w->pod_uid)) &&
	       take_string(in, w->container, sizeof(w->container)) &&
	       take_string(in, w->node, sizeof(w->node)) &&
	       take_string(in, w->node_uid, sizeof(w->node_uid));
}

static bool read_session(struct session *s, struct span in)
{
	uint64_t issued, expires;
	size_t n;

	if (!take_number(&in, INT64_MAX, &issued) || !take_number(&in, INT64_MAX, &expires) ||
		!take_string(&in, s->tee, sizeof(s->tee)) ||
		!take_bytes(&in, s->nonce, sizeof(s->nonce), &n) || n != sizeof(s->nonce) ||
		!take_flag(&in, &s->attested))
		return false;
	s->issued_usec = (int64_t)issued;
	s->expires_usec = (int64_t)expires;
	if (s->attested && (!take_bytes(&in, s->key, sizeof(s->key), &s->key_len) ||
				   !take_proven(&in, s) || !take_requester(&in, &s->who)))
		return false;
	return in.len == 0;
}

static int refuse(enum reason *ret_reason, struct error *err, const char *what)
{
	*ret_reason = REASON_SessionExpired;
	return error_set(err, -EACCES, "%s; %s", what, reason_remedy(REASON_SessionExpired));
}

int session_open(struct session *ret, const struct sealing_keys *keys, struct span text,
	int64_t now_usec, enum reason *ret_reason, struct error *err)
{
	_cleanup_buf_ struct buf sealed = BUF_INIT(SESSION_TEXT_MAX);
	_cleanup_buf_ struct buf inside = BUF_INIT(SEALING_MAX);

	*ret = (struct session){0};
	if (text.len == 0 || text.len > SESSION_TEXT_MAX ||
		codec_unbase64(&sealed, CODEC_BASE64_URL, text) < 0 ||
		sealing_open(&inside, keys, magic, buf_view(&sealed)) < 0 ||
		!read_session(ret, buf_view(&inside)))
		return refuse(ret_reason, err, "the session is none that this broker gave out");
	if (now_usec > ret->expires_usec)
		return refuse(ret_reason, err, "the session has expired");
	if (ret->issued_usec > now_usec + SESSION_SKEW_SEC * (int64_t)USEC_PER_SEC)
		return refuse(ret_reason, err,
			"the session is from the future: the clocks of the broker's replicas "
			"differ");
	return 0;
}
