/* SPDX-License-Identifier: Apache-2.0
 *
 * fleet_agents URL CA-FILE TOKEN-FOLDER SPREAD STAY: plays a fleet of node agents, as many as the
 * folder has tokens: a file each, named after its node, read by the node agent's own code, which
 * makes simulated evidence and waits as it is told when it is refused. All begin within SPREAD
 * seconds (0: at once), and go on for STAY seconds after each has a verdict. Prints how long that
 * took, and rounds. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/base/clock.h"
#include "nodeagent/attest/attest.h"

enum { PROBLEMS_MAX = 8, ALIKE = 80, FILES_MAX = 65536, WAIT_SEC = 600 };

struct fleet;

struct agent {
	struct fleet *fleet;
	struct attest *attest;
	char *node, *token_file;
	enum attest_phase phase; /* as last told */
	int64_t took_usec;       /* until the first verdict; 0: there is none yet */
};

struct fleet {
	sd_event *event;
	struct agent *agents;
	size_t n, attested;
	int64_t began_usec, stay_usec;
	unsigned rounds, failed; /* that have ended */
	bool staying;
	/* What kept rounds from ending well, what begins alike once. */
	struct {
		char text[160];
		unsigned n;
	} problems[PROBLEMS_MAX];
};

static const struct platform platform = {
	.simulated = true, .enclave_ok = true, .epc_bytes = 128 << 20};

static void count_problem(struct fleet *f, const char *text)
{
	for (size_t i = 0; i < PROBLEMS_MAX; i++) {
		if (!f->problems[i].n)
			snprintf(f->problems[i].text, sizeof(f->problems[i].text), "%s", text);
		if (strncmp(f->problems[i].text, text, ALIKE) == 0) {
			f->problems[i].n++;
			return;
		}
	}
}

static int on_time(sd_event_source *source, uint64_t usec, void *ctx)
{
	(void)source;
	(void)usec;
	return sd_event_exit(ctx, 0);
}

static void end_in(struct fleet *f, int64_t usec)
{
	if (sd_event_add_time_relative(
		    f->event, NULL, CLOCK_MONOTONIC, (uint64_t)usec, 0, on_time, f->event) < 0)
		sd_event_exit(f->event, 1);
}

/* A round has ended when the agent rests again. */
static void on_changed(void *ctx)
{
	struct agent *a = ctx;
	struct fleet *f = a->fleet;
	struct attest_view v;
	bool ended;

	if (!a->attest)
		return;
	v = attest_view(a->attest);
	ended = a->phase != ATTEST_PHASE_RESTING && v.phase == ATTEST_PHASE_RESTING;
	a->phase = v.phase;
	if (!ended)
		return;
	f->rounds++;
	if (*v.problem || v.state != ATTEST_SIMULATED) {
		f->failed++;
		count_problem(f, *v.problem ? v.problem : v.message);
	} else if (!a->took_usec) {
		a->took_usec = clock_monotonic_usec() - f->began_usec;
		f->attested++;
	}
	if (f->attested == f->n && !f->staying) {
		f->staying = true;
		end_in(f, f->stay_usec);
	}
}

static int add_agent(struct fleet *f, const char *folder, const char *node,
	struct attest_options *o, struct error *err)
{
	struct agent *a = &f->agents[f->n];
	int r;

	a->fleet = f;
	a->node = strdup(node);
	if (!a->node || asprintf(&a->token_file, "%s/%s", folder, node) < 0)
		return error_oom(err);
	f->n++;
	o->node = a->node;
	o->token_file = a->token_file;
	o->changed = on_changed;
	o->ctx = a;
	r = attest_new(&a->attest, o, err);
	if (r == 0)
		attest_platform(a->attest, &platform);
	return r;
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static int add_agents(
	struct fleet *f, const char *folder, struct attest_options *o, struct error *err)
{
	struct dirent **names = NULL;
	int n = scandir(folder, &names, visible, alphasort), r = 0;

	if (n <= 0)
		return error_set(err, -ENOENT, "%s: no tokens", folder);
	f->agents = calloc((size_t)n, sizeof(*f->agents));
	if (!f->agents)
		r = error_oom(err);
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = add_agent(f, folder, names[i]->d_name, o, err);
		free(names[i]);
	}
	free(names);
	return r;
}

static int compare(const void *a, const void *b)
{
	int64_t x = ((const struct agent *)a)->took_usec, y = ((const struct agent *)b)->took_usec;

	return (x > y) - (x < y);
}

static double seconds_at(const struct fleet *f, double part)
{
	return (double)f->agents[(size_t)((double)(f->n - 1) * part)].took_usec / USEC_PER_SEC;
}

static void report(struct fleet *f)
{
	qsort(f->agents, f->n, sizeof(*f->agents), compare);
	printf("attested            %zu of %zu nodes; s from the start: p50 %.1f, p99 %.1f, last "
	       "%.1f\n",
		f->attested, f->n, seconds_at(f, .5), seconds_at(f, .99), seconds_at(f, 1));
	printf("rounds              %u, of which %u were tried again\n", f->rounds, f->failed);
	for (size_t i = 0; i < PROBLEMS_MAX && f->problems[i].n; i++)
		printf("  %6u times: %s\n", f->problems[i].n, f->problems[i].text);
}

static void fleet_free(struct fleet *f)
{
	for (size_t i = 0; i < f->n; i++) {
		attest_free(f->agents[i].attest);
		free(f->agents[i].node);
		free(f->agents[i].token_file);
	}
	free(f->agents);
	sd_event_unref(f->event);
}

int main(int argc, char **argv)
{
	const struct rlimit files = {FILES_MAX, FILES_MAX};
	struct fleet f = {0};
	struct error err = {0};
	struct attest_options o;
	bool done;
	int r;

	if (argc != 6) {
		fprintf(stderr, "usage: fleet_agents URL CA-FILE TOKEN-FOLDER SPREAD STAY\n");
		return 2;
	}
	setrlimit(RLIMIT_NOFILE, &files);
	f.stay_usec = atoi(argv[5]) * (int64_t)USEC_PER_SEC;
	r = sd_event_default(&f.event);
	o = (struct attest_options){.event = f.event,
		.url = argv[1],
		.ca_file = argv[2],
		.start_usec = atoi(argv[4]) * (int64_t)USEC_PER_SEC};
	if (r >= 0)
		r = add_agents(&f, argv[3], &o, &err);
	if (r < 0) {
		fprintf(stderr, "fleet_agents: %s\n", err.code ? err.message : strerror(-r));
		return 1;
	}
	end_in(&f, WAIT_SEC * (int64_t)USEC_PER_SEC);
	f.began_usec = clock_monotonic_usec();
	r = sd_event_loop(f.event);
	report(&f);
	done = r == 0 && f.attested == f.n;
	fleet_free(&f);
	return done ? 0 : 1;
}
