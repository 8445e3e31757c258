/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/admission/review.h"

#include <errno.h>

enum {
	ARENA_MAX = 32 * 1024 * 1024,
	PATCH_MAX = 4 * 1024 * 1024,
	KEEP_MAX  = 256 * 1024, /* memory that a scratch keeps between reviews */
};

static const char *const operation_names[OP_N] = {
	[OP_CREATE] = "CREATE",
	[OP_UPDATE] = "UPDATE",
	[OP_DELETE] = "DELETE",
	[OP_CONNECT] = "CONNECT",
};

const struct json_limits review_limits = {
	.max_bytes = REVIEW_BODY_MAX,
	.max_nodes = REVIEW_NODES_MAX,
	.max_depth = REVIEW_DEPTH_MAX,
};

void review_scratch_init(struct review_scratch *s)
{
	*s = (struct review_scratch){
		.arena = ARENA_INIT(ARENA_MAX),
		.patch = PATCH_INIT(PATCH_MAX),
		.text = BUF_INIT(PATCH_MAX),
	};
}

void review_scratch_reset(struct review_scratch *s)
{
	if (s->doc.cap * sizeof(*s->doc.nodes) + s->pod.cap * sizeof(*s->pod.nodes) +
			s->arena.used + s->patch.ops.cap + s->text.cap >
		KEEP_MAX) {
		review_scratch_free(s);
		return;
	}
	arena_reset(&s->arena);
	patch_reset(&s->patch);
	buf_reset(&s->text);
}

void review_scratch_free(struct review_scratch *s)
{
	json_free(&s->doc);
	json_free(&s->pod);
	arena_free(&s->arena);
	patch_free(&s->patch);
	buf_free(&s->text);
	review_scratch_init(s);
}

const char *review_webhook_name(enum review_webhook w)
{
	return w == REVIEW_MUTATE ? "mutate" : "validate";
}

const char *review_operation_name(enum operation op)
{
	return op < OP_N ? operation_names[op] : "unknown";
}

const char *review_verdict_name(const struct review_outcome *o)
{
	static const char *const names[] = {
		[VERDICT_PASSED] = "passed",
		[VERDICT_MUTATED] = "mutated",
		[VERDICT_REFUSED] = "refused",
	};

	return o->status == 200 ? names[o->result.verdict] : "error";
}

/* Not an answer to a review but to a request that is none: an HTTP error with a Status, as the API
 * server itself would give it. */
static void answer_error(struct buf *out, struct review_outcome *o, int status, enum reason reason,
	const char *message)
{
	o->status = status;
	o->result.verdict = VERDICT_REFUSED;
	o->result.reason = reason;
	o->result.message = message;
	buf_printf(out,
		"{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"reason\":\"%s\","
		"\"code\":%d,\"message\":",
		status == 400 ? "BadRequest" : "InternalError", status);
	buf_json_string(out, span_str(message));
	buf_puts(out, "}\n");
}

static void answer_warnings(struct buf *out, const struct policy_result *res)
{
	buf_puts(out, ",\"warnings\":[");
	for (size_t i = 0; i < res->n_warnings; i++) {
		buf_puts(out, i ? "," : "");
		buf_json_string(out, span_str(res->warnings[i]));
	}
	buf_putc(out, ']');
}

/* Why, for programs: by the name that does not change, and the two lines that go with it. */
static void answer_cause(struct review_scratch *s, struct buf *out, enum reason reason)
{
	const char *remedy = reason_remedy(reason);

	buf_reset(&s->text);
	buf_printf(&s->text, "%s%s%s", reason_explanation(reason), remedy[0] ? ": " : "", remedy);
	buf_printf(out, ",\"details\":{\"causes\":[{\"reason\":\"%s\",\"message\":",
		reason_name(reason));
	buf_json_string(out, buf_view(&s->text));
	buf_puts(out, "}]}");
}

/* The AdmissionReview of a decided review. The audit annotation carries the reason, so that an
 * audit log shows it without a parser for messages. */
static void answer(struct review_scratch *s, struct buf *out, struct review_outcome *o)
{
	const struct policy_result *res = &o->result;
	struct json_val uid = json_find(json_root(&s->doc), "request", "uid");

	buf_puts(out, "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\","
		      "\"response\":{\"uid\":");
	buf_span(out, json_raw(uid));
	if (res->verdict == VERDICT_REFUSED) {
		buf_puts(out, ",\"allowed\":false,\"status\":{\"status\":\"Failure\","
			      "\"reason\":\"Forbidden\",\"code\":403,\"message\":");
		buf_reset(&s->text);
		buf_printf(&s->text, "%s (%s)", res->message, reason_name(res->reason));
		buf_json_string(out, buf_view(&s->text));
		answer_cause(s, out, res->reason);
		buf_putc(out, '}');
	} else {
		buf_puts(out, ",\"allowed\":true");
	}
	if (res->verdict == VERDICT_MUTATED) {
		buf_reset(&s->text);
		patch_write(&s->patch, &s->text);
		o->patch_bytes = s->text.len;
		buf_puts(out, ",\"patchType\":\"JSONPatch\",\"patch\":\"");
		buf_base64(out, s->text.p, s->text.len);
		buf_putc(out, '"');
	}
	if (res->n_warnings)
		answer_warnings(out, res);
	if (res->reason != REASON_NotConfidential)
		buf_printf(out, ",\"auditAnnotations\":{\"reason\":\"%s\"}",
			reason_name(res->reason));
	buf_puts(out, "}}\n");
	if (s->text.err || out->err || s->patch.ops.err) {
		buf_reset(out);
		answer_error(out, o, 500, REASON_Internal, "the answer is too large");
	}
}

/* The pod that a proxy's name means, read as the API server reads it: NAME, NAME:PORT or
 * SCHEME:NAME:PORT. What is none of these is no pod's name either, and stays as it is. */
static struct span proxied_pod(struct span name)
{
	struct span pod = name;
	const char *colon = name.len ? memchr(name.p, ':', name.len) : NULL, *second;

	if (!colon)
		return name;
	pod.p = colon + 1;
	pod.len = name.len - (size_t)(pod.p - name.p);
	second = pod.len ? memchr(pod.p, ':', pod.len) : NULL;
	if (second)
		pod.len = (size_t)(second - pod.p);
	else
		pod = (struct span){name.p, (size_t)(colon - name.p)};
	return pod.len ? pod : name;
}

/* The envelope: what is asked, about what. NULL, or what is wrong with it. */
static const char *read_envelope(struct review_scratch *s, struct policy_request *rq,
	struct review_outcome *o)
{
	struct json_val root = json_root(&s->doc), request = json_get(root, "request");
	struct json_val operation = json_get(request, "operation");

	if (!json_str_is(json_get(root, "kind"), "AdmissionReview") ||
		!json_str_is(json_get(root, "apiVersion"), "admission.k8s.io/v1"))
		return "expected kind AdmissionReview of apiVersion admission.k8s.io/v1";
	if (!json_is_object(request) || !json_is_string(json_get(request, "uid")))
		return "request.uid is missing";
	for (rq->operation = 0; rq->operation < OP_N; rq->operation++)
		if (json_str_is(operation, operation_names[rq->operation]))
			break;
	o->operation = rq->operation;
	if (rq->operation == OP_N)
		return "request.operation must be CREATE, UPDATE, DELETE or CONNECT";
	rq->kind = o->kind = json_str(json_find(request, "kind", "kind"), &s->arena);
	if (!rq->kind.len)
		return "request.kind.kind is missing";
	rq->subresource = o->subresource = json_str(json_get(request, "subResource"), &s->arena);
	rq->object = json_get(request, "object");
	rq->old_object = json_get(request, "oldObject");
	rq->user = json_get(request, "userInfo");
	rq->namespace_ = json_str(json_get(request, "namespace"), &s->arena);
	if (!rq->namespace_.len)
		rq->namespace_ = json_str(json_find(rq->object, "metadata", "namespace"), &s->arena);
	o->namespace_ = rq->namespace_;
	o->name = json_str(json_get(request, "name"), &s->arena);
	if (!o->name.len)
		o->name = json_str(json_find(rq->object, "metadata", "name"), &s->arena);
	if (rq->operation == OP_CONNECT && span_is(rq->subresource, "proxy"))
		o->name = proxied_pod(o->name);
	o->user = json_str(json_get(rq->user, "username"), &s->arena);
	o->object = rq->object;
	o->dry_run = json_type(json_get(request, "dryRun")) == JSON_TRUE;
	return NULL;
}

static void fill_request(struct policy_request *rq, const struct review_context *ctx)
{
	rq->config = ctx->config;
	rq->profiles = ctx->profiles;
	rq->verdicts = ctx->verdicts;
	rq->now_sec = ctx->now_sec;
	rq->namespace_enabled = ctx->namespace_enabled ||
				(ctx->profiles && profile_set_namespace_enabled(ctx->profiles,
							  rq->namespace_));
}

static int decide(struct review_scratch *s, const struct review_context *ctx,
	struct policy_request *rq, struct review_outcome *o)
{
	struct policy_result *res = &o->result;

	if (rq->operation == OP_DELETE)
		return 0;
	if (rq->operation == OP_CONNECT) {
		o->needs_pod = ctx->webhook == REVIEW_VALIDATE;
		return 0;
	}
	if (!json_is_object(rq->object))
		return policy_refuse(res, &s->arena, REASON_Malformed,
			"request.object is missing: a review of %s carries the object",
			review_operation_name(rq->operation));
	if (ctx->webhook == REVIEW_VALIDATE)
		return policy_validate(rq, &s->arena, res);
	if (rq->operation != OP_CREATE || !span_is(rq->kind, "Pod") || rq->subresource.len)
		return 0;
	return policy_mutate(rq, "", &s->arena, &s->patch, res);
}

void review(struct review_scratch *s, const struct review_context *ctx, struct span body,
	struct buf *out, struct review_outcome *ret_o)
{
	struct policy_request rq = {0};
	struct error err = {0};
	const char *problem;
	char *message;

	*ret_o = (struct review_outcome){
		.status = 200,
		.operation = OP_N,
		.result = {.verdict = VERDICT_PASSED, .reason = REASON_NotConfidential},
	};
	if (json_parse(&s->doc, body, &ctx->limits, &err) < 0) {
		message = arena_printf(&s->arena, "the body is no AdmissionReview: %s", err.message);
		answer_error(out, ret_o, err.code == -ENOMEM ? 500 : 400, REASON_Malformed,
			message ? message : "out of memory");
		return;
	}
	problem = read_envelope(s, &rq, ret_o);
	if (problem) {
		answer_error(out, ret_o, 400, REASON_Malformed, problem);
		return;
	}
	fill_request(&rq, ctx);
	if (decide(s, ctx, &rq, ret_o) < 0) {
		buf_reset(out);
		answer_error(out, ret_o, 500, REASON_Internal, "out of memory");
		return;
	}
	if (!ret_o->needs_pod)
		answer(s, out, ret_o);
}

void review_connect(struct review_scratch *s, const struct review_context *ctx, struct span pod,
	const char *problem, struct buf *out, struct review_outcome *o)
{
	struct policy_request rq = {0};
	struct error err = {0};

	o->needs_pod = false;
	read_envelope(s, &rq, o);
	fill_request(&rq, ctx);
	if (pod.len && json_parse(&s->pod, pod, &review_limits, &err) < 0)
		problem = err.message;
	if (!pod.len || err.code) {
		policy_refuse(&o->result, &s->arena, REASON_PodUnknown,
			"pod " SPAN_FMT "/" SPAN_FMT " could not be looked up, so whether it may be "
			"entered is unknown: %s",
			SPAN_ARG(o->namespace_), SPAN_ARG(o->name), problem);
	} else if (policy_access(&rq, json_root(&s->pod), &s->arena, &o->result) < 0) {
		answer_error(out, o, 500, REASON_Internal, "out of memory");
		return;
	}
	answer(s, out, o);
}
