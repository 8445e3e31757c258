/* SPDX-License-Identifier: Apache-2.0
 *
 * spec.identities: any of those that the key names, and of that one every field. */
#include <errno.h>
#include <inttypes.h>
#include <openssl/crypto.h>

#include "common/base/codec.h"
#include "webhook/broker/grant_private.h"
#include "webhook/broker/init_data.h"
#include "webhook/policy/guest_init_data.h"

enum { SHOWN_BYTES = 6, SHOWN_MAX_BYTES = 2 * SHOWN_BYTES + 3 };

/* What an identity differs in. Only the closest one is reported. */
struct difference {
	const char *first; /* in words; NULL: nothing */
	size_t n;
};

/* Registers by the profile's names. */
static const struct {
	enum tee_type tee;
	const char *member, *index; /* index: of rtmrs */
	const char *name;           /* of the evidence */
	size_t len;
} registers[] = {
	{TEE_TYPE_SGX, "mrenclave", NULL, "mrenclave", 32},
	{TEE_TYPE_SGX, "mrsigner", NULL, "mrsigner", 32},
	{TEE_TYPE_TDX, "mrtd", NULL, "mrtd", 48},
	{TEE_TYPE_TDX, "rtmrs", "0", "rtmr0", 48},
	{TEE_TYPE_TDX, "rtmrs", "1", "rtmr1", 48},
	{TEE_TYPE_TDX, "rtmrs", "2", "rtmr2", 48},
	{TEE_TYPE_TDX, "rtmrs", "3", "rtmr3", 48},
	{TEE_TYPE_SNP, "measurement", NULL, "measurement", 48},
	{TEE_TYPE_SNP, "hostData", NULL, "hostData", 32},
	{TEE_TYPE_SNP, "idKeyDigest", NULL, "idKeyDigest", 48},
};

/* The first bytes, as digits. */
static const char *short_hex(struct arena *a, const unsigned char *p, size_t len)
{
	_cleanup_buf_ struct buf b = BUF_INIT(SHOWN_MAX_BYTES);
	size_t n = len < SHOWN_BYTES ? len : SHOWN_BYTES;

	if (codec_hex(&b, p, n) < 0 || (n < len && buf_puts(&b, "…") < 0))
		return NULL;
	return arena_strdup(a, buf_view(&b));
}

static int differ(struct difference *diff, const char *text)
{
	if (!text)
		return -ENOMEM;
	if (diff->n++ == 0)
		diff->first = text;
	return 0;
}

static int compare_register(struct decision *d, struct json_val want_hex, size_t i, const char *at,
	struct difference *diff)
{
	const struct measurement *got = proven_register(d->q->proven, registers[i].name);
	unsigned char want[64];
	const char *want_text, *got_text = "none";
	struct span text = json_str(want_hex, d->a);

	if (!text.p)
		return -ENOMEM;
	if (codec_hex_exact(want, registers[i].len, text) < 0) /* no valid profile has it */
		return differ(diff, "a register that is no hexadecimal");
	if (got && got->len == registers[i].len &&
		CRYPTO_memcmp(got->value, want, registers[i].len) == 0)
		return 0;
	want_text = short_hex(d->a, want, registers[i].len);
	if (got)
		got_text = short_hex(d->a, got->value, got->len);
	if (!want_text || !got_text)
		return -ENOMEM;
	return differ(diff, arena_printf(d->a, "%s.%s%s%s%s is %s and the evidence's is %s", at,
				    registers[i].member, registers[i].index ? "[\"" : "",
				    registers[i].index ? registers[i].index : "",
				    registers[i].index ? "\"]" : "", want_text, got_text));
}

/* want: missing means any. least: got may be more. */
static int compare_number(struct decision *d, struct json_val want, int32_t got, bool least,
	const char *at, const char *member, struct difference *diff)
{
	int64_t n = 0;

	if (!json_exists(want))
		return 0;
	if (json_int(want, &n) && got >= 0 && (least ? got >= n : got == n))
		return 0;
	return differ(
		diff, arena_printf(d->a, "%s.%s is %" PRId64 " and the evidence's is %" PRId32, at,
			      member, n, got));
}

static int compare_registers(
	struct decision *d, struct json_val v, const char *at, struct difference *diff)
{
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(registers) && r == 0; i++) {
		struct json_val want = json_get(v, registers[i].member);

		if (registers[i].tee != d->q->proven->tee)
			continue;
		if (registers[i].index)
			want = json_get(want, registers[i].index);
		if (json_exists(want))
			r = compare_register(d, want, i, at, diff);
	}
	return r;
}

/* "sha256:…" as bytes; the length, or -EBADMSG. */
static int read_digest(unsigned char ret[INIT_DATA_DIGEST_MAX], struct span text)
{
	const char *colon = text.len ? memchr(text.p, ':', text.len) : NULL;
	struct span hex = SPAN_NONE;

	if (colon)
		hex = (struct span){colon + 1, text.len - (size_t)(colon + 1 - text.p)};
	if (!hex.len || hex.len % 2 || hex.len / 2 > INIT_DATA_DIGEST_MAX ||
		codec_hex_exact(ret, hex.len / 2, hex) < 0)
		return -EBADMSG;
	return (int)(hex.len / 2);
}

/* want: Casemate's for this profile, or a digest of the user's own; missing means any. */
static int compare_init_data(
	struct decision *d, struct json_val want, const char *at, struct difference *diff)
{
	bool ours = json_str_is(want, INIT_DATA_CASEMATE);
	unsigned char digest[INIT_DATA_DIGEST_MAX];
	struct span text = json_str(want, d->a);
	const char *shown;
	int n = INIT_DATA_DIGEST, r = 0;

	if (!json_exists(want))
		return 0;
	if (!text.p)
		return -ENOMEM;
	if (ours)
		r = guest_init_data_digest(digest, d->q->config, d->profile);
	else
		n = read_digest(digest, text);
	if (r == -ENOENT || n < 0) /* no valid profile has it */
		return differ(diff, "initData that is none here");
	if (r < 0)
		return -ENOMEM;
	if (init_data_proven(d->q->proven, digest, (size_t)n))
		return 0;
	shown = short_hex(d->a, digest, (size_t)n);
	return !shown ? -ENOMEM
		      : differ(diff,
				arena_printf(d->a,
					"%s.initData is %s%s, and the TEE was started with another",
					at, ours ? "Casemate's for this profile now, " : "", shown));
}

/* v: what the identity says of the evidence's kind of TEE. */
static int compare(struct decision *d, struct json_val v, const char *at, struct difference *diff)
{
	const struct proven *p = d->q->proven;
	int r = compare_registers(d, v, at, diff);

	if (r == 0)
		r = compare_number(
			d, json_get(v, "isvProdId"), p->isv_prod_id, false, at, "isvProdId", diff);
	if (r == 0)
		r = compare_number(
			d, json_get(v, "minIsvSvn"), p->isv_svn, true, at, "minIsvSvn", diff);
	if (r == 0)
		r = compare_init_data(d, json_get(v, "initData"), at, diff);
	return r;
}

int grant_is(const struct proven *p, struct json_val v, struct arena *a)
{
	const struct grant_request q = {.proven = p};
	struct decision d = {.q = &q, .a = a};
	struct difference diff = {0};
	int r = compare(&d, v, "", &diff);

	return r < 0 ? r : diff.n == 0;
}

static bool holds(struct json_val names, struct json_val name)
{
	struct json_iter it;

	json_each (it, names)
		if (json_equal(it.value, name))
			return true;
	return false;
}

/* Does the key count on this identity? By default on all hardware ones, and once it allows
 * simulated TEEs, on those too. */
static bool counts(const struct decision *d, struct json_val identity)
{
	struct json_val names = json_get(d->key, "identities");

	if (json_exists(names))
		return holds(names, json_get(identity, "name"));
	return !json_exists(json_get(identity, "simulated")) ||
	       json_type(json_get(d->key, "allowSimulated")) == JSON_TRUE;
}

/* All of three must say so. */
static int judge_consents(struct decision *d)
{
	struct json_val profile = json_find(d->profile->spec, "attestation", "allowSimulated");
	const char *lacks = NULL;

	if (!d->q->allow_simulated)
		lacks = "the configuration's allowSimulated";
	else if (json_type(profile) != JSON_TRUE)
		lacks = "spec.attestation.allowSimulated";
	else if (json_type(json_get(d->key, "allowSimulated")) != JSON_TRUE)
		lacks = arena_printf(d->a, "%s.allowSimulated", d->key_at);
	else
		return 0;
	if (!lacks)
		return -ENOMEM;
	return grant_refuse(d, REASON_SimulatedNotAllowed,
		"%s is not true: a simulated TEE protects nothing, and gets keys only where "
		"configuration, profile and key all allow it",
		lacks);
}

static int refuse(struct decision *d, const struct difference *closest)
{
	const char *kind = d->q->proven->sample ? "sample" : tee_type_name(d->q->proven->tee);

	if (!closest->first)
		return grant_refuse(d, REASON_IdentityNotAllowed,
			"none of the identities of %s is for %s evidence", d->key_at, kind);
	return grant_refuse(d, REASON_IdentityNotAllowed, "%s%s", closest->first,
		closest->n > 1 ? ", and more differs" : "");
}

/* Sample evidence stands for any hardware, and for nothing simulated. */
static int match_sample(struct decision *d)
{
	static const struct difference none;
	struct json_iter it;

	if (!d->q->allow_sample)
		return grant_refuse(d, REASON_SampleNotAllowed,
			"sample evidence proves nothing and is not allowed here (allowSample, for "
			"tests)");
	json_each (it, json_get(d->profile->spec, "identities"))
		if (counts(d, it.value) && !json_exists(json_get(it.value, "simulated")))
			return 0;
	return refuse(d, &none);
}

int grant_identity(struct decision *d)
{
	struct difference closest = {.n = SIZE_MAX};
	const char *kind = tee_type_name(d->q->proven->tee);
	struct json_iter it;
	int r = 0;

	if (d->q->proven->sample)
		return match_sample(d);
	if (d->q->proven->tee == TEE_TYPE_SIMULATED)
		r = judge_consents(d);
	if (r)
		return r;
	json_each (it, json_get(d->profile->spec, "identities")) {
		struct json_val v = json_get(it.value, kind);
		struct difference diff = {0};
		const char *at;

		if (!json_exists(v) || !counts(d, it.value))
			continue;
		at = arena_printf(d->a, "spec.identities[%zu].%s", it.index, kind);
		r = at ? compare(d, v, at, &diff) : -ENOMEM;
		if (r < 0 || diff.n == 0)
			return r;
		if (diff.n < closest.n)
			closest = diff;
	}
	return refuse(d, &closest);
}
