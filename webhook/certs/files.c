/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/certs/files.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/secret.h"
#include "common/net/file_watch.h"
#include "webhook/certs/authority.h"

enum {
	FILES_MAX_BYTES = 256 * 1024, /* of one file */
	FILES_POLL_SEC = 60,
	FILES_POLL_FIRST_SEC = 1, /* while there is no certificate */
};

struct files {
	sd_event *event;
	struct serving *serving;
	char *cert_file, *key_file;
	struct file_watch *watch; /* NULL while a folder is missing */
	sd_event_source *poll;
	unsigned char seen[EVP_MAX_MD_SIZE]; /* digest of what was looked at last */
	struct error problem;                /* the last one that was logged */
};

/* Reads a whole file, key or not. */
static int read_file(struct secret *ret, const char *path, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	ssize_t n;
	int r;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set(err, -errno, "%s: %m", path);
	if (!S_ISREG(st.st_mode) || st.st_size > FILES_MAX_BYTES)
		return error_set(
			err, -EBADMSG, "%s: not a file of at most %d bytes", path, FILES_MAX_BYTES);
	r = secret_init(ret, (size_t)st.st_size);
	if (r < 0)
		return error_oom(err);
	do {
		n = read(fd, ret->p + ret->len, ret->cap - ret->len);
		if (n < 0)
			return error_set(err, -errno, "%s: %m", path);
		ret->len += (size_t)n;
	} while (n > 0 && ret->len < ret->cap);
	return 0;
}

/* When the first certificate of a chain ends. What else is wrong with it the server finds out. */
static int64_t chain_not_after(struct span pem)
{
	BIO *in = BIO_new_mem_buf(pem.p, (int)pem.len);
	X509 *cert = in ? PEM_read_bio_X509(in, NULL, authority_no_passphrase, NULL) : NULL;
	int64_t t = cert ? authority_not_after(cert) : INT64_MIN;

	X509_free(cert);
	BIO_free(in);
	ERR_clear_error();
	return t;
}

/* Is this the content that was looked at last? From now on it is. */
static bool seen_before(struct files *f, struct span cert, struct span key)
{
	unsigned char digest[EVP_MAX_MD_SIZE] = {0};
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	/* The length keeps the boundary between the two apart. */
	bool same = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) &&
		    EVP_DigestUpdate(ctx, &cert.len, sizeof(cert.len)) &&
		    EVP_DigestUpdate(ctx, cert.p, cert.len) &&
		    EVP_DigestUpdate(ctx, key.p, key.len) &&
		    EVP_DigestFinal_ex(ctx, digest, NULL) &&
		    memcmp(digest, f->seen, sizeof(digest)) == 0;

	EVP_MD_CTX_free(ctx);
	memcpy(f->seen, digest, sizeof(digest));
	return same;
}

/* 1: a new pair is served; 0: nothing new. */
static int load(struct files *f, struct error *err)
{
	_cleanup_secret_ struct secret cert = {0}, key = {0};
	int64_t now_sec = clock_unix_usec() / USEC_PER_SEC;
	int r = read_file(&cert, f->cert_file, err);

	if (r == 0)
		r = read_file(&key, f->key_file, err);
	if (r < 0 || seen_before(f, secret_view(&cert), secret_view(&key)))
		return r;
	r = serving_use(f->serving, secret_view(&cert), secret_view(&key),
		chain_not_after(secret_view(&cert)), now_sec, err);
	return r < 0 ? error_prefix(err, r, "%s, %s", f->cert_file, f->key_file) : 1;
}

static void look(struct files *f)
{
	struct error err = {0};
	int r = load(f, &err);

	if (r < 0 && strcmp(err.message, f->problem.message) != 0) {
		serving_count(f->serving, "refused");
		log_error(err.message,
			f->serving->not_after_sec
				? "Cannot use the new certificate, keep serving with the old one"
				: "Cannot use the certificate, nothing is served yet");
	} else if (r > 0) {
		serving_count(f->serving, "loaded");
		log_info(1, "Serving with a new certificate", LOG_STR("file", f->cert_file),
			LOG_INT("notAfter", f->serving->not_after_sec));
	}
	/* Broken content is complained of once, and stays the reason until it changes. */
	if (r != 0)
		f->problem = err;
	serving_check(f->serving, clock_unix_usec() / USEC_PER_SEC, f->problem.message);
}

static void on_change(void *ctx)
{
	look(ctx);
}

static void watch_folders(struct files *f)
{
	const char *const paths[] = {f->cert_file, f->key_file, NULL};

	if (!f->watch)
		(void)file_watch_new(&f->watch, f->event, paths, on_change, f, NULL);
}

static int on_poll(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct files *f = ctx;
	unsigned sec;

	(void)usec;
	watch_folders(f);
	look(f);
	sec = f->serving->not_after_sec ? FILES_POLL_SEC : FILES_POLL_FIRST_SEC;
	sd_event_source_set_time_relative(source, (uint64_t)sec * USEC_PER_SEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

int files_new(struct files **ret_f, sd_event *event, const struct certs_options *o,
	struct serving *serving, struct error *err)
{
	_cleanup_(files_free_p) struct files *f = calloc(1, sizeof(*f));
	int r;

	if (!o->cert_file || !o->cert_file[0] || !o->key_file || !o->key_file[0])
		return error_set(err, -EINVAL, "needs the files of a certificate and of its key");
	if (!f)
		return error_oom(err);
	f->event = sd_event_ref(event);
	f->serving = serving;
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
		serving_count(serving, "loaded");
	}
	r = sd_event_add_time_relative(
		event, &f->poll, CLOCK_MONOTONIC, 0, USEC_PER_SEC, on_poll, f);
	if (r < 0)
		return error_set(err, r, "a timer for the certificate's files");
	*ret_f = TAKE_PTR(f);
	return 0;
}

void files_free(struct files *f)
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
