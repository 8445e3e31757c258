/* SPDX-License-Identifier: Apache-2.0
 *
 * A request for a key that is granted, and one thing after another that is wrong about it. */
#pragma once

#include "common/kbs/key_id.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/policy_json.h"
#include "webhook/broker/grant.h"

struct grant_world {
	struct fixture f;
	struct proven proven;
	struct requester who;
	struct key_id id;
	struct grant_request rq;
};

struct grant_row {
	const char *name;
	const char *profile; /* patches of the profile and of the live pod; NULL: none */
	const char *pod;
	void (*tweak)(struct grant_world *w); /* whatever else is different; NULL: nothing */
	enum reason reason;
	const char *says; /* part of the message; NULL: granted */
};

/* The profile that the pod names, patched, becomes f's, with a further one (NULL: none); returns
 * the pod as it runs: admitted, then patched. */
struct json_val grant_world_objects(
	struct fixture *f, const char *profile_patch, const char *pod_patch, const char *further);

/* Decides each row's request. */
void grant_rows(const struct grant_row *rows, size_t n);

#define OP(op, path, value) "{'op':'" op "','path':'" path "','value':" value "}"
#define ADD(path, value)    "[" OP("add", path, value) "]"
#define SET(path, value)    "[" OP("replace", path, value) "]"
#define REMOVE(path)        "[{'op':'remove','path':'" path "'}]"

#define DIGEST_A "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DIGEST_B "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
