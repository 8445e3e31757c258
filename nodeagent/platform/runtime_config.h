/* SPDX-License-Identifier: Apache-2.0
 *
 * Runtime handlers in the configuration of containerd (config.toml, versions 2 and 3) and CRI-O
 * (crio.conf): tables [plugins."…".containerd.runtimes.NAME] and [crio.runtime.runtimes.NAME], and
 * what the file imports. A scan of TOML's structure (toml.io, v1.0.0), not a whole TOML reader:
 * inline tables are passed over. Pure; private to the room platform. */
#pragma once

#include "common/base/span.h"

enum {
	RUNTIME_CONFIG_MAX = 1 << 20, /* bytes */
	RUNTIME_CONFIG_NESTING = 16,  /* of arrays and inline tables */
};

struct runtime_config_found {
	/* A handler's name; the same one may come several times. */
	void (*handler)(void *ctx, struct span name);
	/* An entry of "imports": a path or a pattern, absolute or relative to the file's folder. */
	void (*import)(void *ctx, struct span pattern);
	void *ctx;
};

/* 0, or -EBADMSG where the text stops being TOML; what came before has been reported. */
int runtime_config_scan(struct span text, const struct runtime_config_found *found);
