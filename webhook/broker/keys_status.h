/* SPDX-License-Identifier: Apache-2.0
 *
 * What a profile's status says of its keys: status.keys and the condition KeysReady. Pure. */
#pragma once

#include "common/base/buf.h"
#include "webhook/broker/keys_plan.h"
#include "webhook/policy/profile.h"

/* Releases since the status was last written. */
struct keys_release {
	char key[KEY_NAME_MAX];
	uint64_t n;
	int64_t last_sec;
};

struct keys_report {
	const struct profile *profile;
	const struct key_spec *specs; /* n */
	const enum key_state *states; /* n */
	size_t n;
	const struct key_record *rec; /* NULL: nothing is stored */
	const char *problem;          /* why the record cannot be read or written; "" : it can */
	/* Pods that hold an older version, n, -1: not known; NULL: of none it is. */
	const int *old;
	const struct keys_release *releases;
	size_t n_releases;
};

/* A merge patch of the profile's status, made from the version that the profile was read at. 1: in
 * out; 0: the status says so already; or the buffer's error. */
int keys_status_patch(struct buf *out, const struct keys_report *r, int64_t now_sec);
/* The version of a key that the status names; 0: none. */
unsigned keys_status_published(const struct profile *p, const char *key);
/* When that version was made, Unix seconds; -1: it does not say. */
int64_t keys_status_made(const struct profile *p, const char *key);

/* The finalizer that lets keys outlive their profile for a time. */
#define KEYS_FINALIZER "casemate.dev/keys"
bool keys_has_finalizer(const struct profile *p);
bool keys_being_deleted(const struct profile *p);
/* A merge patch that adds or removes it, made from the version that the profile was read at. 0 or
 * the buffer's error. */
int keys_finalizer_patch(struct buf *out, const struct profile *p, bool add);
