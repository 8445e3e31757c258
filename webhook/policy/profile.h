/* SPDX-License-Identifier: Apache-2.0
 *
 * EnclaveProfile (casemate.dev/v1alpha1): read from JSON, checked against the cluster's policy, and
 * looked up by name or by the pod's labels. A set is immutable and reference-counted: readers hold
 * one while the watch builds the next. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/base/json.h"
#include "common/tee/reason.h"
#include "webhook/policy/config.h"
#include "webhook/policy/tee.h"

enum quote_mode { QUOTE_UNSET, QUOTE_NONE, QUOTE_AESM, QUOTE_IN_PROCESS };
enum access_kind { ACCESS_EXEC, ACCESS_ATTACH, ACCESS_PORT_FORWARD, ACCESS_EPHEMERAL, ACCESS_N };

/* "none", "aesm", "in-process"; QUOTE_UNSET when s is none of them. */
enum quote_mode quote_mode_parse(struct span s);

struct profile_workload { /* one container of spec.workload */
	const char *name;
	struct strings image_digests; /* "sha256:…" */
};

struct profile {
	const char *namespace_, *name, *uid;
	int64_t generation;
	struct json_val object, spec; /* of the set's own copy of the text */
	bool valid;
	enum reason reason; /* when not valid */
	const char *message; /* names the field; "" when valid */
	enum tee tee;
	const char *runtime_class; /* "" : the TEE's own */
	int64_t epc_default, epc_max; /* bytes; 0: unset */
	enum quote_mode quote;     /* QUOTE_UNSET: silent */
	bool allow_in_process;
	bool access[ACCESS_N];     /* true: Allow */
	const struct profile_workload *workload;
	size_t n_workload;
	bool has_selector;
};

/* Checks every field of api.md, also those that only attestation and keys will act on: types,
 * enums, quantities, digests, names, unknown fields; and that it only narrows config. Fills ret_p
 * from object (memory from a, strings copied). Not valid is no failure: ret_p says so. Only
 * -ENOMEM fails. */
int profile_read(struct profile *ret_p, struct json_val object, const struct policy_config *config,
	struct arena *a);

struct profile_set;

/* objects: EnclaveProfile documents (JSON text each), copied; namespaces: those labelled
 * casemate.dev/confidential=enabled (profiles elsewhere are NamespaceNotEnabled). all_enabled:
 * standalone, where every namespace with a profile counts as enabled. One reference. A text that
 * cannot be read becomes an invalid profile without a name, so that it takes no other away. -E2BIG,
 * -EEXIST (two of one name), -ENOMEM. */
int profile_set_new(struct profile_set **ret_s, const struct span *objects, size_t n,
	const struct span *namespaces, size_t n_namespaces, bool all_enabled,
	const struct policy_config *config, struct error *err);
struct profile_set *profile_set_ref(struct profile_set *s); /* thread-safe */
void profile_set_unref(struct profile_set *s);              /* NULL allowed */

bool profile_set_namespace_enabled(const struct profile_set *s, struct span namespace_);
size_t profile_set_count(const struct profile_set *s);
const struct profile *profile_set_at(const struct profile_set *s, size_t i);

/* By name; NULL when there is none. */
const struct profile *profile_find(const struct profile_set *s, struct span namespace_,
	struct span name);
/* Has any profile of the namespace a podSelector? */
bool profile_set_selects(const struct profile_set *s, struct span namespace_);
/* The profile (valid or not) whose podSelector matches labels (a JSON object or missing). NULL:
 * none, or a namespace that is not enabled. *ret_other: a second one that matches too, which is a
 * refusal naming both; else NULL. */
const struct profile *profile_match(const struct profile_set *s, struct span namespace_,
	struct json_val labels, const struct profile **ret_other);
