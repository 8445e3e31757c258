/* SPDX-License-Identifier: Apache-2.0
 *
 * EnclaveProfiles from files, for --standalone and `review`: every namespace with a profile counts
 * as enabled. */
#pragma once

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/base/yaml.h"
#include "webhook/policy/profile.h"

enum { PROFILE_FILES_MAX = 4096, PROFILE_FILE_BYTES_MAX = 1024 * 1024 };

struct profile_files {
	struct span objects[PROFILE_FILES_MAX]; /* JSON, in the arena given */
	size_t n;
};

/* Adds the EnclaveProfile documents of a stream; others are left alone unless strict, which
 * refuses them. */
int profile_files_add(struct profile_files *f, const struct yaml_stream *s, const char *name,
	bool strict, struct arena *a, struct error *err);

/* Adds every *.yaml, *.yml and *.json of a folder, in the order of their names. Anything in them
 * that is no EnclaveProfile is refused. */
int profile_files_read(struct profile_files *f, const char *dir, struct arena *a,
	struct error *err);

/* The set of a folder's profiles under a configuration that outlives it; dir "": of none. */
int profile_files_load(const char *dir, const struct policy_config *config,
	struct profile_set **ret_set, struct error *err);

/* The limits for manifests and profiles on disk. */
extern const struct yaml_limits manifest_limits;
