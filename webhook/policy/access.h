/* SPDX-License-Identifier: Apache-2.0
 *
 * Private to policy: may this user enter this pod. */
#pragma once

#include "webhook/policy/policy.h"

/* Judges rq's user on pod, which is confidential: refused with AccessDenied; allowed to a
 * break-glass group (reason BreakGlass, a warning); or allowed by the pod's profile (reason Ok).
 * kind ACCESS_N: nothing a profile could allow. */
int access_judge(const struct policy_request *rq, struct json_val pod, enum access_kind kind,
	struct arena *a, struct policy_result *res);

/* The profile that the pod's annotation names, if it may be relied on: valid, of an enabled
 * namespace. NULL: none; *ret_name is then the annotation's text (.p NULL: no annotation). */
const struct profile *access_profile(const struct policy_request *rq, struct json_val pod,
	struct arena *a, struct span *ret_name);
