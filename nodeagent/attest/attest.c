/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/attest/attest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/net/backoff.h"
#include "nodeagent/attest/round.h"

enum { QUEUE_MAX = 64, TOKEN_ARENA_MAX = 256 << 10 };

struct attest {
	struct attest_options o;
	char *url, *ca_file, *token_file, *node, *sysroot;
	struct loop_queue *queue;
	struct metric *rounds;

	struct round_keys keys;
	struct round_platform platform;
	struct round *round;
	enum attest_phase phase;
	sd_event_source *timer;  /* the next round, or the end of patience with this one */
	sd_event_source *expiry; /* the verdict's own end */
	struct backoff backoff;
	int64_t begun_usec; /* monotonic: the last round; 0: none yet */
	bool asked;         /* for a round, while one is under way */
	bool spread;        /* the rounds after the first are spread over the whole interval */

	enum attest_state state;
	struct attest_verdict verdict;
	struct error problem;
};

static void changed(struct attest *a)
{
	if (a->o.changed)
		a->o.changed(a->o.ctx);
}

static void set_phase(void *ctx, enum attest_phase phase)
{
	struct attest *a = ctx;

	a->phase = phase;
	changed(a);
}

/* A verdict is over at its own end, whoever else is alive to say so. */
static int on_expiry(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct attest *a = ctx;

	(void)source;
	(void)usec;
	a->state = ATTEST_EXPIRED;
	changed(a);
	return 0;
}

static void hold(struct attest *a, enum attest_state state)
{
	int64_t until = a->verdict.valid_until;

	a->state = state;
	if (until <= 0) {
		sd_event_source_set_enabled(a->expiry, SD_EVENT_OFF);
		return;
	}
	sd_event_source_set_time(a->expiry, (uint64_t)until * USEC_PER_SEC);
	sd_event_source_set_enabled(a->expiry, SD_EVENT_ONESHOT);
}

static void arm(struct attest *a, int64_t delay_usec)
{
	sd_event_source_set_time_relative(a->timer, (uint64_t)delay_usec);
	sd_event_source_set_enabled(a->timer, SD_EVENT_ONESHOT);
}

/* A random moment within usec. */
static int64_t within(int64_t usec)
{
	return (int64_t)((double)usec * backoff_chance() / ((double)UINT32_MAX + 1));
}

/* The first time anywhere in the interval, so that nodes that came back together part for good;
 * then once an interval, a little early. */
static int64_t next_round(struct attest *a)
{
	int64_t usec = (a->verdict.again ? a->verdict.again : ATTEST_AGAIN_DEFAULT_SEC) *
		       (int64_t)USEC_PER_SEC;

	if (!a->spread) {
		a->spread = true;
		return usec / 10 + within(usec - usec / 10);
	}
	return usec - within(usec / 10);
}

/* Never later than what is due already. */
static void soon(struct attest *a)
{
	int64_t now = clock_monotonic_usec(), delay = within(a->o.start_usec);
	int on = SD_EVENT_OFF;
	uint64_t due = 0;

	a->asked = false;
	if (a->begun_usec && a->begun_usec + a->o.gap_usec > now + delay)
		delay = a->begun_usec + a->o.gap_usec - now;
	sd_event_source_get_enabled(a->timer, &on);
	sd_event_source_get_time(a->timer, &due);
	if (on == SD_EVENT_OFF || due > (uint64_t)(now + delay))
		arm(a, delay);
}

static void count(struct attest *a, const char *result)
{
	if (a->rounds)
		metric_add(a->rounds, 1, METRIC_VALUES(result));
}

static void failed(struct attest *a, int64_t retry_after, const struct error *err)
{
	int64_t delay = backoff_delay(&a->backoff, clock_monotonic_usec(), backoff_chance());
	int64_t asked = retry_after * (int64_t)USEC_PER_SEC;

	a->problem = *err;
	count(a, "failed");
	if (retry_after > 0 && asked > delay)
		delay = asked + within(asked);
	arm(a, delay);
}

static void on_round(void *ctx, const struct attest_verdict *verdict, int64_t retry_after,
	const struct error *err)
{
	struct attest *a = ctx;

	a->round = NULL;
	a->phase = ATTEST_PHASE_RESTING;
	if (!verdict) {
		failed(a, retry_after, err);
	} else {
		enum attest_state state = attest_state_of(verdict->verdict);

		a->problem = (struct error){0};
		a->verdict = *verdict;
		backoff_restart(&a->backoff);
		/* A verdict of a newer verifier is nothing to trust in. */
		hold(a, state == ATTEST_PENDING ? ATTEST_REFUSED : state);
		count(a, attest_state_name(a->state));
		arm(a, next_round(a));
	}
	if (a->asked)
		soon(a);
	changed(a);
}

static void begin(struct attest *a)
{
	const struct round_options o = {
		.event = a->o.event,
		.queue = a->queue,
		.url = a->url,
		.ca_file = a->ca_file,
		.token_file = a->token_file,
		.node = a->node,
		.quotes = a->o.quotes,
		.phase = set_phase,
		.done = on_round,
		.ctx = a,
	};
	struct error err = {0};

	a->begun_usec = clock_monotonic_usec();
	if (round_start(&a->round, &o, &a->keys, &a->platform, &err) < 0)
		failed(a, -1, &err);
	else
		arm(a, ATTEST_ROUND_MAX_SEC * (int64_t)USEC_PER_SEC);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct attest *a = ctx;
	struct error err = {0};

	(void)source;
	(void)usec;
	if (!a->round) {
		begin(a);
		return 0;
	}
	error_set(&err, -ETIMEDOUT, "the round was given up after %d s while the agent was %s",
		ATTEST_ROUND_MAX_SEC, attest_phase_name(a->phase));
	round_cancel(a->round);
	on_round(a, NULL, -1, &err);
	return 0;
}

static void restart(struct attest *a, int64_t delay_usec)
{
	round_cancel(TAKE_PTR(a->round));
	a->phase = ATTEST_PHASE_RESTING;
	arm(a, delay_usec);
}

void attest_platform(struct attest *a, const struct platform *p)
{
	struct round_platform now;

	round_platform_of(&now, p, a->sysroot, !a->o.no_sgx_evidence);
	if (round_platform_same(&now, &a->platform))
		return;
	/* The round under way borrows the platform. */
	restart(a, within(a->o.start_usec));
	a->platform = now;
	if (!*now.name)
		sd_event_source_set_enabled(a->timer, SD_EVENT_OFF);
	changed(a);
}

void attest_now(struct attest *a)
{
	if (a->round)
		a->asked = true;
	else if (*a->platform.name)
		soon(a);
}

void attest_recall(struct attest *a, enum attest_state state, const char *reason,
	const char *message, int64_t valid_until)
{
	if (a->state != ATTEST_PENDING)
		return;
	a->verdict = (struct attest_verdict){.valid_until = valid_until};
	strncpy(a->verdict.reason, reason, sizeof(a->verdict.reason) - 1);
	strncpy(a->verdict.message, message, sizeof(a->verdict.message) - 1);
	hold(a, state);
	changed(a);
}

struct attest_view attest_view(const struct attest *a)
{
	return (struct attest_view){
		/* Who is none of what could be proved has nothing to wait for. */
		.state = *a->platform.name ? a->state : ATTEST_NOT_CONFIGURED,
		.phase = a->phase,
		.reason = a->verdict.reason,
		.message = a->verdict.message,
		.problem = a->problem.code ? a->problem.message : "",
		.valid_until = a->verdict.valid_until,
		.platform = a->platform.name,
		.source = evidence_source_name(a->platform.source),
	};
}

bool attest_good(const struct attest_view *v, int64_t now_sec)
{
	switch (v->state) {
	case ATTEST_NOT_CONFIGURED:
		return true;
	case ATTEST_ATTESTED:
	case ATTEST_SIMULATED:
	case ATTEST_UNPROVEN:
	case ATTEST_WAIVED:
		return now_sec < v->valid_until;
	default:
		return false;
	}
}

const char *attest_tee(const struct attest *a)
{
	static const char *const tees[] = {"tdx", "snp", "simulated"};

	for (size_t i = 0; i < ARRAY_SIZE(tees); i++)
		if (strcmp(a->platform.name, tees[i]) == 0)
			return tees[i];
	return "";
}

int attest_bind(struct attest *a, const unsigned char report_data[64], struct evidence_job **ret,
	evidence_done done, void *ctx, struct error *err)
{
	_cleanup_evidence_request_ struct evidence_request q = {.quotes = a->o.quotes};
	_cleanup_arena_ struct arena m = ARENA_INIT(TOKEN_ARENA_MAX);
	struct token_claims claims;
	struct span token;
	int r = token_load(&claims, &token, a->token_file, &m, err);

	if (r < 0)
		return r;
	memcpy(q.report_data, report_data, sizeof(q.report_data));
	r = round_evidence(&q, &a->platform, &a->keys, &claims);
	if (r == -EAGAIN)
		return error_set(err, r,
			"the node has not proved itself to the verifier yet: see the agent's "
			"status");
	return r < 0 ? error_oom(err) : evidence_start(ret, a->queue, &q, done, ctx, err);
}

static bool good_url(const char *url)
{
	return strncmp(url, "https://", 8) == 0 || strncmp(url, "http://127.0.0.1:", 17) == 0 ||
	       strncmp(url, "http://[::1]:", 13) == 0;
}

static int setup(struct attest *a, struct error *err)
{
	static const char *const labels[] = {"result", NULL};
	int r;

	a->url = strdup(a->o.url);
	a->ca_file = strdup(a->o.ca_file);
	a->token_file = strdup(a->o.token_file);
	a->node = strdup(a->o.node);
	a->sysroot = strdup(a->o.sysroot ? a->o.sysroot : "");
	if (!a->url || !a->ca_file || !a->token_file || !a->node || !a->sysroot)
		return error_oom(err);
	while (*a->url && a->url[strlen(a->url) - 1] == '/')
		a->url[strlen(a->url) - 1] = '\0';
	r = round_keys_new(&a->keys, err);
	if (r < 0)
		return r;
	if (a->o.metrics)
		a->rounds = metrics_counter(a->o.metrics, "casemate_agent_attestation_rounds_total",
			"Rounds of attestation by the verdict that they ended in.", labels);
	r = loop_queue_new(&a->queue, a->o.event, QUEUE_MAX);
	if (r >= 0)
		r = sd_event_add_time_relative(
			a->o.event, &a->timer, CLOCK_MONOTONIC, 0, 0, on_timer, a);
	if (r >= 0)
		r = sd_event_source_set_enabled(a->timer, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(a->o.event, &a->expiry, CLOCK_REALTIME, 0, 0, on_expiry, a);
	if (r >= 0)
		r = sd_event_source_set_enabled(a->expiry, SD_EVENT_OFF);
	return r < 0 ? error_set(err, r, "event loop: %s", strerror(-r)) : 0;
}

int attest_new(struct attest **ret, const struct attest_options *o, struct error *err)
{
	_cleanup_(attest_free_p) struct attest *a = NULL;
	int r;

	if (!good_url(o->url))
		return error_set(err, -EINVAL,
			"verifier.url: \"%s\" must begin with https://, and name the verifier's "
			"Service",
			o->url);
	a = calloc(1, sizeof(*a));
	if (!a)
		return error_oom(err);
	a->o = *o;
	a->state = ATTEST_PENDING;
	a->platform =
		(struct round_platform){.name = "", .tee = "", .epc_bytes = -1, .cvm_slots = -1};
	a->backoff = (struct backoff){
		.first_usec = USEC_PER_SEC,
		.max_usec = ATTEST_RETRY_MAX_SEC * (int64_t)USEC_PER_SEC,
	};
	r = setup(a, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(a);
	return 0;
}

void attest_free(struct attest *a)
{
	if (!a)
		return;
	round_cancel(a->round);
	sd_event_source_disable_unref(a->timer);
	sd_event_source_disable_unref(a->expiry);
	loop_queue_free(a->queue);
	round_keys_free(&a->keys);
	free(a->url);
	free(a->ca_file);
	free(a->token_file);
	free(a->node);
	free(a->sysroot);
	free(a);
}
