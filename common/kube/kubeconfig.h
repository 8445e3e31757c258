/* SPDX-License-Identifier: Apache-2.0
 *
 * The part of a kubeconfig file (client.authentication and clientcmd v1) that its current context
 * selects. Whatever would change who we are or whom we trust and is not supported is refused, never
 * skipped. */
#pragma once

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/span.h"

enum { KUBECONFIG_MAX = 1024 * 1024 /* bytes of the file and of each file it names */ };

/* Strings are owned, "" when absent. Of each pair of data and file at most one is set; file names
 * are as written (kubeconfig_path). */
struct kubeconfig {
	char *server;    /* "https://host:port/base", without '/' at the end */
	char *namespace_;
	char *ca_pem, *ca_file;
	char *cert_pem, *cert_file;
	char *key_pem, *key_file;
	char *token, *token_file;
};

/* name (the file's) begins each message, with line and column. -EBADMSG: not a kubeconfig;
 * -ENOENT: what a name refers to is missing; -EOPNOTSUPP: not supported, with what to use instead;
 * -EINVAL: it contradicts itself or would send a token unprotected. */
int kubeconfig_parse(
	struct kubeconfig *ret_k, struct span text, const char *name, struct error *err);
void kubeconfig_free(struct kubeconfig *k); /* cleanses; the struct is zero afterwards */
#define _cleanup_kubeconfig_ _cleanup_(kubeconfig_free)

/* A file named inside the kubeconfig at config_file: relative to the folder of that. For free();
 * NULL: no memory. */
char *kubeconfig_path(const char *config_file, const char *file);

/* "https://host:port", an IPv6 address in brackets; for free(). -EINVAL: no host and port. */
int kubeconfig_in_cluster_url(char **ret_url, const char *host, const char *port, struct error *err);
