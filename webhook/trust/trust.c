/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/trust/trust.h"

#include <errno.h>
#include <stdlib.h>

#include "common/base/log.h"
#include "common/net/file_watch.h"
#include "common/tee/policy.h"

enum { CACHE_ENTRIES = 4096, POLICY_MAX = 4 << 20, CLOCK_SKEW_SEC = 300 };

struct trust {
	const struct strings *paths;
	struct policy_document policy;
	struct collateral *collateral;
	struct verify_cache *cache;
	struct file_watch *files;
	struct buf simulated; /* PEM; empty: none */
	uint64_t epoch;
};

static int build(struct trust *t, struct collateral **ret, struct error *err)
{
	_cleanup_(collateral_free_p) struct collateral *c = NULL;
	int r = collateral_new(&c, err);

	for (size_t i = 0; r == 0 && i < t->policy.n_trusted_roots; i++)
		r = roots_add(&c->roots, t->policy.trusted_roots[i], err);
	if (r == 0 && t->simulated.len)
		r = roots_add(&c->roots, buf_view(&t->simulated), err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < t->paths->n; i++) {
		struct error each = {0};

		/* One that is broken must not take the others away: what it would have held is then
		 * missing, and says so. */
		if (collateral_add_path(c, t->paths->v[i], &each) < 0)
			log_error(each.message, "Cannot take up collateral",
				LOG_STR("path", t->paths->v[i]));
	}
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
	log_info(2, "Took up collateral", LOG_INT("paths", (int64_t)t->paths->n),
		LOG_BOOL("simulatedRoot", t->simulated.len > 0));
}

static void on_changed(void *ctx)
{
	rebuild(ctx);
}

static int watch(struct trust *t, sd_event *event, struct error *err)
{
	const char *paths[FILE_WATCH_MAX + 1] = {0};

	if (t->paths->n > FILE_WATCH_MAX)
		return error_set(
			err, -EINVAL, "verifier.collateral: at most %d paths", FILE_WATCH_MAX);
	for (size_t i = 0; i < t->paths->n; i++)
		paths[i] = t->paths->v[i];
	return t->paths->n ? file_watch_new(&t->files, event, paths, on_changed, t, err) : 0;
}

int trust_new(struct trust **ret_t, sd_event *event, const struct strings *paths,
	struct span policy, bool allow_simulated, struct error *err)
{
	_cleanup_(trust_free_p) struct trust *t = calloc(1, sizeof(*t));
	int r = 0;

	if (!t)
		return error_oom(err);
	t->paths = paths;
	t->simulated = BUF_INIT(16 * 1024);
	t->policy.arena.max = POLICY_MAX;
	if (policy.len)
		r = policy_document_parse(&t->policy, policy, "verifier.policy", err);
	t->policy.policy.allow_simulated = allow_simulated;
	/* This clock and the vendors' differ. */
	t->policy.policy.skew_sec = CLOCK_SKEW_SEC;
	if (r == 0)
		r = verify_cache_new(&t->cache, CACHE_ENTRIES, err);
	if (r == 0)
		r = build(t, &t->collateral, err);
	if (r == 0)
		r = watch(t, event, err);
	if (r < 0)
		return r;
	*ret_t = TAKE_PTR(t);
	return 0;
}

void trust_free(struct trust *t)
{
	if (!t)
		return;
	file_watch_free(t->files);
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

void trust_examine(void *ctx, struct span text, const unsigned char report_data[64],
	int64_t now_sec, struct examination *ret)
{
	const struct trust *t = ctx;
	const struct examiner x = {t->collateral, &t->policy.policy, t->cache};

	examine(&x, text, report_data, now_sec, ret);
}
