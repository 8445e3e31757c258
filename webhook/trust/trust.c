/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/trust/trust.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/settings_file.h"
#include "common/net/file_watch.h"
#include "common/tee/policy.h"
#include "webhook/trust/fetch.h"
#include "webhook/trust/seen.h"

enum {
	CACHE_ENTRIES = 4096,
	POLICY_MAX = 4 << 20,
	CLOCK_SKEW_SEC = 300,
	SOURCES_MAX = 2 << 20, /* bytes of what configuration says of them */
	CA_MAX = 1 << 20,
	NEAR_SEC = 3 * 24 * 3600, /* what ends sooner than in this time is asked for */
	/* Chips that no certificate vouches for yet: one in this time is asked for, */
	CHIP_SEC = 2,
	CHIP_BURST = 64, /* and so many at once */
	NEWER_SEC = 60,  /* by when another replica's newer files are here as well */
};

/* What one configuration of sources made. */
struct origin {
	struct arena arena;
	struct collateral_sources sources;
	struct pull_options services;
	struct span ca_pem;
	struct file_watch *files; /* NULL: no paths */
	struct fetch *fetch;      /* NULL: no services */
};

struct trust {
	struct trust_options o;
	struct policy_document policy;
	struct collateral *collateral;
	struct verify_cache *cache;
	struct origin *origin;
	struct buf simulated; /* PEM; empty: none */
	uint64_t epoch;
	struct again again; /* of the collateral of that epoch; 0: of none yet */
	uint64_t again_epoch;
	struct seen seen;
	int64_t chips_sec; /* up to when questions for unproven chips are spent */
};

static int64_t real_clock(void)
{
	return clock_unix_usec() / USEC_PER_SEC;
}

/*
 * Collateral
 */

static int empty(void *ctx, struct collateral **ret, struct error *err)
{
	struct trust *t = ctx;
	_cleanup_(collateral_free_p) struct collateral *c = NULL;
	int r = collateral_new(&c, err);

	for (size_t i = 0; r == 0 && i < t->policy.n_trusted_roots; i++)
		r = roots_add(&c->roots, t->policy.trusted_roots[i], err);
	if (r == 0 && t->simulated.len)
		r = roots_add(&c->roots, buf_view(&t->simulated), err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(c);
	return 0;
}

static int build(struct trust *t, struct collateral **ret, struct error *err)
{
	_cleanup_(collateral_free_p) struct collateral *c = NULL;
	const struct strings *paths = &t->origin->sources.paths;
	int r = empty(t, &c, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < paths->n; i++) {
		struct error each = {0};

		/* One that is broken must not take the others away: what it would have held is then
		 * missing, and says so. */
		if (collateral_add_path(c, paths->v[i], &each) < 0)
			log_error(each.message, "Cannot take up collateral",
				LOG_STR("path", paths->v[i]));
	}
	if (t->origin->fetch)
		r = fetch_add_to(t->origin->fetch, c, err);
	if (r < 0)
		return r;
	c->epoch = ++t->epoch;
	*ret = TAKE_PTR(c);
	return 0;
}

static void rebuild(struct trust *t)
{
	struct collateral *next = NULL;
	struct error err = {0};

	if (build(t, &next, &err) < 0) {
		log_error(err.message, "Cannot take up new collateral; the old one stays");
		return;
	}
	collateral_free(t->collateral);
	t->collateral = next;
	log_info(2, "Took up collateral", LOG_INT("paths", (int64_t)t->origin->sources.paths.n),
		LOG_BOOL("simulatedRoot", t->simulated.len > 0));
}

static void on_changed(void *ctx)
{
	rebuild(ctx);
}

static void on_failed(void *ctx, const char *name, const char *problem)
{
	(void)ctx;
	log_warn("Could not fetch collateral", LOG_STR("what", name), LOG_STR("message", problem));
}

/*
 * Sources
 */

static void origin_free(struct origin *g)
{
	struct arena a;

	if (!g)
		return;
	file_watch_free(g->files);
	fetch_free(g->fetch);
	a = g->arena;
	arena_free(&a);
	free(g);
}
DEFINE_CLEANUP(struct origin *, origin_free)

static int watch(struct trust *t, struct origin *g, struct error *err)
{
	const char *paths[FILE_WATCH_MAX + 1] = {0};

	if (g->sources.paths.n > FILE_WATCH_MAX)
		return error_set(err, -EINVAL, "collateral: at most %d paths", FILE_WATCH_MAX);
	for (size_t i = 0; i < g->sources.paths.n; i++)
		paths[i] = g->sources.paths.v[i];
	return g->sources.paths.n ? file_watch_new(&g->files, t->o.event, paths, on_changed, t, err)
				  : 0;
}

static int serve(struct trust *t, struct origin *g, struct error *err)
{
	const struct collateral_sources *s = &g->sources;
	struct fetch_options o = {
		.event = t->o.event,
		.services = &g->services,
		.proxy = s->proxy,
		.store = s->vcek_store,
		.empty = empty,
		.changed = on_changed,
		.failed = on_failed,
		.clock = t->o.clock,
		.ctx = t,
	};
	int r = 0;

	if (!collateral_sources_fetch(s))
		return 0;
	if (*s->ca_file)
		r = settings_read_file(s->ca_file, CA_MAX, &g->arena, &g->ca_pem, err);
	if (r < 0)
		return error_prefix(err, r, "collateralSource.caFile");
	o.ca_pem = g->ca_pem;
	g->services = (struct pull_options){.pcs = s->pcs,
		.pccs = s->pccs,
		.root_crl = s->root_crl,
		.kds = s->kds,
		.update = s->update};
	return fetch_new(&g->fetch, &o, err);
}

static int origin_new(
	struct origin **ret, struct trust *t, const struct collateral_sources *s, struct error *err)
{
	_cleanup_(origin_free_p) struct origin *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return error_oom(err);
	g->arena = ARENA_INIT(SOURCES_MAX + CA_MAX);
	if (collateral_sources_copy(&g->sources, s, &g->arena) < 0)
		return error_oom(err);
	r = watch(t, g, err);
	if (r == 0)
		r = serve(t, g, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(g);
	return 0;
}

int trust_configure(struct trust *t, const struct collateral_sources *sources, struct error *err)
{
	struct origin *next;
	int r;

	if (collateral_sources_same(&t->origin->sources, sources))
		return 0;
	r = origin_new(&next, t, sources, err);
	if (r < 0)
		return r;
	origin_free(t->origin);
	t->origin = next;
	rebuild(t);
	return 0;
}

int trust_new(struct trust **ret_t, const struct trust_options *o, struct error *err)
{
	_cleanup_(trust_free_p) struct trust *t = calloc(1, sizeof(*t));
	int r = 0;

	if (!t)
		return error_oom(err);
	t->o = *o;
	t->o.clock = o->clock ? o->clock : real_clock;
	t->o.again = o->again ? o->again : "try again in a moment";
	t->simulated = BUF_INIT(16 * 1024);
	t->policy.arena.max = POLICY_MAX;
	if (o->policy.len)
		r = policy_document_parse(&t->policy, o->policy, o->where, err);
	t->policy.policy.allow_simulated = o->allow_simulated;
	/* This clock and the vendors' differ. */
	t->policy.policy.skew_sec = CLOCK_SKEW_SEC;
	if (r == 0)
		r = verify_cache_new(&t->cache, CACHE_ENTRIES, err);
	if (r == 0)
		r = origin_new(&t->origin, t, o->sources, err);
	if (r == 0)
		r = build(t, &t->collateral, err);
	if (r < 0)
		return r;
	*ret_t = TAKE_PTR(t);
	return 0;
}

void trust_free(struct trust *t)
{
	if (!t)
		return;
	origin_free(t->origin);
	collateral_free(t->collateral);
	verify_cache_free(t->cache);
	policy_document_free(&t->policy);
	buf_free(&t->simulated);
	free(t);
}

void trust_simulated(struct trust *t, struct span cert_pem)
{
	buf_reset(&t->simulated);
	buf_span(&t->simulated, cert_pem);
	rebuild(t);
}

/*
 * What is told of it
 */

static void sooner(int64_t *end, int64_t at)
{
	if (at < *end)
		*end = at;
}

static void report_kind(struct metric *expiry, const char *kind, int64_t end)
{
	if (end == INT64_MAX)
		metric_remove(expiry, METRIC_VALUES(kind));
	else
		metric_set(expiry, (double)end, METRIC_VALUES(kind));
}

/* Documents that cannot be used are as good as none. */
void trust_report(const struct trust *t, struct metric *expiry)
{
	const struct intel_collateral *intel = &t->collateral->intel;
	const struct amd_collateral *amd = &t->collateral->amd;
	int64_t infos = INT64_MAX, identities = INT64_MAX, intel_crls = INT64_MAX;
	int64_t amd_crls = INT64_MAX;

	for (size_t i = 0; i < intel->n_tcb_infos; i++)
		if (intel->tcb_infos[i]->problem == REASON_Ok)
			sooner(&infos, intel->tcb_infos[i]->next_update);
	for (size_t i = 0; i < QE_KIND_N; i++)
		if (intel->qe[i] && intel->qe[i]->problem == REASON_Ok)
			sooner(&identities, intel->qe[i]->next_update);
	if (intel->root_crl)
		sooner(&intel_crls, intel->root_crl->next_update);
	for (size_t i = 0; i < PCK_CA_N; i++)
		if (intel->pck_crl[i])
			sooner(&intel_crls, intel->pck_crl[i]->next_update);
	for (size_t i = 0; i < SNP_PRODUCT_N; i++)
		if (amd->crl[i])
			sooner(&amd_crls, amd->crl[i]->next_update);
	report_kind(expiry, "tcb-info", infos);
	report_kind(expiry, "qe-identity", identities);
	report_kind(expiry, "intel-crl", intel_crls);
	report_kind(expiry, "amd-crl", amd_crls);
}

/*
 * Judging
 */

struct examiner trust_examiner(const struct trust *t)
{
	return (struct examiner){
		t->collateral, &t->policy.policy, t->cache, t->o.measurements_elsewhere};
}

static bool lacks_collateral(const struct verdict *v)
{
	return v->reason == REASON_CollateralMissing || v->reason == REASON_CollateralExpired ||
	       v->reason == REASON_CrlMissing || v->reason == REASON_CrlExpired ||
	       v->reason == REASON_FmspcMismatch || v->reason == REASON_ChipMismatch ||
	       v->reason == REASON_CollateralRolledBack;
}

/* A chip's certificate is asked for before anything vouches for the chip. */
static bool may_ask_for_chip(struct trust *t)
{
	int64_t now = t->o.clock();

	if (t->chips_sec < now)
		t->chips_sec = now;
	if (t->chips_sec + CHIP_SEC > now + CHIP_BURST * CHIP_SEC)
		return false;
	t->chips_sec += CHIP_SEC;
	return true;
}

static int want_snp(
	struct trust *t, const struct examination *e, int64_t *ret_wait, struct error *err)
{
	const struct snp_report *report = &e->evidence.snp;
	struct fetch *f = t->origin->fetch;
	enum snp_product product = e->verdict.product;
	bool known = e->verdict.has_snp || snp_report_product(report, &product);
	bool chip = !e->verdict.has_snp || e->verdict.reason == REASON_ChipMismatch;
	int r = 0;

	chip = chip && lacks_collateral(&e->verdict) && report->signing_key == SNP_KEY_VCEK &&
	       !snp_chip_id_masked(report);
	if (!known)
		return 0;
	r = fetch_want_product(f, product, err);
	if (r == 0 && chip && may_ask_for_chip(t))
		r = fetch_want_snp(f, product, report->chip_id, report->reported_tcb, err);
	if (r == 0 && e->verdict.reason == REASON_CollateralRolledBack)
		fetch_hurry_product(f, product);
	if (r == 0)
		*ret_wait = fetch_wait_snp(
			f, product, chip ? report->chip_id : NULL, report->reported_tcb);
	return r;
}

static int want_intel(
	struct trust *t, const struct examination *e, int64_t *ret_wait, struct error *err)
{
	struct fetch *f = t->origin->fetch;
	const struct pck *pck = &e->verdict.pck;
	bool tdx = e->evidence.tee == TEE_TYPE_TDX;
	int r = 0;

	if (!e->verdict.has_pck)
		return 0;
	r = fetch_want_intel(f, pck, tdx, err);
	/* The service may have what another replica was given. */
	if (r == 0 && e->verdict.reason == REASON_CollateralRolledBack)
		fetch_hurry_intel(f, pck, tdx);
	if (r == 0)
		*ret_wait = fetch_wait_intel(f, pck, tdx);
	return r;
}

/* Was it refused for want of what is being fetched? Then it says so. */
static void tell_wait(struct trust *t, struct examination *e, int64_t wait)
{
	const char *problem = fetch_problem(t->origin->fetch);

	if (!lacks_collateral(&e->verdict) || wait == 0)
		return;
	e->wait_sec = wait;
	if (e->verdict.reason == REASON_CollateralRolledBack)
		return;
	if (*problem)
		verdict_refuse(&e->verdict, REASON_CollateralMissing,
			"collateral of this platform cannot be fetched yet (%s); it is asked for "
			"again in %lld seconds: see to the service (collateralSource)",
			problem, (long long)wait);
	else
		verdict_refuse(&e->verdict, REASON_CollateralMissing,
			"collateral of this platform is being fetched; %s", t->o.again);
}

/* Is it asked for? Also where it ends soon. */
static bool is_wanted(const struct verdict *v, int64_t now_sec)
{
	return lacks_collateral(v) || v->valid_until < now_sec + NEAR_SEC;
}

void trust_want(
	struct trust *t, const struct basis *b, const struct verdict *again, int64_t now_sec)
{
	struct fetch *f = t->origin->fetch;
	struct error err = {0};
	int r = 0;

	if (!f || !b->known || !is_wanted(again, now_sec))
		return;
	if (b->tee == TEE_TYPE_SNP)
		r = fetch_want_product(f, b->product, &err);
	else
		r = fetch_want_intel(f, &b->pck, b->tee == TEE_TYPE_TDX, &err);
	if (r < 0)
		log_error(err.message, "Cannot ask for collateral");
}

void trust_foresee(struct trust *t, const struct basis *b)
{
	const struct examiner x = trust_examiner(t);
	int64_t now_sec = t->o.clock();
	struct verdict again;

	if (!t->origin->fetch || !b->known)
		return;
	if (t->again_epoch != x.collateral->epoch) {
		again_prepare(&t->again, x.collateral);
		t->again_epoch = x.collateral->epoch;
	}
	verify_again(&t->again, b, x.policy, now_sec, &again);
	trust_want(t, b, &again, now_sec);
}

void trust_seen(struct trust *t, const struct basis *b)
{
	seen_note_basis(&t->seen, b);
}

/* Collateral may not fall back behind what was seen, here or by another replica, before or after a
 * restart. */
static void check_number(struct trust *t, struct examination *e)
{
	struct verdict *v = &e->verdict;
	bool tdx = e->evidence.tee == TEE_TYPE_TDX;
	uint32_t highest;

	if (!v->has_pck || !v->evaluation_number)
		return;
	highest = seen_highest(&t->seen, tdx, v->pck.fmspc);
	if (v->evaluation_number < highest)
		verdict_refuse(v, REASON_CollateralRolledBack,
			"the collateral has tcbEvaluationDataNumber %u, and %u was seen for this "
			"kind of platform: fetch it anew, and ask who served the old one",
			v->evaluation_number, highest);
	else if (v->reason != REASON_CollateralRolledBack)
		seen_note(&t->seen, tdx, v->pck.fmspc, v->evaluation_number);
}

static void check_list(
	struct trust *t, struct verdict *v, enum seen_list list, const char *issuer, int64_t number)
{
	if (verdict_judge_list(v, issuer, number, t->seen.lists[list]) == 0)
		seen_note_list(&t->seen, list, number);
}

/* The same of revocation lists. What an old one revokes stays revoked. */
static void check_lists(struct trust *t, struct verdict *v)
{
	char ark[32];

	if (v->crl != CRL_CHECKED || v->reason == REASON_CertificateRevoked)
		return;
	if (v->has_pck) {
		check_list(t, v, SEEN_INTEL_ROOT, "Intel SGX Root CA", v->lists.root);
		check_list(t, v, SEEN_PCK_CA + v->pck.ca, pck_ca_name(v->pck.ca), v->lists.issuer);
	} else if (v->has_snp) {
		snprintf(ark, sizeof(ark), "ARK-%s", snp_product_name(v->product));
		check_list(t, v, SEEN_ARK + v->product, ark, v->lists.issuer);
	}
}

/* What evidence of this platform is judged by is asked for where it is not there, or ends soon. */
static void seek(struct trust *t, struct examination *e, int64_t now_sec)
{
	const struct verdict *v = &e->verdict;
	bool intel = e->evidence.tee == TEE_TYPE_SGX || e->evidence.tee == TEE_TYPE_TDX;
	struct error err = {0};
	int64_t wait = 0;
	int r = 0;

	if (!is_wanted(v, now_sec) && !(v->has_snp && v->crl == CRL_ABSENT))
		return;
	if (intel)
		r = want_intel(t, e, &wait, &err);
	else if (e->evidence.tee == TEE_TYPE_SNP)
		r = want_snp(t, e, &wait, &err);
	if (r < 0)
		log_error(err.message, "Cannot ask for collateral");
	tell_wait(t, e, wait);
}

void trust_examine(void *ctx, struct span text, const unsigned char report_data[64],
	int64_t now_sec, struct examination *ret)
{
	struct trust *t = ctx;
	const struct examiner x = trust_examiner(t);

	examine(&x, text, report_data, now_sec, ret);
	if (ret->opened) {
		check_number(t, ret);
		check_lists(t, &ret->verdict);
	}
	if (ret->verdict.reason == REASON_CollateralRolledBack)
		ret->wait_sec = NEWER_SEC;
	if (t->origin->fetch && ret->opened)
		seek(t, ret, now_sec);
}
