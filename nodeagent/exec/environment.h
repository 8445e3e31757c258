/* SPDX-License-Identifier: Apache-2.0
 *
 * The variables of an environment whose values name keys ("casemate://PROFILE/KEY", and for a guest
 * also "kbs:///NAMESPACE/PROFILE/KEY", the whole value), and the environment with the keys in their
 * place. Pure. */
#pragma once

#include "common/base/error.h"
#include "common/base/secret.h"
#include "common/base/span.h"
#include "common/kbs/delivery.h"
#include "common/kbs/key_id.h"

enum { EXEC_VARIABLES_MAX = 64 /* that name keys */ };

struct exec_variable {
	size_t at;          /* in the environment */
	struct span name;   /* part of it, as the keys below */
	size_t key;         /* of the keys */
	struct secret text; /* "NAME=KEY", once filled */
};

/* Zero-initialise. */
struct exec_environment {
	bool resources; /* set beforehand: values "kbs:///…" name keys, too */
	struct exec_variable variables[EXEC_VARIABLES_MAX];
	size_t n;
	struct span
		keys[DELIVERY_KEYS_MAX]; /* "PROFILE/KEY" or "NAMESPACE/PROFILE/KEY", each once */
	size_t n_keys;
};

/* What env (NULL-terminated, "NAME=VALUE") asks for. -EINVAL: a variable names no key; -E2BIG. The
 * message names the variable, never a value that is no key's name. */
int exec_environment_read(struct exec_environment *ret, char *const *env, struct error *err);
/* The first variable that wants keys[key]. */
struct span exec_environment_variable(const struct exec_environment *e, size_t key);
/* The whole name of one of the keys; "PROFILE/KEY" is in namespace_ (NULL or "": not known).
 * -EINVAL: no name, or none without a namespace, which setting can give. */
int exec_key_id(struct key_id *ret, struct span key, const char *namespace_, const char *setting,
	struct error *err);
/* Puts the keys (one secret for each of e's keys) into env, whose strings then belong to e.
 * -EILSEQ: a key that cannot be the value of a variable; env is as it was then. */
int exec_environment_fill(
	struct exec_environment *e, char **env, const struct secret *keys, struct error *err);
void exec_environment_free(struct exec_environment *e); /* cleanses */
#define _cleanup_exec_environment_ _cleanup_(exec_environment_free)
