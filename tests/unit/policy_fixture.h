/* SPDX-License-Identifier: Apache-2.0
 *
 * What the tests of policy share: the default configuration, pods and profiles from JSON written
 * with ' instead of ", and a mutation that is checked from every side. */
#pragma once

#include "common/base/arena.h"
#include "webhook/policy/policy.h"

struct fixture {
	struct arena a;
	struct policy_config config;
	struct policy_request rq; /* CREATE of a Pod in namespace "shop", which is enabled */
	struct profile_set *profiles;
	struct fixture_doc *docs;
	bool failed; /* a helper ran out of memory or was given bad JSON */
};

void fixture_init(struct fixture *f);
void fixture_free(struct fixture *f);
#define _cleanup_fixture_ _cleanup_(fixture_free)

/* fmt with ' replaced by ". */
struct span fixture_text(struct fixture *f, const char *text);

/* Parsed; lives as long as f. */
struct json_val fixture_json(struct fixture *f, struct span text);
struct json_val fixture_quoted(struct fixture *f, const char *text);

/* Replaces f's profiles; texts as fixture_text takes them, NULL-terminated. */
void fixture_profiles(struct fixture *f, const char *const *texts);

/* doc with the patch (a document, or one that was built) applied. */
struct json_val fixture_apply_text(struct fixture *f, struct json_val doc, struct span patch);
struct json_val fixture_apply(struct fixture *f, struct json_val doc, const struct patch *patch);

/* The same value with the members of every object in the opposite order. */
struct json_val fixture_reversed(struct fixture *f, struct json_val doc);

/* A pod (or template) after another webhook was at it: labels, an app container, environment
 * variables in front, none of them Casemate's. */
struct json_val fixture_foreign(struct fixture *f, struct json_val pod);

/* A pod with unknown fields in spec, every container and (if it is there) metadata. */
struct json_val fixture_unknown(struct fixture *f, struct json_val pod, bool metadata);

/* One row of a table about policy_mutate. */
struct mutate_row {
	const char *name;
	void (*tweak)(struct policy_config *); /* NULL: the default configuration */
	const char *const *profiles;           /* NULL: none */
	const char *pod;
	enum reason reason;
	const char *want;  /* mutated: the whole pod; refused: part of the message; NULL: the pod
			      as it came */
	const char *warns; /* part of a warning; NULL: there is none at all */
	bool refused;
	bool not_enabled; /* the namespace */
};

/* Tweaks: kata-sgx is accepted for sgx, kata-cc for tdx and snp; simulated TEEs are allowed. */
void fixture_accept_classes(struct policy_config *c);
void fixture_simulate(struct policy_config *c);

/* Runs each row: as it is, as a template, with keys reversed, with unknown fields; and what comes
 * out once more, also after foreign changes, when nothing may be left to do. */
void fixture_mutate(const struct mutate_row *rows, size_t n);
#define RUN(rows) fixture_mutate((rows), ARRAY_SIZE(rows))
