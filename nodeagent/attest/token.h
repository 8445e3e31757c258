/* SPDX-License-Identifier: Apache-2.0
 *
 * What a projected token, the agent's or a pod's, says about itself (RFC 7519; Kubernetes' private claims
 * kubernetes.io.node, ServiceAccountTokenPodNodeInfo, on by default from 1.30 on). Read without
 * checking the signature: whoever the token is shown to checks it. */
#pragma once

#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/base/span.h"

enum { TOKEN_MAX = 16 << 10 /* bytes */ };

struct token_claims {
	char node[254], node_uid[64];
	int64_t expires; /* Unix seconds */
};

/* -EBADMSG: no such token, or one without the node's name and UID; never quotes the token. */
int token_claims_read(struct token_claims *ret, struct span token, struct error *err);

/* What a pod's token says: whose it is. */
struct token_pod {
	char namespace_[64], pod[254], pod_uid[64], service_account[254];
	int64_t issued, expires; /* Unix seconds */
};
/* As above; -EBADMSG also for a token that is bound to no pod. */
int token_pod_read(struct token_pod *ret, struct span token, struct error *err);

/* token_claims_read() of a file; the token without its line end is in m. Errors name the file. */
int token_load(struct token_claims *ret, struct span *ret_token, const char *path, struct arena *m,
	struct error *err);
