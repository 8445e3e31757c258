/* SPDX-License-Identifier: Apache-2.0
 *
 * What the commands `uninstall` of both daemons share: the workload is ended first, or it would put
 * right again what is taken away; then what it wrote into others' objects is taken from each. */
#pragma once

#include "common/kube/sync.h"

struct uninstall {
	const char *program; /* "casemate-webhook"; also the user agent's name */
	const char *command; /* "uninstall" */
	const char *kind;  /* of the workload, in lower case: "deployment"; its option's name too */
	const char *name;  /* the workload's, unless told otherwise */
	const char *who;   /* as a person calls it: "the verifier" */
	const char *about; /* the sentences of --help */
	const char *objects; /* the collection's path: "/api/v1/nodes" */
	/* Takes from one of them what is to go; see kube_sync_each(). */
	int (*clean)(void *ctx, struct kube_sync *c, struct json_val object, struct error *err);
};

/* Reads the flags, ends the workload, cleans every object. Returns the exit code
 * (common/base/command.h); what went wrong is on standard error. */
int uninstall_command(const struct uninstall *u, int argc, char **argv);
