/* SPDX-License-Identifier: Apache-2.0
 *
 * The API server, from a program's point of view: credentials (in-cluster, kubeconfig), requests,
 * retries. On the loop's thread only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "common/base/cleanup.h"
#include "common/base/error.h"
#include "common/base/span.h"
#include "common/observe/metrics.h"

struct kube_client;

struct kube_client_options {
	const char *kubeconfig;  /* file; "" or NULL: the Pod's service account */
	const char *service_account_dir; /* NULL: /var/run/secrets/kubernetes.io/serviceaccount */
	/* Counter <prefix>_api_requests_total with the labels method and code (HTTP status, or
	 * "error" when none came); NULL: none. Counts each try. */
	struct metric *requests;
	const char *user_agent;
};

/* -ENOENT with advice when there is neither. kubeconfig: server, certificate-authority(-data),
 * client-certificate/key(-data), token, tokenFile, current-context, namespace; exec plugins are
 * refused by name. Token files are read again every minute and after a 401. */
int kube_client_new(struct kube_client **ret_c, sd_event *event,
	const struct kube_client_options *o, struct error *err);
/* Cancels what is under way, without callbacks. Watches and recorders must be gone. */
void kube_client_free(struct kube_client *c);
DEFINE_CLEANUP(struct kube_client *, kube_client_free)

/* The namespace of the credentials, "default" when they name none. */
const char *kube_client_namespace(const struct kube_client *c);
sd_event *kube_client_event(const struct kube_client *c); /* borrowed */

enum kube_patch { KUBE_PATCH_JSON, KUBE_PATCH_MERGE, KUBE_PATCH_STRATEGIC, KUBE_PATCH_APPLY };

struct kube_result {
	int status;         /* HTTP; 0 when the API server did not answer */
	int code;           /* 0: a complete response, of whatever status; else http_result's */
	const char *reason; /* Status.reason ("NotFound", "Conflict", …) or "" */
	const char *message; /* for people: Status.message or the transport's error; "" on success */
	struct span body;   /* JSON, valid during the callback */
};
typedef void (*kube_done)(void *ctx, const struct kube_result *res);

enum { KUBE_RESPONSE_MAX = 16 * 1024 * 1024 }; /* bytes, unless a request says otherwise */

struct kube_request {
	const char *method; /* GET, POST, PUT, PATCH, DELETE; a literal */
	const char *path;   /* "/api/v1/namespaces/x/secrets/y?fieldManager=…" */
	enum kube_patch patch; /* for PATCH */
	struct span body;   /* JSON; copied */
	int64_t timeout_usec; /* 0: 10 s */
	size_t max_response;  /* bytes; 0: KUBE_RESPONSE_MAX */
	/* 429 and 5xx with Retry-After, and a lost connection for GET, are tried again within
	 * timeout_usec with jittered backoff. */

	/* A stream (watch): data as in http_call_options, with the ctx of done. Then nothing but a
	 * 401 is tried again, and timeout_usec 0 means none. */
	bool (*data)(void *ctx, struct span chunk);
	int64_t idle_usec; /* no byte for this long ends the call; 0: none */
};

struct kube_call;
/* No callback runs before this returns; done runs exactly once unless cancelled. ret_call: for
 * kube_cancel until done runs; NULL allowed. */
int kube_call(struct kube_client *c, const struct kube_request *req, kube_done done, void *ctx,
	struct kube_call **ret_call, struct error *err);
/* No callback after this. At any time, also from inside callbacks; NULL allowed. */
void kube_cancel(struct kube_call *call);
