/* SPDX-License-Identifier: Apache-2.0
 *
 * The key provider of image tools that speak gRPC alone (ocicrypt's keyprovider.KeyProviderService
 * on a Unix socket): wraps, and unwraps nothing. */
#pragma once

#include "webhook/key_session.h"

/* Serves on address, "unix:PATH" as gRPC spells it ("unix:///run/x.sock" too), until SIGTERM or
 * SIGINT; to this user alone (mode 0600). One request at a time. A socket that lies there is
 * replaced, any other file is not. -EINVAL: the address or the options; other errors name the path
 * or the store. */
int layer_service_run(const char *address, struct key_session_options *o, struct error *err);
