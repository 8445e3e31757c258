/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/audit_publish.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <openssl/pem.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/log.h"
#include "webhook/broker/audit_check.h"

enum {
	OBJECT_MAX = 1024 * 1024,
	KEPT_MAX = 256, /* checkpoints in the ConfigMap */
	PATH_MAX_BYTES = 4096,
	KEY_PEM_MAX = 1024,
};

#define EVERY_USEC (60 * (int64_t)USEC_PER_SEC)

static const struct json_limits limits = {OBJECT_MAX, 8192, 16};

struct audit_publisher {
	struct audit_publisher_options o;
	char collection[200], path[500], name[254], namespace_[64];
	char *file;
	sd_event_source *timer;
	struct kube_call *call;
	uint64_t published, sending; /* seq of the last checkpoint */
	int64_t start_sec;
	bool create;     /* the ConfigMap is not there */
	char oldest[64]; /* a checkpoint that is to go; "": none */
};

DEFINE_CLEANUP(BIO *, BIO_free)

/* Appends the public key as a JSON string or as it is. */
static int add_key(struct buf *out, EVP_PKEY *key, bool json)
{
	_cleanup_(BIO_free_p) BIO *bio = BIO_new(BIO_s_mem());
	char *pem = NULL;
	long n = bio && PEM_write_bio_PUBKEY(bio, key) ? BIO_get_mem_data(bio, &pem) : 0;
	struct span text = {pem, n > 0 ? (size_t)n : 0};

	if (!text.len)
		return -EIO;
	return json ? buf_json_string(out, text) : buf_span(out, text);
}

static void note_oldest(struct audit_publisher *p, struct json_val data)
{
	char own[64], key[64];
	struct json_iter it;
	size_t n = 0;

	snprintf(own, sizeof(own), "%010" PRId64 ".", p->start_sec);
	p->oldest[0] = '\0';
	json_each (it, data) {
		if (!json_copy(it.key, key, sizeof(key)) || key[0] < '0' || key[0] > '9')
			continue;
		n++;
		if (strncmp(key, own, strlen(own)) != 0 &&
			(!p->oldest[0] || strcmp(key, p->oldest) < 0))
			memcpy(p->oldest, key, sizeof(key));
	}
	if (n < KEPT_MAX)
		p->oldest[0] = '\0';
}

static void plan(struct audit_publisher *p, int64_t delay)
{
	sd_event_source_set_time_relative(p->timer, (uint64_t)delay);
	sd_event_source_set_enabled(p->timer, SD_EVENT_ONESHOT);
}

static void on_published(void *ctx, const struct kube_result *res)
{
	struct audit_publisher *p = ctx;
	_cleanup_json_ struct json doc = {0};
	bool missing = res->status == 404 && !p->create;

	p->call = NULL;
	p->create = missing;
	if (res->status == 200 || res->status == 201) {
		p->published = p->sending;
		if (json_parse(&doc, res->body, &limits, NULL) == 0)
			note_oldest(p, json_get(json_root(&doc), "data"));
	} else if (!missing && res->status != 409)
		log_warn("Could not publish a checkpoint of the audit log",
			LOG_STR("configMap", p->name), LOG_STR("message", res->message));
	plan(p, missing ? 0 : p->o.every_usec);
}

static int write_map(
	struct buf *b, const struct audit_publisher *p, const char *chain, struct span point)
{
	int r;

	buf_puts(b, "{");
	if (p->create)
		buf_printf(b,
			"\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"%"
			"s\","
			"\"namespace\":\"%s\",\"labels\":{\"app.kubernetes.io/"
			"part-of\":\"casemate\"}},",
			p->name, p->namespace_);
	buf_printf(b, "\"data\":{\"%010" PRId64 ".%s\":", p->start_sec, chain);
	buf_json_string(b, point);
	if (p->oldest[0] && !p->create)
		buf_printf(b, ",\"%s\":null", p->oldest);
	buf_puts(b, ",\"key.pem\":");
	r = add_key(b, *p->o.key, true);
	return r < 0 ? r : buf_puts(b, "}}");
}

static int send(struct audit_publisher *p, const char *chain, struct span point, struct error *err)
{
	_cleanup_buf_ struct buf body = BUF_INIT(64 * 1024);
	struct kube_request req = {.method = p->create ? "POST" : "PATCH",
		.path = p->create ? p->collection : p->path,
		.patch = KUBE_PATCH_MERGE,
		.max_response = OBJECT_MAX};
	int r = write_map(&body, p, chain, point);

	if (r < 0)
		return error_set(err, r, "a checkpoint: %s", strerror(-r));
	req.body = buf_view(&body);
	return kube_call(p->o.kube, &req, on_published, p, &p->call, err);
}

static int write_text(const char *path, int flags, struct span text, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | flags, 0600);

	/* One write, so that a crash leaves no half line before another one. */
	if (fd < 0 || write(fd, text.p, text.len) != (ssize_t)text.len || fsync(fd) < 0)
		return error_set(err, errno ? -errno : -EIO, "%s: %m", path);
	return 0;
}

static int append(struct audit_publisher *p, struct buf *point, struct error *err)
{
	_cleanup_buf_ struct buf pem = BUF_INIT(KEY_PEM_MAX);
	char path[PATH_MAX_BYTES];
	int r = add_key(&pem, *p->o.key, false);

	if (r < 0)
		return error_set(err, r, "the key of checkpoints cannot be written");
	buf_putc(point, '\n');
	snprintf(path, sizeof(path), "%s.checkpoints.pem", p->file);
	r = write_text(path, O_TRUNC, buf_view(&pem), err);
	snprintf(path, sizeof(path), "%s.checkpoints", p->file);
	if (r == 0)
		r = write_text(path, O_APPEND, buf_view(point), err);
	return r;
}

/* A checkpoint, if the log has gone on since the last. Did a call begin? */
static bool publish(struct audit_publisher *p)
{
	_cleanup_buf_ struct buf point = BUF_INIT(AUDIT_CHECKPOINT_MAX);
	struct audit_head head = {0};
	struct error err = {0};
	int r;

	audit_where(p->o.audit, &head);
	if (!*p->o.key || head.seq <= p->published || p->call || (!p->o.kube && !p->file))
		return false;
	r = audit_point_sign(&point, &head, clock_unix_usec() / USEC_PER_SEC, *p->o.key, &err);
	p->sending = head.seq;
	if (r == 0)
		r = p->o.kube ? send(p, head.chain, buf_view(&point), &err)
			      : append(p, &point, &err);
	if (r < 0)
		log_warn("Could not publish a checkpoint of the audit log",
			LOG_STR("message", err.message));
	else if (!p->o.kube)
		p->published = head.seq;
	return r == 0 && p->o.kube;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct audit_publisher *p = ctx;

	(void)source;
	(void)usec;
	if (!publish(p))
		plan(p, p->o.every_usec);
	return 0;
}

int audit_publisher_new(
	struct audit_publisher **ret_p, const struct audit_publisher_options *o, struct error *err)
{
	_cleanup_(audit_publisher_free_p) struct audit_publisher *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return error_oom(err);
	p->o = *o;
	p->start_sec = clock_unix_usec() / USEC_PER_SEC;
	if (!p->o.every_usec)
		p->o.every_usec = EVERY_USEC;
	if (o->kube) {
		snprintf(p->name, sizeof(p->name), "%s", o->config_map);
		snprintf(p->namespace_, sizeof(p->namespace_), "%s", o->namespace_);
		snprintf(p->collection, sizeof(p->collection), "/api/v1/namespaces/%s/configmaps",
			p->namespace_);
		snprintf(p->path, sizeof(p->path), "%s/%s", p->collection, p->name);
	} else if (*o->path) {
		p->file = strdup(o->path);
		if (!p->file)
			return error_oom(err);
	}
	r = sd_event_add_time_relative(
		o->event, &p->timer, CLOCK_MONOTONIC, (uint64_t)p->o.every_usec, 0, on_timer, p);
	if (r < 0)
		return error_set(err, r, "a timer of the audit log: %s", strerror(-r));
	*ret_p = TAKE_PTR(p);
	return 0;
}

void audit_publisher_free(struct audit_publisher *p)
{
	if (!p)
		return;
	if (!p->o.kube && p->timer)
		publish(p);
	kube_cancel(p->call);
	sd_event_source_disable_unref(p->timer);
	free(p->file);
	free(p);
}
