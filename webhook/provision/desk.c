/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/provision/desk.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "webhook/broker/rates.h"
#include "webhook/policy/key_spec.h"
#include "webhook/provision/choice.h"
#include "webhook/provision/ra_tls.h"

#define PROTOCOL "gramine"

enum {
	MESSAGES_MAX = 1024 * 1024,
	KEY_PATH_MAX = 400,
};

struct provision_desk {
	struct provision_options o;
	struct rates *rates;
};

/* One request. */
struct asking {
	struct provision_desk *desk;
	struct arena a;
	struct proven proven;
	const char *tee;
	struct key_id key;
	unsigned version;
	bool proved; /* the evidence is genuine */
	struct secret *answer;
	int64_t now_sec;
};

static const struct requester nobody;

static int write_down(struct asking *q, enum reason reason, const char *message, struct error *err)
{
	return ledger_write(q->desk->o.ledger,
		&(struct ledger_entry){
			.protocol = PROTOCOL,
			.tee = q->tee,
			.proven = &q->proven,
			.who = &nobody,
			.key = q->key.key[0] ? &q->key : NULL,
			.version = q->version,
			.reason = reason,
			.message = message,
		},
		err);
}

/* Always -EACCES. Who has proved nothing cannot fill the audit log. */
static int refuse(struct asking *q, enum reason reason, const char *message)
{
	struct error err = {0};

	log_info(2, "Refused an enclave's secret", LOG_STR("namespace", q->key.namespace_),
		LOG_STR("profile", q->key.profile), LOG_STR("key", q->key.key),
		LOG_STR("reason", reason_name(reason)), LOG_STR("message", message));
	if (!q->proved)
		ledger_count(q->desk->o.ledger, PROTOCOL, reason);
	else if (write_down(q, reason, message, &err) < 0)
		log_error(err.message, "Could not write the audit log");
	return -EACCES;
}

/* Only an enclave's quote: guests have RCAR. */
static int take_examination(struct asking *q, const struct examination *e)
{
	if (!verdict_accepted(&e->verdict))
		return refuse(q, e->verdict.reason,
			e->verdict.message[0] ? e->verdict.message
					      : reason_explanation(e->verdict.reason));
	if (e->evidence.tee != TEE_TYPE_SGX)
		return refuse(q, REASON_UnsupportedVersion,
			"the certificate's evidence is not an SGX quote");
	if (proven_from(&q->proven, &e->evidence, &e->verdict) < 0)
		return refuse(q, REASON_Malformed, "the evidence names too much");
	q->proved = true;
	return 0;
}

static int examine_quote(struct asking *q, struct span certificate)
{
	const struct provision_options *o = &q->desk->o;
	_cleanup_ra_tls_ struct ra_tls c = {0};
	struct examination e = {0};
	enum reason reason = REASON_Malformed;
	struct error err = {0};
	int r;

	if (!certificate.p)
		return refuse(q, reason, "the client showed more certificates than its own");
	if (ra_tls_read(&c, certificate, q->now_sec, &reason, &err) < 0)
		return refuse(q, reason, err.message);
	o->examine(o->examine_ctx, c.quote, c.report_data, q->now_sec, &e);
	r = take_examination(q, &e);
	examination_free(&e);
	return r;
}

static int grant(struct asking *q)
{
	const struct rcar_world *w = q->desk->o.world;
	const struct grant_request request = {
		.config = w->policy,
		.profiles = w->profiles,
		.id = &q->key,
		.proven = &q->proven,
		.who = &nobody,
		.image = SPAN_NONE,
		.now_sec = q->now_sec,
	};
	enum reason reason = REASON_Internal;
	const char *message = "";

	if (choice_make(&q->key, w->profiles, &q->proven, &q->a, &reason, &message) < 0)
		return refuse(q, REASON_Internal, "out of memory");
	if (reason != REASON_Ok)
		return refuse(q, reason, message);
	if (!rates_take(q->desk->rates, RATE_NAMESPACE, q->key.namespace_, RATES_KEYS_PER_SEC,
		    RATES_KEYS_BURST, clock_monotonic_usec()))
		return refuse(q, REASON_RateLimited, "keys of this namespace are asked too often");
	if (grant_decide(&request, &q->a, &reason, &message) < 0)
		return refuse(q, REASON_Internal, "out of memory");
	return reason == REASON_Ok ? 0 : refuse(q, reason, message);
}

/* The library takes text only with the NUL that ends it, and hands that on as a variable; what is
 * no text comes as it is. */
static bool is_text(struct asking *q, const struct profile *p)
{
	struct json_iter it;

	json_each (it, json_get(p->spec, "keys")) {
		struct key_spec k;

		if (!json_str_is(json_get(it.value, "name"), q->key.key))
			continue;
		key_spec_read(&k, it.value);
		return k.type != KEY_SYMMETRIC && k.type != KEY_RAW;
	}
	return false;
}

static int write_answer(struct asking *q, struct span key, bool text)
{
	uint32_t size = htonl((uint32_t)key.len + text);
	struct span length = {(const char *)&size, sizeof(size)};

	if (secret_init(q->answer, sizeof(PROVISION_RESPONSE) + sizeof(size) + key.len + text) < 0)
		return -ENOMEM;
	secret_add(q->answer, (struct span){PROVISION_RESPONSE, sizeof(PROVISION_RESPONSE)});
	secret_add(q->answer, length);
	secret_add(q->answer, key);
	return secret_add(q->answer, (struct span){"", text});
}

static void tell_release(struct asking *q)
{
	const struct provision_options *o = &q->desk->o;
	_cleanup_buf_ struct buf path = BUF_INIT(KEY_PATH_MAX);

	key_id_write(&path, &q->key);
	log_info(2, "Released a key", LOG_STR("key", path.p ? path.p : ""),
		LOG_INT("version", q->version), LOG_STR("tee", q->tee),
		LOG_STR("protocol", PROTOCOL));
	if (o->released)
		o->released(o->ctx, &q->key, q->now_sec);
}

static const struct profile *profile_of(const struct asking *q)
{
	return profile_find(
		q->desk->o.world->profiles, span_str(q->key.namespace_), span_str(q->key.profile));
}

static void on_key(void *ctx, const struct secret *key, unsigned version, enum reason reason,
	const struct error *why)
{
	struct asking *q = ctx;
	const struct profile *p = profile_of(q);
	struct error err = {0};

	q->version = version;
	if (!key || !p) {
		refuse(q, reason, why->message);
		return;
	}
	if (write_answer(q, secret_view(key), is_text(q, p)) < 0) {
		refuse(q, REASON_Internal, "out of memory");
		secret_free(q->answer);
		return;
	}
	if (write_down(q, REASON_Ok, "", &err) < 0) {
		log_error(err.message, "Could not write the audit log: nothing is released");
		secret_free(q->answer);
		return;
	}
	tell_release(q);
}

static int fetch(struct asking *q)
{
	const struct rcar_world *w = q->desk->o.world;
	const struct profile *p = profile_of(q);
	const struct key_owner owner = {
		.namespace_ = q->key.namespace_,
		.namespace_uid = w->namespace_uid(w->ctx, q->key.namespace_),
		.profile = q->key.profile,
		.profile_uid = p ? p->uid : "",
	};
	struct error err = {0};

	if (key_store_fetch(q->desk->o.store, &owner, q->key.key, 0, on_key, q, &err) < 0)
		return refuse(q, REASON_Internal, err.message);
	return q->answer->len ? 0 : -EACCES;
}

static int answer(struct asking *q, struct span certificate)
{
	enum reason reason;
	int r;

	if (!q->desk->o.world->profiles)
		return refuse(q, REASON_StoreUnavailable, "the profiles are not known yet");
	if (!*q->desk->o.deny)
		return refuse(q, REASON_StoreUnavailable, "the deny lists are not known yet");
	r = examine_quote(q, certificate);
	if (r < 0)
		return r;
	reason = deny_judge(*q->desk->o.deny, &q->proven, &nobody);
	if (reason != REASON_Ok)
		return refuse(q, reason, reason_explanation(reason));
	r = grant(q);
	return r < 0 ? r : fetch(q);
}

int provision_answer(struct provision_desk *d, struct span certificate, struct secret *ret_answer)
{
	struct asking q = {
		.desk = d,
		.a = ARENA_INIT(MESSAGES_MAX),
		.tee = tee_type_name(TEE_TYPE_SGX),
		.answer = ret_answer,
		.now_sec = clock_unix_usec() / (int64_t)USEC_PER_SEC,
	};
	int r = answer(&q, certificate);

	arena_free(&q.a);
	return r;
}

bool provision_admit(struct provision_desk *d, const char *client)
{
	return rates_share(d->rates, client, d->o.max_rate, clock_monotonic_usec());
}

int provision_desk_new(
	struct provision_desk **ret_d, const struct provision_options *o, struct error *err)
{
	_cleanup_(provision_desk_free_p) struct provision_desk *d = calloc(1, sizeof(*d));

	if (!d)
		return error_oom(err);
	d->o = *o;
	d->rates = rates_new();
	if (!d->rates)
		return error_oom(err);
	*ret_d = TAKE_PTR(d);
	return 0;
}

void provision_desk_free(struct provision_desk *d)
{
	if (!d)
		return;
	rates_free(d->rates);
	free(d);
}
