/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/trust/fetch.h"

#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/net/http.h"
#include "webhook/collateral/inventory.h"
#include "webhook/trust/fetch_schedule.h"
#include "webhook/trust/vcek_store.h"

enum {
	TIMEOUT_SEC = 20,
	GAP_MSEC = 50,  /* between two questions */
	TELL_SEC = 5,   /* an answer is kept back at most */
	HURRY_SEC = 60, /* between two questions for what may be old */
	ANSWER_SEC = 8, /* in which those that are due now are answered, as a rule */
	DIGITS_MAX = 2 * SNP_CHIP_ID + 1,
};

struct fetch {
	struct fetch_options o;
	struct http_client *client;
	struct http_call *call; /* NULL: nobody is being asked */
	sd_event_source *timer;
	struct fetch_schedule schedule;
	size_t asked;     /* index of the piece that is */
	bool fresh;       /* answers that changed() has not been told of */
	int64_t told_sec; /* when it last was */
	char problem[300];
};

static void settle(struct fetch *f);

static uint32_t chance(void)
{
	return backoff_chance();
}

static void report(struct fetch *f, const struct fetch_piece *p, const char *problem)
{
	snprintf(f->problem, sizeof(f->problem), "%.120s: %.170s", p->rq.name, problem);
	f->o.failed(f->o.ctx, p->rq.name, problem);
}

static bool has_store(const struct fetch *f)
{
	return f->o.store && *f->o.store;
}

static bool is_amd(const struct pull_request *rq)
{
	return rq->kind == PULL_ARK_CHAIN || rq->kind == PULL_ARK_CRL || rq->kind == PULL_VCEK;
}

/* What is needed to check p's answer: the ASK of a chip's certificate. */
static int add_issuers(const struct fetch *f, const struct fetch_piece *p, struct collateral *c)
{
	for (size_t i = 0; p->rq.kind == PULL_VCEK && i < f->schedule.n; i++) {
		const struct fetch_piece *q = &f->schedule.pieces[i];
		int r = 0;

		if (q->rq.kind == PULL_ARK_CHAIN && q->rq.product == p->rq.product && q->body)
			r = collateral_add(
				c, (struct span){q->body, q->body_len}, q->rq.name, NULL);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The number and dates of what was asked for, and of its chain where that ends first. */
static int read_dates(const struct collateral *c, const struct fetch_piece *p, int64_t now,
	struct fetch_piece *ret, struct error *err)
{
	static const char *const kinds[] = {
		[PULL_ROOT_CRL_LIST] = "crl",
		[PULL_PCK_CRL] = "crl",
		[PULL_QE_IDENTITY] = "qe-identity",
		[PULL_TCB_INFO] = "tcb-info",
		[PULL_ARK_CHAIN] = "certificate",
		[PULL_ARK_CRL] = "crl",
		[PULL_VCEK] = "certificate",
	};
	_cleanup_inventory_ struct inventory inv = {0};
	int r = inventory_make(&inv, c, now, err);

	if (r < 0)
		return r;
	ret->until = INT64_MAX;
	ret->from = ret->number = -1;
	for (size_t i = 0; i < inv.n; i++) {
		const struct inventory_item *it = &inv.items[i];

		if (it->until < ret->until)
			ret->until = it->until;
		if (strcmp(it->kind, kinds[p->rq.kind]) != 0)
			continue;
		if (it->number > ret->number)
			ret->number = it->number;
		if (it->from > ret->from)
			ret->from = it->from;
	}
	return 0;
}

/* Judges an answer by itself, and keeps it. */
static int take(struct fetch *f, struct fetch_piece *p, const char *chain, struct span body,
	struct error *err)
{
	_cleanup_(collateral_free_p) struct collateral *scratch = NULL;
	_cleanup_free_ char *kept = NULL, *kept_chain = NULL;
	struct fetch_piece dates = {0};
	int64_t now = f->o.clock();
	int r = f->o.empty(f->o.ctx, &scratch, err);

	if (r == 0)
		r = add_issuers(f, p, scratch);
	if (r == 0)
		r = pull_take(scratch, &p->rq, chain, body, now, err);
	if (r == 0)
		r = read_dates(scratch, p, now, &dates, err);
	if (r < 0)
		return r;
	if (p->body && (dates.number < p->number || dates.from < p->from))
		return error_set(err, -ESTALE, "the answer is older than the one before (%s)",
			reason_name(REASON_CollateralRolledBack));
	kept = malloc(body.len + 1);
	kept_chain = chain ? strdup(chain) : NULL;
	if (!kept || (chain && !kept_chain))
		return error_oom(err);
	memcpy(kept, body.p, body.len);
	f->fresh = f->fresh || !p->body || p->body_len != body.len ||
		   memcmp(p->body, kept, body.len) != 0;
	free(p->body);
	free(p->chain);
	p->body = TAKE_PTR(kept);
	p->body_len = body.len;
	p->chain = TAKE_PTR(kept_chain);
	p->number = dates.number;
	p->from = dates.from;
	p->until = dates.until;
	return 0;
}

/* When it may be asked again: who is there, and does not give, is not pressed. */
static int64_t later(const struct http_result *result)
{
	bool refuses = result->code == 0 && result->status < 500;

	return refuses && result->retry_after < FETCH_REFUSED_SEC ? FETCH_REFUSED_SEC
								  : result->retry_after;
}

static void on_done(void *ctx, const struct http_result *result)
{
	struct fetch *f = ctx;
	struct fetch_piece *p = &f->schedule.pieces[f->asked];
	const char *chain = NULL;
	struct error err = {0};

	f->call = NULL;
	if (result->code == 0 && result->status == 200) {
		if (p->rq.chain_header)
			chain = http_result_header(result, p->rq.chain_header);
		if (!chain && p->rq.old_chain_header)
			chain = http_result_header(result, p->rq.old_chain_header);
		if (take(f, p, chain, result->body, &err) == 0) {
			fetch_piece_good(p, f->o.clock(), chance());
			f->problem[0] = '\0';
		} else {
			report(f, p, err.message);
			fetch_piece_failed(p, f->o.clock(), FETCH_REFUSED_SEC, chance());
		}
	} else if (result->code == 0 && (result->status == 404 || result->status == 410)) {
		report(f, p, pull_status(result->status));
		fetch_piece_absent(p, f->o.clock(), chance());
	} else {
		report(f, p, result->code ? result->error : pull_status(result->status));
		fetch_piece_failed(p, f->o.clock(), later(result), chance());
	}
	settle(f);
}

/* Looks into the store. True: that was all there is to ask, whatever came of it. */
static bool ask_store(struct fetch *f, struct fetch_piece *p)
{
	_cleanup_buf_ struct buf der = BUF_INIT(CRL_DER_MAX);
	struct error err = {0};
	int r;

	if (!has_store(f) || !is_amd(&p->rq))
		return false;
	r = vcek_store_read(&der, f->o.store, &p->rq, &err);
	if (r == 0)
		error_set(&err, -ENOENT, "it is not in the store (collateralSource.vcekStore)");
	if (r > 0 && take(f, p, NULL, buf_view(&der), &err) == 0) {
		fetch_piece_good(p, f->o.clock(), chance());
		f->problem[0] = '\0';
		return true;
	}
	if (r != 0 || !*f->o.services->kds)
		report(f, p, err.message);
	if (*f->o.services->kds)
		return false;
	fetch_piece_unstored(p, f->o.clock());
	return true;
}

static void ask(struct fetch *f, struct fetch_piece *p)
{
	const struct http_call_options o = {
		.method = "GET",
		.url = p->rq.url,
		.accept = "*/*",
		.max_response = 2 * CRL_DER_MAX,
		.timeout_usec = TIMEOUT_SEC * (int64_t)USEC_PER_SEC,
		.done = on_done,
		.ctx = f,
	};
	struct error err = {0};

	f->asked = (size_t)(p - f->schedule.pieces);
	p->asked = f->o.clock();
	p->hurried = false;
	if (ask_store(f, p))
		return;
	if (http_call(f->client, &o, &f->call, &err) == 0)
		return;
	f->call = NULL;
	report(f, p, err.message);
	fetch_piece_failed(p, f->o.clock(), -1, chance());
}

/* Never puts a question off that was to be asked sooner: somebody may wish something all the time.
 */
static void set_timer(struct fetch *f, int64_t wait_usec)
{
	uint64_t at = (uint64_t)(clock_monotonic_usec() + wait_usec), before;

	if (sd_event_source_get_enabled(f->timer, NULL) > 0 &&
		sd_event_source_get_time(f->timer, &before) >= 0 && before <= at)
		return;
	(void)sd_event_source_set_time(f->timer, at);
	(void)sd_event_source_set_enabled(f->timer, SD_EVENT_ONESHOT);
}

/* Sets the timer to the next question, and tells of what is new unless more is coming at once. */
static void settle(struct fetch *f)
{
	const struct fetch_piece *p = fetch_schedule_next(&f->schedule);
	int64_t now = f->o.clock(), wait;

	if (!p || f->call)
		return;
	wait = p->due - now;
	if (f->fresh && (wait > 0 || now - f->told_sec >= TELL_SEC)) {
		f->fresh = false;
		f->told_sec = now;
		f->o.changed(f->o.ctx);
	}
	set_timer(f, wait > 0 ? wait * (int64_t)USEC_PER_SEC : GAP_MSEC * (int64_t)USEC_PER_MSEC);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct fetch *f = userdata;
	struct fetch_piece *p = fetch_schedule_next(&f->schedule);

	(void)source;
	(void)usec;
	if (p && !f->call && p->due <= f->o.clock()) {
		/* Anybody may invent a chip: who still wants it says so again. */
		if (p->absent && p->rq.kind == PULL_VCEK)
			fetch_schedule_drop(&f->schedule, p);
		else
			ask(f, p);
	}
	settle(f);
	return 0;
}

int fetch_new(struct fetch **ret, const struct fetch_options *o, struct error *err)
{
	const struct http_client_options http = {
		.ca_pem = o->ca_pem,
		.user_agent = "casemate-verifier",
		.proxy = o->proxy,
	};
	_cleanup_(fetch_free_p) struct fetch *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return error_oom(err);
	f->o = *o;
	f->told_sec = o->clock();
	r = http_client_new(&f->client, o->event, &http, err);
	if (r < 0)
		return r;
	r = sd_event_add_time_relative(o->event, &f->timer, CLOCK_MONOTONIC, 0, 0, on_timer, f);
	if (r >= 0)
		r = sd_event_source_set_enabled(f->timer, SD_EVENT_OFF);
	if (r < 0)
		return error_set(err, r, "no timer");
	*ret = TAKE_PTR(f);
	return 0;
}

void fetch_free(struct fetch *f)
{
	if (!f)
		return;
	http_client_free(f->client);
	sd_event_source_disable_unref(f->timer);
	fetch_schedule_free(&f->schedule);
	free(f);
}

static int want(struct fetch *f, struct pull_options *o, struct error *err)
{
	_cleanup_pull_plan_ struct pull_plan plan = {0};
	size_t before = f->schedule.n;
	int r = pull_plan_make(&plan, o, err);

	if (r == 0)
		r = fetch_schedule_add(&f->schedule, &plan, f->o.clock(), err);
	if (f->schedule.n != before)
		settle(f);
	return r;
}

static bool asks_intel(const struct fetch *f)
{
	return *f->o.services->pccs || *f->o.services->pcs;
}

static bool asks_amd(const struct fetch *f)
{
	return *f->o.services->kds || has_store(f);
}

/* What is asked of AMD, whose address names the pieces also where only the store is. */
static struct pull_options amd_options(const struct fetch *f)
{
	struct pull_options o = *f->o.services;

	if (!*o.kds)
		o.kds = PULL_KDS;
	o.fmspc = o.tee = o.ca = o.snp = o.vcek = (struct strings){0};
	return o;
}

/* Both are among the pieces: nothing of this platform is new. */
static bool has_intel(const struct fetch_schedule *s, const struct pck *pck, bool tdx)
{
	bool info = false, list = false;

	for (size_t i = 0; i < s->n && !(info && list); i++) {
		const struct pull_request *rq = &s->pieces[i].rq;

		info = info || (rq->kind == PULL_TCB_INFO && rq->tdx == tdx &&
				       memcmp(rq->fmspc, pck->fmspc, sizeof(rq->fmspc)) == 0);
		list = list || (rq->kind == PULL_PCK_CRL && rq->ca == pck->ca);
	}
	return info && list;
}

static bool is_chip(const struct pull_request *rq, enum snp_product product,
	const unsigned char chip_id[64], struct snp_tcb tcb)
{
	return rq->product == product &&
	       memcmp(rq->chip_id, chip_id, snp_chip_id_len(product)) == 0 &&
	       snp_tcb_equal(rq->tcb, tcb);
}

static bool has_snp(const struct fetch_schedule *s, enum snp_product product,
	const unsigned char chip_id[64], struct snp_tcb tcb)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct pull_request *rq = &s->pieces[i].rq;

		if (rq->kind == PULL_VCEK && is_chip(rq, product, chip_id, tcb))
			return true;
	}
	return false;
}

int fetch_want_intel(struct fetch *f, const struct pck *pck, bool tdx, struct error *err)
{
	_cleanup_buf_ struct buf fmspc = BUF_INIT(DIGITS_MAX);
	const char *tee = tdx ? "tdx" : "sgx";
	const char *ca = pck->ca == PCK_CA_PLATFORM ? "platform" : "processor";
	struct pull_options o = *f->o.services;
	const char *digits;

	if (!asks_intel(f) || has_intel(&f->schedule, pck, tdx))
		return 0;
	if (codec_hex(&fmspc, pck->fmspc, sizeof(pck->fmspc)) < 0)
		return error_oom(err);
	digits = fmspc.p;
	o.fmspc = (struct strings){&digits, 1};
	o.tee = (struct strings){&tee, 1};
	o.ca = (struct strings){&ca, 1};
	o.snp = o.vcek = (struct strings){0};
	return want(f, &o, err);
}

int fetch_want_snp(struct fetch *f, enum snp_product product, const unsigned char chip_id[64],
	const unsigned char tcb[8], struct error *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(2 * DIGITS_MAX);
	struct pull_options o = amd_options(f);
	const char *chip;

	if (!asks_amd(f) || has_snp(&f->schedule, product, chip_id, snp_tcb_read(tcb, product)))
		return 0;
	buf_printf(&text, "%s:", snp_product_name(product));
	codec_hex(&text, chip_id, snp_chip_id_len(product));
	buf_putc(&text, ':');
	if (codec_hex(&text, tcb, 8) < 0)
		return error_oom(err);
	chip = text.p;
	o.vcek = (struct strings){&chip, 1};
	return want(f, &o, err);
}

int fetch_want_product(struct fetch *f, enum snp_product product, struct error *err)
{
	struct pull_options o = amd_options(f);
	const char *name = snp_product_name(product);

	if (!asks_amd(f))
		return 0;
	for (size_t i = 0; i < f->schedule.n; i++) {
		const struct pull_request *rq = &f->schedule.pieces[i].rq;

		if (rq->kind == PULL_ARK_CRL && rq->product == product)
			return 0;
	}
	o.snp = (struct strings){&name, 1};
	return want(f, &o, err);
}

/* Adds p to those that are waited for, unless it is there. */
static void wait_for(const struct fetch *f, const struct fetch_piece *p, int64_t *wait)
{
	int64_t now = f->o.clock(), due = p->due > now ? p->due - now : 0;

	if ((!p->body || p->until <= now || p->hurried) && due + ANSWER_SEC > *wait)
		*wait = due + ANSWER_SEC;
}

static bool is_of_intel(const struct pull_request *rq, const struct pck *pck, bool tdx)
{
	return rq->kind == PULL_ROOT_CRL_LIST || (rq->kind == PULL_PCK_CRL && rq->ca == pck->ca) ||
	       (rq->kind == PULL_QE_IDENTITY && rq->tdx == tdx) ||
	       (rq->kind == PULL_TCB_INFO && rq->tdx == tdx &&
		       memcmp(rq->fmspc, pck->fmspc, sizeof(rq->fmspc)) == 0);
}

int64_t fetch_wait_intel(const struct fetch *f, const struct pck *pck, bool tdx)
{
	int64_t wait = 0;

	for (size_t i = 0; i < f->schedule.n; i++)
		if (is_of_intel(&f->schedule.pieces[i].rq, pck, tdx))
			wait_for(f, &f->schedule.pieces[i], &wait);
	return wait;
}

static void hurry(struct fetch *f, struct fetch_piece *p)
{
	int64_t now = f->o.clock();

	if (!p->body || p->hurried)
		return;
	if (p->due > p->asked + HURRY_SEC)
		p->due = p->asked + HURRY_SEC > now ? p->asked + HURRY_SEC : now;
	p->hurried = true;
}

void fetch_hurry_intel(struct fetch *f, const struct pck *pck, bool tdx)
{
	for (size_t i = 0; i < f->schedule.n; i++)
		if (is_of_intel(&f->schedule.pieces[i].rq, pck, tdx))
			hurry(f, &f->schedule.pieces[i]);
	settle(f);
}

void fetch_hurry_product(struct fetch *f, enum snp_product product)
{
	for (size_t i = 0; i < f->schedule.n; i++) {
		struct fetch_piece *p = &f->schedule.pieces[i];

		if (p->rq.kind == PULL_ARK_CRL && p->rq.product == product)
			hurry(f, p);
	}
	settle(f);
}

int64_t fetch_wait_snp(const struct fetch *f, enum snp_product product,
	const unsigned char chip_id[64], const unsigned char tcb[8])
{
	int64_t wait = 0;

	for (size_t i = 0; i < f->schedule.n; i++) {
		const struct fetch_piece *p = &f->schedule.pieces[i];
		const struct pull_request *rq = &p->rq;

		if (((rq->kind == PULL_ARK_CHAIN || rq->kind == PULL_ARK_CRL) &&
			    rq->product == product) ||
			(rq->kind == PULL_VCEK && chip_id &&
				is_chip(rq, product, chip_id, snp_tcb_read(tcb, product))))
			wait_for(f, p, &wait);
	}
	return wait;
}

const char *fetch_problem(const struct fetch *f)
{
	return f->problem;
}

int fetch_add_to(const struct fetch *f, struct collateral *c, struct error *err)
{
	for (size_t i = 0; i < f->schedule.n; i++) {
		const struct fetch_piece *p = &f->schedule.pieces[i];
		int r = p->body ? pull_add(c, &p->rq, p->chain, (struct span){p->body, p->body_len},
					  err)
				: 0;

		/* What is there already may be newer than this, and better. */
		if (r < 0 && r != -EBADMSG)
			return r;
	}
	return 0;
}
