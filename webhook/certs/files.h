/* SPDX-License-Identifier: Apache-2.0
 *
 * A certificate and its key from two files, for certs.c: looked at when they or their folders
 * change (Kubernetes swaps a link), and once a minute in case that went unnoticed. With the file of
 * the authority a new pair is served only once the API server trusts it (keeper.h), and one that
 * it never will is refused. */
#pragma once

#include "webhook/certs/certs.h"
#include "webhook/certs/serving.h"

struct files;

/* kube (NULL without o->ca_file) and serving are borrowed. */
int files_new(struct files **ret_f, sd_event *event, struct kube_client *kube,
	const struct certs_options *o, struct serving *serving, struct error *err);
void files_free(struct files *f); /* NULL allowed */
DEFINE_CLEANUP(struct files *, files_free)
