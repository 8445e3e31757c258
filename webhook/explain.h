/* SPDX-License-Identifier: Apache-2.0
 *
 * Why would this key be released, or not? What the broker would look at, from the API server or
 * from files, and what becomes of each of its rules. For the command `key explain`. */
#pragma once

#include "common/kbs/key_id.h"
#include "webhook/broker/grant.h"
#include "webhook/config.h"
#include "webhook/evidence_file.h"
#include "webhook/verifier/record.h"

enum { EXPLAIN_FINDINGS_MAX = GRANT_FINDINGS_MAX + 4 };

struct explain_options {
	struct evidence_file_options file;   /* evidence "": the node's verdict stands for it */
	const char *config;                  /* the broker's; "": defaults, the strictest */
	const char *profiles_dir;            /* "": from the API server */
	const char *kubeconfig, *namespace_; /* of the API server, and Casemate's */
	const char *pod;                     /* "NAMESPACE/NAME"; "": none */
	const char *container;               /* "": the only one that asks for keys */
	const char *service_account;         /* whose token comes with the evidence; "": none */
	bool json;
};

struct explanation {
	const struct explain_options *o;
	struct arena arena;
	struct key_id id;
	struct webhook_config *config;
	sd_event *event;
	struct kube_client *kube; /* NULL: profiles are files and there is no pod */
	struct profile_set *profiles;
	struct json pod, record;
	struct evidence_file file;
	struct proven proven;
	bool has_proven;
	struct requester who;
	struct deny *denied;
	int64_t now_sec;
	struct grant_finding v[EXPLAIN_FINDINGS_MAX];
	size_t n;
};

/* Looks up and judges. x is zero before but for file (EVIDENCE_FILE_INIT) and arena. -EINVAL: the
 * options; or what could not be looked up. explanation_free() in any case. */
int explain(
	struct explanation *x, const struct explain_options *o, const char *key, struct error *err);
/* The reason of the first finding that fails; Ok: the key would be released. */
enum reason explanation_reason(const struct explanation *x);
void explanation_free(struct explanation *x);

/* Private to it: explain_look.c fills config, profiles, pod, record, who and denied. */
int explain_look(struct explanation *x, struct error *err);
/* The node's record and what it proves; findings of it. */
int explain_node(struct explanation *x, struct error *err);
/* A finding of what the broker looks at beside the rules of grant_decide(). reason Ok: it holds;
 * state: of one that could not be judged. -ENOMEM. */
int explain_found(struct explanation *x, const char *rule, enum grant_state state,
	enum reason reason, const char *message);
