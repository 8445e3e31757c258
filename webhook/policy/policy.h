/* SPDX-License-Identifier: Apache-2.0
 *
 * Admission policy: pure functions of (configuration, profiles, request). The same ones serve
 * HTTPS, the offline review, the broker's second look and the fuzzers. */
#pragma once

#include <stdbool.h>

#include "common/base/arena.h"
#include "common/base/json.h"
#include "common/tee/reason.h"
#include "webhook/admission/patch.h"
#include "webhook/policy/config.h"
#include "webhook/policy/profile.h"
#include "webhook/policy/verdicts.h"

enum operation { OP_CREATE, OP_UPDATE, OP_DELETE, OP_CONNECT, OP_N };

struct policy_request {
	const struct policy_config *config;
	const struct profile_set *profiles; /* NULL: none known */
	/* What the verifier found; NULL: nobody looks at it (no verifier, or offline). */
	const struct verdicts *verdicts;
	int64_t now_sec; /* Unix; looked at only with verdicts */
	enum operation operation;
	struct span kind;        /* "Pod", "Deployment", "PodExecOptions", … */
	struct span subresource; /* "", "ephemeralcontainers", "exec", … */
	struct span namespace_;
	bool namespace_enabled;  /* labelled casemate.dev/confidential=enabled */
	struct json_val user;    /* userInfo; missing offline */
	struct json_val object, old_object;
};

enum { POLICY_WARNINGS_MAX = 16 };

struct policy_result {
	enum { VERDICT_PASSED, VERDICT_MUTATED, VERDICT_REFUSED } verdict;
	enum reason reason;
	const char *message; /* of a refusal: what is wrong, where, what to change */
	const char *warnings[POLICY_WARNINGS_MAX]; /* each at most 256 bytes; duplicates dropped */
	size_t n_warnings;
	enum tee tee;        /* what the pod is */
};

/* Strings of results live in the arena that the calls are given. */
void policy_warn(struct policy_result *res, struct arena *a, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Sets verdict, reason and message; returns 0, so that callers can return it. */
int policy_refuse(struct policy_result *res, struct arena *a, enum reason reason, const char *fmt,
	...) __attribute__((format(printf, 4, 5)));

/* A pod's creation (or a pod template, with prefix "/spec/template"): fills patch with the smallest
 * change that makes rq->object what it asks to be. Applied twice, the second patch is empty,
 * whatever happened in between to fields that are not Casemate's. Returns 0 (see res) or -ENOMEM;
 * patch is empty unless res says MUTATED. */
int policy_mutate(const struct policy_request *rq, const char *prefix, struct arena *a,
	struct patch *patch, struct policy_result *res);

/* The final object: everything policy promised is there, nothing forbidden is. Pods (CREATE and
 * UPDATE, with old object, and the ephemeralcontainers and resize subresources) and workloads
 * (warnings only, never refused). */
int policy_validate(const struct policy_request *rq, struct arena *a, struct policy_result *res);

/* What would become of a pod (or pod template, as its pod) that is created: policy_mutate at the
 * root, then the checks of policy_validate on the outcome. For those who ask beforehand. */
int policy_foresee(const struct policy_request *rq, struct arena *a, struct patch *patch,
	struct policy_result *res);

/* exec, attach, portforward, proxy (CONNECT): pod is the live pod. */
int policy_access(const struct policy_request *rq, struct json_val pod, struct arena *a,
	struct policy_result *res);

/* What makes a pod confidential is read from its immutable spec: class, resources, node selector.
 * TEE_NONE: an ordinary pod. */
enum tee policy_confidential(const struct policy_config *config, struct json_val pod);

/* Where the pod template of a workload is: "/spec/template", "/spec/jobTemplate/spec/template", or
 * NULL when kind is no workload that makes pods ("" for Pod itself). */
const char *policy_template_prefix(struct span kind);
struct json_val policy_template(struct span kind, struct json_val object);

/* Left alone: the mirror of a static pod, when the user is the kubelet of its own node. */
bool policy_is_mirror(const struct policy_request *rq);
