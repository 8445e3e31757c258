/* SPDX-License-Identifier: Apache-2.0
 *
 * What the cluster's owner decided about confidential pods. Plain data, read once, then const. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/settings.h"
#include "webhook/policy/tee.h"

struct label {
	const char *key, *value;
};

/* The RuntimeClass of one TEE. */
struct tee_class {
	const char *name;        /* "" : not configured, pods that ask for this TEE are refused */
	struct strings accepted; /* other classes a user may name himself for this TEE */
	const struct label *node_selector; /* written into the pod too; n_node_selector of them */
	size_t n_node_selector;
};

struct namespace_limit {
	const char *namespace_;
	int64_t epc_max; /* bytes a container */
};

enum class_conflict { CLASS_REPLACE, CLASS_REFUSE };
enum in_process { IN_PROCESS_NEVER, IN_PROCESS_PROFILE, IN_PROCESS_ALWAYS };
enum vendor_mode { VENDOR_FULL, VENDOR_DEVICES_ONLY };
enum aesm_mount { AESM_RESOURCE, AESM_HOST_PATH };

struct policy_config {
	bool allow_simulated;     /* every TEE maps to casemate-simulated-<tee> */
	bool allow_debug;         /* profiles may accept TEEs in debug mode */
	bool require_attestation; /* false: no class selects a verdict by default */
	bool require_verdicts;    /* no creation while no node's verdict is good for the TEE */
	struct tee_class classes[TEE_N];   /* the real ones, [TEE_NONE] unused */
	struct tee_class simulated[TEE_N]; /* casemate-simulated-<tee>, of simulated nodes */
	int class_conflict;       /* enum class_conflict: a user's class that is not accepted */
	int64_t epc_max;          /* bytes a container; 0: no maximum */
	struct namespace_limits {
		const struct namespace_limit *v;
		size_t n;
	} namespace_limits;
	int in_process;           /* enum in_process: who may hold the provision device */
	int vendor_mode;          /* enum vendor_mode */
	bool vendor_in_process;   /* vendors' pods may, with a warning */
	int aesm_mount;           /* enum aesm_mount */
	struct strings break_glass_groups; /* may enter confidential pods */
	struct {
		const char *kbs_url; /* where confidential VMs find the broker; "": not said */
		const char *kbs_ca;  /* who signed its certificate: PEM, as pem_write() writes it */
	} guests;
};

/* The class that a TEE maps to under this configuration: simulated or real. */
static inline const struct tee_class *policy_class(const struct policy_config *c, enum tee t)
{
	return c->allow_simulated ? &c->simulated[t] : &c->classes[t];
}

/* The settings of the above, for the daemon's table; offsets are relative to struct policy_config.
 * Keys: allowSimulated; runtimeClasses.{requireAttestation,onOther}; runtimeClasses.<tee>.{name,
 * accepted,nodeSelector}; epc.{max,namespaces}; quote.inProcess; vendorPods.{mode,allowInProcess};
 * aesm.mount; access.breakGlassGroups; guests.{kbsUrl,kbsCa}. */
extern const struct setting policy_settings[];
extern const size_t n_policy_settings;

/* Derives what depends on several settings (the simulated classes, selectors under
 * requireAttestation) and checks them against each other (a class that names two TEEs, …). After
 * settings_read. */
int policy_config_finish(struct policy_config *c, struct arena *a, struct error *err);

/* Everything at its default; for tests and for `review` without a file. */
int policy_config_default(struct policy_config *c, struct arena *a, struct error *err);
