/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/certs/keeper.h"

#include <stdio.h>

#include "common/base/clock.h"
#include "webhook/certs/injector.h"

enum { KEEPER_CONFIGURATIONS = 2 };

static const char *const kinds[KEEPER_CONFIGURATIONS] = {"mutating", "validating"};

struct keeper {
	struct serving *serving;
	int64_t grace_usec;
	struct injector *injectors[KEEPER_CONFIGURATIONS];
	struct bundle wanted, gone;
	int64_t since_usec; /* every entry has what is wanted; 0: not so */
	bool came;          /* the entries were looked at since there is something to want */
	bool found;         /* and had it all, and have had it since */
	/* For the check. */
	bool ready;         /* it was good once */
	bool late;          /* before that it was not */
	int64_t trusted_usec; /* since when; 0: not so */
};

static const struct bundle none;

int keeper_new(struct keeper **ret_k, struct kube_client *kube, const struct certs_options *o,
	struct serving *serving, void (*changed)(void *ctx), void *ctx, struct error *err)
{
	static const char *const resources[KEEPER_CONFIGURATIONS] = {
		"mutatingwebhookconfigurations", "validatingwebhookconfigurations"};
	const char *const names[KEEPER_CONFIGURATIONS] = {
		o->mutating_configuration, o->validating_configuration};
	_cleanup_(keeper_free_p) struct keeper *k = calloc(1, sizeof(*k));
	int r = 0;

	if (!k)
		return error_oom(err);
	k->serving = serving;
	k->grace_usec = o->grace_usec ? o->grace_usec : KEEPER_GRACE_SEC * (int64_t)USEC_PER_SEC;
	for (size_t i = 0; r == 0 && i < KEEPER_CONFIGURATIONS; i++) {
		const struct injector_options io = {.kube = kube,
			.resource = resources[i],
			.name = names[i],
			.patches = serving->patches,
			.keep_usec = o->keep_usec ? o->keep_usec
						  : INJECTOR_KEEP_SEC * (int64_t)USEC_PER_SEC,
			.changed = changed,
			.ctx = ctx};

		if (names[i] && names[i][0])
			r = injector_new(&k->injectors[i], &io, err);
	}
	if (r < 0)
		return r;
	if (serving->health && health_add(serving->health, "ca-bundle", HEALTH_READY) < 0)
		return error_oom(err);
	*ret_k = TAKE_PTR(k);
	return 0;
}

void keeper_free(struct keeper *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < KEEPER_CONFIGURATIONS; i++)
		injector_free(k->injectors[i]);
	bundle_free(&k->wanted);
	bundle_free(&k->gone);
	free(k);
}

void keeper_want(struct keeper *k, const struct bundle *wanted)
{
	struct bundle before = k->wanted;

	/* Wanting less of what is there makes nobody wait. */
	if (!bundle_has_all(&before, wanted)) {
		k->since_usec = 0;
		k->found = false;
	}
	bundle_copy(&k->wanted, wanted);
	bundle_free(&before);
}

void keeper_give_up(struct keeper *k, const struct bundle *gone)
{
	for (size_t i = 0; i < gone->n; i++) {
		if (k->gone.n == BUNDLE_MAX)
			bundle_remove(&k->gone, 0);
		(void)bundle_add(&k->gone, gone->cert[i], false);
	}
}

/* Do we see the entries as they are now? */
static bool all_seen(struct keeper *k)
{
	for (size_t i = 0; i < KEEPER_CONFIGURATIONS; i++) {
		struct injector_view v;

		if (!k->injectors[i])
			continue;
		v = injector_view(k->injectors[i], &none, &none);
		if (!v.known || !v.connected)
			return false;
	}
	return true;
}

/* And have they all that is wanted? */
static bool in_place(struct keeper *k)
{
	for (size_t i = 0; i < KEEPER_CONFIGURATIONS; i++)
		if (k->injectors[i] &&
			injector_view(k->injectors[i], &k->wanted, &none).entries.lacking)
			return false;
	return true;
}

static void look(struct keeper *k, int64_t now_usec)
{
	bool seen = k->wanted.n > 0 && all_seen(k), ok = seen && in_place(k);

	if (!ok)
		k->since_usec = 0;
	else if (!k->since_usec)
		k->since_usec = now_usec;
	k->found = ok && (k->found || !k->came);
	k->came |= seen;
}

int64_t keeper_since(const struct keeper *k)
{
	return k->since_usec;
}

bool keeper_settled(const struct keeper *k, int64_t now_usec)
{
	return k->since_usec &&
	       (k->found || now_usec - k->since_usec >= k->grace_usec);
}

static void earlier(int64_t *t, int64_t at)
{
	if (at < *t)
		*t = at;
}

int64_t keeper_step(struct keeper *k, int64_t now_usec, int64_t now_sec)
{
	int64_t wake = INT64_MAX;

	look(k, now_usec);
	if (k->since_usec && !keeper_settled(k, now_usec))
		wake = k->since_usec + k->grace_usec;
	for (size_t i = 0; i < KEEPER_CONFIGURATIONS; i++)
		if (k->injectors[i] && k->wanted.n)
			earlier(&wake, injector_step(k->injectors[i], &k->wanted, &k->gone,
					       now_usec, now_sec));
	return wake;
}

/* Why not everybody trusts what is served; "" when all do. */
static void find_distrust(
	struct keeper *k, const struct bundle *needed, char *why, size_t size, bool *ret_known)
{
	why[0] = '\0';
	*ret_known = true;
	for (size_t i = 0; i < KEEPER_CONFIGURATIONS && !why[0]; i++) {
		struct injector_view v;

		if (!k->injectors[i])
			continue;
		v = injector_view(k->injectors[i], &k->wanted, needed);
		if (!v.known) {
			*ret_known = false;
			snprintf(why, size, "the %s webhook configuration is not yet read%s%s",
				kinds[i], v.problem[0] ? ": " : "", v.problem);
		} else if (v.entries.refusing && needed->n == 0) {
			snprintf(why, size, "there is no certificate yet that could be trusted");
		} else if (v.entries.refusing) {
			snprintf(why, size,
				"%zu of %zu entries of the %s webhook configuration do not trust "
				"the certificate",
				v.entries.refusing, v.entries.entries, kinds[i]);
		}
	}
}

/* Whoever is ready for the first time, and had to be trusted first, waits until that is known
 * everywhere: others serve meanwhile. */
int64_t keeper_check(struct keeper *k, const struct bundle *needed, int64_t now_usec)
{
	int64_t until = 0;
	char why[200];
	bool known;

	find_distrust(k, needed, why, sizeof(why), &known);
	if (why[0]) {
		k->trusted_usec = 0;
		k->late |= known && needed->n > 0;
	} else {
		if (!k->trusted_usec)
			k->trusted_usec = now_usec;
		until = k->trusted_usec + k->grace_usec;
		k->ready |= !k->late || now_usec >= until;
		if (!k->ready)
			snprintf(why, sizeof(why), "the webhook configurations trust the "
						   "certificate only since a moment ago");
	}
	if (k->serving->health)
		health_set(k->serving->health, "ca-bundle", !why[0], why);
	return why[0] && until ? until : INT64_MAX;
}
