/* SPDX-License-Identifier: Apache-2.0
 *
 * The messages of ocicrypt's key provider protocol (keyprovider.KeyProviderService of
 * github.com/containers/ocicrypt): JSON, alone for a provider that is a command, and as the one
 * field of a protobuf message for one that is a gRPC service. What is wrapped stays in struct
 * secret. */
#pragma once

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/secret.h"
#include "common/base/span.h"

#define KEYPROVIDER_PATH_WRAP   "/keyprovider.KeyProviderService/WrapKey"
#define KEYPROVIDER_PATH_UNWRAP "/keyprovider.KeyProviderService/UnWrapKey"

enum {
	KEYPROVIDER_MAX = 64 << 10,        /* bytes of a message */
	KEYPROVIDER_OPTIONS_MAX = 4 << 10, /* bytes of a layer's private options */
	KEYPROVIDER_RECIPIENT_MAX = 512,   /* with NUL */
};

enum keyprovider_op { KEYPROVIDER_WRAP, KEYPROVIDER_UNWRAP };

struct keyprovider_request {
	enum keyprovider_op op;
	/* Wrap: the key, as `--recipient provider:NAME:KEY` or CoCo's "…::keyid=KEY::…" has it; and
	 * what is to be wrapped. */
	char recipient[KEYPROVIDER_RECIPIENT_MAX];
	struct secret options;
	struct buf annotation; /* unwrap: the layer's packet */
};

/* ret holds nothing before. -EBADMSG with what is wrong; -ENOMEM. keyprovider_request_free() in any
 * case. */
int keyprovider_read(struct keyprovider_request *ret, struct span json, struct error *err);
void keyprovider_request_free(struct keyprovider_request *q);
#define _cleanup_keyprovider_request_ _cleanup_(keyprovider_request_free)

/* The answers, JSON. Bytes are written as arrays of numbers, which every client reads. ret holds
 * nothing before. -ENOMEM. */
int keyprovider_wrapped(struct secret *ret, struct span annotation);
int keyprovider_unwrapped(struct secret *ret, struct span options);

/* The JSON in a protobuf message (field 1, bytes), part of it. -EBADMSG: not such a message. */
int keyprovider_unframe(struct span *ret, struct span message, struct error *err);
/* The message around json. ret holds nothing before. -ENOMEM. */
int keyprovider_frame(struct secret *ret, struct span json);
