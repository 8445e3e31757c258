/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/tls_files.h"

#include <errno.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/secret.h"
#include "common/base/credential.h"
#include "common/net/file_watch.h"

enum {
	FILES_POLL_SEC = 60,
	FILES_POLL_FIRST_SEC = 1, /* while there is no certificate */
};

struct tls_files {
	sd_event *event;
	struct tls_files_options options;
	char *cert_file, *key_file;
	bool loaded;
	struct file_watch *watch; /* NULL while a folder is missing */
	sd_event_source *poll;
	struct credential_seen seen; /* what was looked at last */
	struct error problem;        /* of it */
};

/* 1: a new pair is in use; 0: nothing new. */
static int load(struct tls_files *f, struct error *err)
{
	_cleanup_secret_ struct secret cert = {0}, key = {0};
	struct span contents[2];
	int r = credential_read_file(&cert, f->cert_file, err);

	if (r == 0)
		r = credential_read_file(&key, f->key_file, err);
	if (r < 0)
		return r;
	contents[0] = secret_view(&cert);
	contents[1] = secret_view(&key);
	if (credential_seen_before(&f->seen, contents, ARRAY_SIZE(contents)))
		return 0;
	r = f->options.use(f->options.ctx, contents[0], contents[1],
		credential_pem_not_after(contents[0]), err);
	if (r < 0)
		return error_prefix(err, r, "%s, %s", f->cert_file, f->key_file);
	f->loaded = true;
	return 1;
}

static void look(struct tls_files *f)
{
	struct error err = {0};
	int r = load(f, &err);
	bool again = r < 0 && strcmp(err.message, f->problem.message) == 0;

	/* Broken content is complained of once, and stays the reason until it changes. */
	if (r != 0)
		f->problem = err;
	f->options.looked(f->options.ctx, r, &f->problem, again);
}

static void on_change(void *ctx)
{
	look(ctx);
}

static void watch_folders(struct tls_files *f)
{
	const char *const paths[] = {f->cert_file, f->key_file, NULL};

	if (!f->watch)
		(void)file_watch_new(&f->watch, f->event, paths, on_change, f, NULL);
}

static int on_poll(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct tls_files *f = ctx;
	unsigned sec;

	(void)usec;
	watch_folders(f);
	look(f);
	sec = f->loaded ? FILES_POLL_SEC : FILES_POLL_FIRST_SEC;
	sd_event_source_set_time_relative(source, (uint64_t)sec * USEC_PER_SEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int tls_files_new(struct tls_files **ret_f, sd_event *event, const struct tls_files_options *o,
	struct error *err)
{
	_cleanup_(tls_files_free_p) struct tls_files *f = calloc(1, sizeof(*f));
	int r;

	if (!o->cert_file || !o->cert_file[0] || !o->key_file || !o->key_file[0])
		return error_set(err, -EINVAL, "needs the files of a certificate and of its key");
	if (!f)
		return error_oom(err);
	f->event = sd_event_ref(event);
	f->options = *o;
	f->cert_file = strdup(o->cert_file);
	f->key_file = strdup(o->key_file);
	if (!f->cert_file || !f->key_file)
		return error_oom(err);
	/* Before the first look, so that no change is missed. */
	watch_folders(f);
	if (o->must_load) {
		r = load(f, err);
		if (r < 0)
			return r;
	}
	r = sd_event_add_time_relative(
		event, &f->poll, CLOCK_MONOTONIC, 0, USEC_PER_SEC, on_poll, f);
	if (r < 0)
		return error_set(err, r, "a timer for the certificate's files");
	*ret_f = TAKE_PTR(f);
	return 0;
}

void tls_files_free(struct tls_files *f)
{
	if (!f)
		return;
	file_watch_free(f->watch);
	sd_event_source_disable_unref(f->poll);
	sd_event_unref(f->event);
	free(f->cert_file);
	free(f->key_file);
	free(f);
}
