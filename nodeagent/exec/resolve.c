/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/exec/resolve.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "nodeagent/exec/guest.h"
#include "nodeagent/exec/sgx/occlum.h"

enum { PAUSE_FIRST_USEC = 250 * 1000, PAUSE_MAX_USEC = 5 * 1000 * 1000 };

static void pause_usec(int64_t usec)
{
	struct timespec ts = {.tv_sec = usec / USEC_PER_SEC, .tv_nsec = usec % USEC_PER_SEC * 1000};

	while (nanosleep(&ts, &ts) < 0 && errno == EINTR)
		;
}

/* Whose refusal it is: the variable of the key that the agent names, else the first. */
static size_t refused_key(const struct exec_environment *e, const struct exec_answer *a)
{
	for (size_t i = 0; i < e->n_keys; i++)
		if (span_is(e->keys[i], a->key))
			return i;
	return 0;
}

static int explain(
	const struct exec_environment *e, const struct exec_answer *a, int r, struct error *err)
{
	size_t key = refused_key(e, a);
	struct span variable = exec_environment_variable(e, key);

	if (!*a->status || strcmp(a->status, "ok") == 0)
		return error_prefix(err, r, "variable " SPAN_FMT ": key " SPAN_FMT,
			SPAN_ARG(variable), SPAN_ARG(e->keys[key]));
	return error_set(err, r, "variable " SPAN_FMT ": key " SPAN_FMT " %s: %s%s%s",
		SPAN_ARG(variable), SPAN_ARG(e->keys[key]),
		r == -EAGAIN ? "is not to be had now" : "was refused", a->reason,
		*a->message ? ": " : "", a->message);
}

/* Gramine's enclaves have the folder, Occlum's the device. */
static bool in_enclave(const struct exec_resolve_options *o)
{
	return access(o->attestation, F_OK) == 0 || occlum_here(o->occlum);
}

static int refuse_enclave(const struct exec_attempt *t, struct error *err)
{
	return error_set(err, -ENOTSUP,
		"this is an SGX enclave (%s or the device %s is there), where sockets and "
		"127.0.0.1 are the host's: make casemate-exec-sgx the entry point",
		t->o->attestation, t->o->occlum);
}

static bool has_folder(const struct exec_resolve_options *o)
{
	return access(o->dir, F_OK) == 0;
}

static int ask_agent(const struct exec_attempt *t, struct error *err)
{
	return exec_exchange(t->keys, t->answer, t->o->socket, t->o->token, t->e->keys,
		t->e->n_keys, t->deadline_usec, err);
}

static bool always(const struct exec_resolve_options *o)
{
	(void)o;
	return true;
}

static int ask_guest(const struct exec_attempt *t, struct error *err)
{
	return exec_guest_fetch(t->keys, t->answer, t->o->guest_port, t->o->namespace_, t->e->keys,
		t->e->n_keys, t->deadline_usec, err);
}

const struct exec_way exec_ways[] = {
	{in_enclave, refuse_enclave, true},
	{has_folder, ask_agent, false},
	{always, ask_guest, true},
};

static const struct exec_way *find_way(const struct exec_resolve_options *o)
{
	const struct exec_way *w = o->ways;

	while (!w->present(o))
		w++;
	return w;
}

int exec_resolve(struct exec_environment *e, char **env, const struct exec_resolve_options *o,
	struct error *err)
{
	const struct exec_way *way = find_way(o);
	struct secret keys[DELIVERY_KEYS_MAX] = {0};
	int64_t pause = PAUSE_FIRST_USEC;
	struct exec_answer answer;
	struct exec_attempt t = {o, e, clock_monotonic_usec() + o->timeout_usec, keys, &answer};
	int r;

	e->resources = way->resources;
	r = exec_environment_read(e, env, err);
	if (r < 0 || e->n == 0)
		return r;
	for (;;) {
		answer = (struct exec_answer){0};
		r = way->ask(&t, err);
		if (r != -EAGAIN || clock_monotonic_usec() + pause >= t.deadline_usec)
			break;
		if (o->waits)
			o->waits(err);
		pause_usec(pause);
		pause = pause * 2 < PAUSE_MAX_USEC ? pause * 2 : PAUSE_MAX_USEC;
	}
	if (r == 0)
		r = exec_environment_fill(e, env, keys, err);
	else
		explain(e, &answer, r, err);
	for (size_t i = 0; i < e->n_keys; i++)
		secret_free(&keys[i]);
	return r;
}
