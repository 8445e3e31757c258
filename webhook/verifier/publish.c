/* SPDX-License-Identifier: Apache-2.0
 *
 * One job is one object's write with all the requests that it takes; jobs of different kinds may
 * run for a node at the same time. A job knows its node by name: it may be gone when an answer
 * comes. */
#include "webhook/verifier/publish.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/log.h"

enum {
	BODY_MAX = 32 * 1024,
	OBJECT_MAX = 4 * 1024 * 1024,
	RETRY_USEC = 30 * USEC_PER_SEC,
	TRIES_MAX = 6, /* of a Node: labels and condition, the taint, and who else writes */
	PATH_MAX_BYTES = 512,
};

static const struct json_limits limits = {OBJECT_MAX, 1 << 17, 64};

enum job_kind { JOB_RECORD, JOB_END, JOB_MARKS, JOB_REMOVAL };

struct job {
	LIST_ENTRY(job) link; /* the publisher's */
	struct publisher *p;
	enum job_kind kind;
	struct kube_call *call;
	unsigned tries;
	struct record record;
	struct buf detail;
	publish_done done;
	void *ctx;
	char name[NODE_NAME_MAX];
};

struct publisher {
	struct publisher_options o;
	LIST_HEAD(jobs, job) jobs;
	unsigned n;
};

static bool *flag_of(struct node *node, enum job_kind kind)
{
	switch (kind) {
	case JOB_RECORD:
		return &node->judging;
	case JOB_MARKS:
		return &node->marking;
	default:
		return &node->ending;
	}
}

static struct job *job_new(struct publisher *p, struct node *node, enum job_kind kind)
{
	struct job *j = calloc(1, sizeof(*j));

	if (!j)
		return NULL;
	j->p = p;
	j->kind = kind;
	j->detail = BUF_INIT(BODY_MAX);
	snprintf(j->name, sizeof(j->name), "%s", node->name);
	LIST_INSERT_HEAD(&p->jobs, j, link);
	p->n++;
	*flag_of(node, kind) = true;
	return j;
}

static void job_free(struct job *j)
{
	struct node *node = nodes_find_any(j->p->o.nodes, j->name);

	if (node)
		*flag_of(node, j->kind) = false;
	LIST_REMOVE(j, link);
	j->p->n--;
	kube_cancel(j->call);
	buf_free(&j->detail);
	free(j);
}

static void finish(struct job *j, enum publish_outcome outcome, const char *message)
{
	publish_done done = j->done;
	void *ctx = j->ctx;

	struct node *node = nodes_find_any(j->p->o.nodes, j->name);

	/* Who judges is told; what is swept comes again by itself. */
	if (outcome == PUBLISH_FAILED && node && j->kind != JOB_RECORD)
		node->retry_usec = clock_monotonic_usec() + RETRY_USEC;
	if (outcome == PUBLISH_FAILED)
		log_warn("Could not write about a node", LOG_STR("node", j->name),
			LOG_STR("message", message));
	job_free(j);
	if (done)
		done(ctx, outcome, message);
}

static int send(struct job *j, const char *method, enum kube_patch patch, const char *path,
	const struct buf *body, kube_done done)
{
	const struct kube_request req = {.method = method,
		.path = path,
		.patch = patch,
		.body = body ? buf_view(body) : SPAN_NONE,
		.max_response = OBJECT_MAX};
	struct error err = {0};
	int r = body && body->err ? body->err
				  : kube_call(j->p->o.kube, &req, done, j, &j->call, &err);

	if (r < 0)
		finish(j, PUBLISH_FAILED, err.code ? err.message : "out of memory");
	return r;
}

static void path_of(
	char out[PATH_MAX_BYTES], const char *collection, const struct job *j, const char *rest)
{
	snprintf(out, PATH_MAX_BYTES, "%s/%s%s", collection, j->name, rest);
}

static bool is_done(const struct kube_result *res)
{
	return res->code == 0 && (res->status == 200 || res->status == 201);
}

/* The version that we named was not the newest, or a rule was broken that it explains. */
static bool is_conflict(const struct kube_result *res)
{
	return res->code == 0 && (res->status == 409 || res->status == 422);
}

static void take(struct job *j, const struct kube_result *res, bool record)
{
	_cleanup_json_ struct json doc = {0};

	if (json_parse(&doc, res->body, &limits, NULL) < 0)
		return;
	if (record)
		nodes_take_record(j->p->o.nodes, json_root(&doc));
	else
		nodes_take_node(j->p->o.nodes, json_root(&doc));
}

/*
 * NodeAttestation
 */

static void on_reread(void *ctx, const struct kube_result *res)
{
	struct job *j = ctx;

	j->call = NULL;
	if (is_done(res))
		take(j, res, true);
	else if (res->status == 404)
		nodes_lost_record(j->p->o.nodes, j->name);
	else {
		finish(j, PUBLISH_FAILED, res->message);
		return;
	}
	finish(j, PUBLISH_CONFLICT, "the node's record was written by another replica meanwhile");
}

static void reread(struct job *j)
{
	char path[PATH_MAX_BYTES];

	path_of(path, RECORDS_PATH, j, "");
	send(j, "GET", 0, path, NULL, on_reread);
}

static void on_status(void *ctx, const struct kube_result *res)
{
	struct job *j = ctx;

	j->call = NULL;
	if (is_done(res)) {
		take(j, res, true);
		finish(j, PUBLISHED, "");
	} else if (is_conflict(res) || res->status == 404) {
		reread(j);
	} else {
		finish(j, PUBLISH_FAILED, res->message);
	}
}

static void write_status(struct job *j, const struct node *node)
{
	_cleanup_buf_ struct buf body = BUF_INIT(BODY_MAX);
	char path[PATH_MAX_BYTES];
	bool whole = j->kind == JOB_RECORD;

	path_of(path, RECORDS_PATH, j, "/status");
	buf_printf(&body,
		"{\"apiVersion\":\"casemate.dev/v1alpha1\",\"kind\":\"NodeAttestation\","
		"\"metadata\":{\"name\":\"%s\",\"resourceVersion\":",
		j->name);
	buf_json_string(&body, span_str(node->version));
	buf_puts(&body, "},\"status\":");
	if (whole)
		record_write(&body, &j->record, buf_view(&j->detail));
	else
		record_write_end(&body, &j->record, buf_view(&j->detail));
	buf_putc(&body, '}');
	send(j, whole ? "PUT" : "PATCH", KUBE_PATCH_MERGE, path, &body, on_status);
}

static void on_created(void *ctx, const struct kube_result *res)
{
	struct job *j = ctx;
	struct node *node;

	j->call = NULL;
	if (is_conflict(res)) {
		reread(j);
		return;
	}
	if (!is_done(res)) {
		finish(j, PUBLISH_FAILED, res->message);
		return;
	}
	take(j, res, true);
	node = nodes_find_any(j->p->o.nodes, j->name);
	if (node && node->recorded)
		write_status(j, node);
	else
		finish(j, PUBLISH_FAILED, "the API server's answer makes no sense");
}

static void create(struct job *j, const struct node *node)
{
	_cleanup_buf_ struct buf body = BUF_INIT(BODY_MAX);

	buf_printf(&body,
		"{\"apiVersion\":\"casemate.dev/v1alpha1\",\"kind\":\"NodeAttestation\","
		"\"metadata\":{\"name\":\"%s\",\"labels\":{\"app.kubernetes.io/"
		"part-of\":\"casemate\"},"
		"\"ownerReferences\":[{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"name\":\"%s\","
		"\"uid\":",
		j->name, j->name);
	buf_json_string(&body, span_str(node->seen.uid));
	buf_puts(&body, "}]}}");
	send(j, "POST", 0, RECORDS_PATH, &body, on_created);
}

static void on_removed(void *ctx, const struct kube_result *res)
{
	struct job *j = ctx;

	j->call = NULL;
	if (is_done(res) || res->status == 404)
		nodes_lost_record(j->p->o.nodes, j->name);
	else if (!is_conflict(res)) {
		finish(j, PUBLISH_FAILED, res->message);
		return;
	}
	finish(j, PUBLISH_CONFLICT, "the record of a node that is gone was removed");
}

/* Exactly the one that we know. */
static void remove_record(struct job *j, const struct node *node)
{
	_cleanup_buf_ struct buf body = BUF_INIT(BODY_MAX);
	char path[PATH_MAX_BYTES];

	path_of(path, RECORDS_PATH, j, "");
	buf_puts(&body,
		"{\"apiVersion\":\"v1\",\"kind\":\"DeleteOptions\",\"preconditions\":{\"uid\":");
	buf_json_string(&body, span_str(node->uid));
	buf_puts(&body, "}}");
	send(j, "DELETE", 0, path, &body, on_removed);
}

int publish_record(struct publisher *p, struct node *node, const struct record *r,
	struct span detail, publish_done done, void *ctx, struct error *err)
{
	struct job *j = job_new(p, node, JOB_RECORD);

	if (!j)
		return error_oom(err);
	if (buf_span(&j->detail, detail) < 0) {
		job_free(j);
		return error_oom(err);
	}
	j->record = *r;
	j->done = done;
	j->ctx = ctx;
	if (!node->recorded)
		create(j, node);
	else if (strcmp(node->owner_uid, node->seen.uid) != 0)
		remove_record(j, node); /* of the node before, which had this name */
	else
		write_status(j, node);
	return 0;
}

static bool may_end(const struct node *node)
{
	return !node->ending && !node->judging && clock_monotonic_usec() >= node->retry_usec;
}

void publish_end(struct publisher *p, struct node *node, const struct record *r)
{
	publish_turn(p, node, r, SPAN_NONE);
}

void publish_turn(
	struct publisher *p, struct node *node, const struct record *r, struct span detail)
{
	struct job *j = may_end(node) ? job_new(p, node, JOB_END) : NULL;

	if (!j)
		return;
	if (buf_span(&j->detail, detail) < 0) {
		job_free(j);
		return;
	}
	j->record = *r;
	write_status(j, node);
}

void publish_removal(struct publisher *p, struct node *node)
{
	struct job *j = may_end(node) ? job_new(p, node, JOB_REMOVAL) : NULL;

	if (j)
		remove_record(j, node);
}

/*
 * Node
 */

static void mark(struct job *j);

static void on_node_reread(void *ctx, const struct kube_result *res)
{
	struct job *j = ctx;

	j->call = NULL;
	if (!is_done(res)) {
		finish(j, res->status == 404 ? PUBLISHED : PUBLISH_FAILED, res->message);
		return;
	}
	take(j, res, false);
	mark(j);
}

static void on_marked(void *ctx, const struct kube_result *res)
{
	struct job *j = ctx;
	char path[PATH_MAX_BYTES];

	j->call = NULL;
	if (is_done(res)) {
		take(j, res, false);
		mark(j); /* the taint, if that is not as it should be either */
	} else if (is_conflict(res)) {
		path_of(path, NODES_PATH, j, "");
		send(j, "GET", 0, path, NULL, on_node_reread);
	} else {
		finish(j, res->status == 404 ? PUBLISHED : PUBLISH_FAILED, res->message);
	}
}

static void mark(struct job *j)
{
	struct node *node = nodes_find(j->p->o.nodes, j->name);
	int64_t now_sec = clock_unix_usec() / USEC_PER_SEC;
	_cleanup_buf_ struct buf body = BUF_INIT(BODY_MAX);
	char path[PATH_MAX_BYTES];
	struct marks want;

	if (!node) {
		finish(j, PUBLISHED, "");
		return;
	}
	if (j->tries++ == TRIES_MAX) {
		finish(j, PUBLISH_FAILED, "somebody else keeps changing the Node");
		return;
	}
	marks_of(&want, &node->record, &node->seen, now_sec, j->p->o.taint);
	if (!marks_in_place(&node->seen, &want)) {
		marks_patch(&body, &node->seen, &want, now_sec);
		path_of(path, NODES_PATH, j, "/status");
		send(j, "PATCH", KUBE_PATCH_STRATEGIC, path, &body, on_marked);
	} else if (!marks_taint_in_place(&node->seen, &want)) {
		marks_taint_patch(&body, &node->seen, &want);
		path_of(path, NODES_PATH, j, "");
		send(j, "PATCH", KUBE_PATCH_JSON, path, &body, on_marked);
	} else {
		finish(j, PUBLISHED, "");
	}
}

void publish_marks(struct publisher *p, struct node *node, int64_t now_sec)
{
	struct marks want;
	struct job *j;

	marks_of(&want, &node->record, &node->seen, now_sec, p->o.taint);
	if (node->marking || clock_monotonic_usec() < node->retry_usec ||
		(marks_in_place(&node->seen, &want) && marks_taint_in_place(&node->seen, &want)))
		return;
	j = job_new(p, node, JOB_MARKS);
	if (j)
		mark(j);
}

void publish_event(struct publisher *p, const struct node *node, bool warning, const char *reason,
	const char *note)
{
	const struct kube_object_ref ref = {
		.api_version = "v1",
		.kind = "Node",
		.namespace_ = "",
		.name = node->name,
		.uid = node->seen.uid,
	};

	if (p->o.events)
		kube_event(
			p->o.events, &ref, warning ? "Warning" : "Normal", reason, "Attest", note);
}

int publisher_new(struct publisher **ret_p, const struct publisher_options *o, struct error *err)
{
	struct publisher *p = calloc(1, sizeof(*p));

	if (!p)
		return error_oom(err);
	p->o = *o;
	*ret_p = p;
	return 0;
}

unsigned publisher_busy(const struct publisher *p)
{
	return p->n;
}

void publisher_free(struct publisher *p)
{
	if (!p)
		return;
	while (!LIST_EMPTY(&p->jobs))
		job_free(LIST_FIRST(&p->jobs));
	free(p);
}
