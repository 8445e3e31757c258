/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/certs/files.h"

#include <errno.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/net/file_watch.h"
#include "webhook/certs/authority.h"
#include "webhook/certs/keeper.h"

enum {
	FILES_POLL_SEC = 60,
	FILES_POLL_FIRST_SEC = 1, /* while there is no certificate */
	FILES_CA_MAX = 16,        /* leaves room in caBundle for those before them */
};

/* What the files hold. */
struct material {
	struct secret cert, key; /* PEM */
	struct bundle ca;
};

struct files {
	sd_event *event;
	struct serving *serving;
	char *cert_file, *key_file, *ca_file; /* ca_file "": caBundle is not ours to keep */
	struct authority_names names;
	struct file_watch *watch; /* NULL while a folder is missing */
	struct keeper *keeper;    /* NULL without ca_file */
	sd_event_source *timer;
	int64_t poll_usec; /* when to look at the files again (monotonic) */
	struct credential_seen seen; /* what was looked at last */
	bool untrusted;              /* and it may pass later: it is not valid yet, say */
	struct error problem;        /* the last one that was logged */
	struct material next;   /* served once everybody trusts it; empty: there is nothing new */
	struct bundle trusting; /* the authorities of what is served */
	bool stepping, again;
};

static void material_free(struct material *m)
{
	secret_free(&m->cert);
	secret_free(&m->key);
	bundle_free(&m->ca);
}

static int64_t now_sec(void)
{
	return clock_unix_usec() / USEC_PER_SEC;
}

/* Would the API server, told to trust the authorities in ca_pem, trust the certificate? */
static int check_trust(struct files *f, struct material *m, struct span ca_pem, struct error *err)
{
	_cleanup_bundle_ struct bundle chain = {0};
	int r = bundle_read(&m->ca, ca_pem, err);

	if (r == 0 && m->ca.n > FILES_CA_MAX)
		r = error_set(err, -EBADMSG, "more than %d certificates", FILES_CA_MAX);
	if (r < 0)
		return error_prefix(err, r, "%s", f->ca_file);
	r = bundle_read(&chain, secret_view(&m->cert), err);
	if (r == 0)
		r = authority_check_chain(&chain, &m->ca, f->names.name[0], now_sec(), err);
	return r < 0 ? error_prefix(err, r, "%s, by the authorities of %s", f->cert_file, f->ca_file)
		     : 0;
}

static int use(struct files *f, const struct material *m, struct error *err)
{
	int r = serving_use(f->serving, secret_view(&m->cert), secret_view(&m->key),
		credential_pem_not_after(secret_view(&m->cert)), now_sec(), err);

	return r < 0 ? error_prefix(err, r, "%s, %s", f->cert_file, f->key_file) : 0;
}

/* 1: a new pair is served; 0: nothing new, or new and not yet trusted. */
static int load(struct files *f, struct error *err)
{
	_cleanup_(material_free) struct material m = {0};
	_cleanup_secret_ struct secret ca = {0};
	struct span contents[3];
	bool again;
	int r = credential_read_file(&m.cert, f->cert_file, err);

	if (r == 0)
		r = credential_read_file(&m.key, f->key_file, err);
	if (r == 0 && f->keeper)
		r = credential_read_file(&ca, f->ca_file, err);
	if (r < 0)
		return r;
	contents[0] = secret_view(&m.cert);
	contents[1] = secret_view(&m.key);
	contents[2] = secret_view(&ca);
	again = credential_seen_before(&f->seen, contents, ARRAY_SIZE(contents));
	if (again && !f->untrusted)
		return 0;
	if (!f->keeper) {
		r = use(f, &m, err);
		return r < 0 ? r : 1;
	}
	r = check_trust(f, &m, contents[2], err);
	f->untrusted = r < 0;
	if (r < 0 && again) /* that was said */
		return 0;
	if (r < 0)
		return r;
	material_free(&f->next);
	f->next = m;
	m = (struct material){0};
	return 0;
}

static void complain(struct files *f, const struct error *err)
{
	/* Broken content is complained of once, and stays the reason until it changes. */
	if (strcmp(err->message, f->problem.message) == 0)
		return;
	serving_count(f->serving, "refused");
	log_error(err->message,
		f->serving->not_after_sec
			? "Cannot use the new certificate, keep serving with the old one"
			: "Cannot use the certificate, nothing is served yet");
	f->problem = *err;
}

static void served(struct files *f)
{
	serving_count(f->serving, "loaded");
	log_info(1, "Serving with a new certificate", LOG_STR("file", f->cert_file),
		LOG_INT("notAfter", f->serving->not_after_sec));
	f->problem = (struct error){0};
}

static void look(struct files *f)
{
	struct error err = {0};
	int r = load(f, &err);

	if (r < 0)
		complain(f, &err);
	else if (r > 0)
		served(f);
}

/*
 * First trusted, then served
 */

/* What is served, and what is to be, must both be trusted. */
static void want(struct files *f)
{
	_cleanup_bundle_ struct bundle both = {0};

	bundle_copy(&both, &f->next.ca);
	(void)bundle_union(&both, &f->trusting);
	keeper_want(f->keeper, &both);
}

static bool has_expired(const struct files *f)
{
	return f->serving->not_after_sec && now_sec() > f->serving->not_after_sec;
}

static void take_up(struct files *f)
{
	struct error err = {0};
	int r = use(f, &f->next, &err);

	if (r < 0) {
		complain(f, &err);
	} else {
		bundle_free(&f->trusting);
		bundle_copy(&f->trusting, &f->next.ca);
		served(f);
	}
	material_free(&f->next);
	want(f);
}

static void earlier(int64_t *t, int64_t at)
{
	if (at < *t)
		*t = at;
}

/* Returns when the next step is due (monotonic). */
static int64_t step_keeper(struct files *f, int64_t mono)
{
	int64_t wake;

	want(f);
	wake = keeper_step(f->keeper, mono, now_sec());
	/* One that has expired is worse than one that may not be trusted yet. */
	if (f->next.cert.p && (keeper_settled(f->keeper, mono) || has_expired(f)))
		take_up(f);
	earlier(&wake,
		keeper_check(f->keeper, f->next.cert.p ? &f->next.ca : &f->trusting, mono));
	return wake;
}

static void step(struct files *f)
{
	int64_t wake, mono;

	/* What a step sets off may call for another. */
	f->again = true;
	if (f->stepping)
		return;
	f->stepping = true;
	do {
		f->again = false;
		mono = clock_monotonic_usec();
		wake = f->poll_usec;
		if (f->keeper)
			earlier(&wake, step_keeper(f, mono));
		serving_check(f->serving, now_sec(), f->problem.message);
	} while (f->again);
	f->stepping = false;
	sd_event_source_set_time_relative(f->timer, wake > mono ? (uint64_t)(wake - mono) : 0);
	sd_event_source_set_enabled(f->timer, SD_EVENT_ONESHOT);
}

static void on_change(void *ctx)
{
	look(ctx);
	step(ctx);
}

static void on_keeper(void *ctx)
{
	step(ctx);
}

static void watch_folders(struct files *f)
{
	const char *const paths[] = {
		f->cert_file, f->key_file, f->keeper ? f->ca_file : NULL, NULL};

	if (!f->watch)
		(void)file_watch_new(&f->watch, f->event, paths, on_change, f, NULL);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct files *f = ctx;
	int64_t mono = clock_monotonic_usec();
	bool some;

	(void)source;
	(void)usec;
	if (mono >= f->poll_usec) {
		watch_folders(f);
		look(f);
		some = f->serving->not_after_sec || f->next.cert.p;
		f->poll_usec =
			mono + (some ? FILES_POLL_SEC : FILES_POLL_FIRST_SEC) * USEC_PER_SEC;
	}
	step(f);
	return 0;
}

/*
 * Beginning and end
 */

static int begin(struct files *f, struct kube_client *kube, const struct certs_options *o,
	struct error *err)
{
	int r = 0;

	f->cert_file = strdup(o->cert_file);
	f->key_file = strdup(o->key_file);
	f->ca_file = strdup(o->ca_file ? o->ca_file : "");
	if (!f->cert_file || !f->key_file || !f->ca_file)
		return error_oom(err);
	if (f->ca_file[0]) {
		r = authority_names(&f->names, o->service_name, o->service_namespace, err);
		if (r == 0)
			r = keeper_new(&f->keeper, kube, o, f->serving, on_keeper, f, err);
	}
	if (r < 0)
		return r;
	/* Before the first look, so that no change is missed. */
	watch_folders(f);
	if (o->must_load) {
		r = load(f, err);
		if (r < 0)
			return r;
		if (r > 0)
			served(f);
	}
	r = sd_event_add_time_relative(
		f->event, &f->timer, CLOCK_MONOTONIC, 0, USEC_PER_SEC, on_timer, f);
	return r < 0 ? error_set(err, r, "a timer for the certificate's files") : 0;
}

int files_new(struct files **ret_f, sd_event *event, struct kube_client *kube,
	const struct certs_options *o, struct serving *serving, struct error *err)
{
	_cleanup_(files_free_p) struct files *f = NULL;
	int r;

	if (!o->cert_file || !o->cert_file[0] || !o->key_file || !o->key_file[0])
		return error_set(err, -EINVAL, "needs the files of a certificate and of its key");
	if (o->ca_file && o->ca_file[0] && !kube)
		return error_set(err, -EINVAL,
			"the authority's file is for the webhook configurations of an API server");
	f = calloc(1, sizeof(*f));
	if (!f)
		return error_oom(err);
	f->event = sd_event_ref(event);
	f->serving = serving;
	r = begin(f, kube, o, err);
	if (r < 0)
		return r;
	*ret_f = TAKE_PTR(f);
	return 0;
}

void files_free(struct files *f)
{
	if (!f)
		return;
	file_watch_free(f->watch);
	keeper_free(f->keeper);
	sd_event_source_disable_unref(f->timer);
	sd_event_unref(f->event);
	material_free(&f->next);
	bundle_free(&f->trusting);
	free(f->cert_file);
	free(f->key_file);
	free(f->ca_file);
	free(f);
}
