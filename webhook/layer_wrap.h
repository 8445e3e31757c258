/* SPDX-License-Identifier: Apache-2.0
 *
 * Wraps the key of an image's layer with a stored key: what image tools ask ocicrypt's key provider
 * for (common/kbs/keyprovider.h), whichever way they reach it. */
#pragma once

#include "common/base/secret.h"
#include "common/tee/reason.h"
#include "webhook/key_session.h"

/* Answers one request, JSON in and out; ret holds nothing before. *o may be completed. The store is
 * opened for this request alone, so keys, profiles and key-encryption keys are those of now and
 * none of them stays. *ret_reason: of a refusal (Malformed, KeyNotFound, KeyRevoked,
 * StoreUnavailable, Internal); err says what to change. -EINVAL: the request, or the options. */
int layer_wrap(struct secret *ret, struct key_session_options *o, struct span request,
	enum reason *ret_reason, struct error *err);
