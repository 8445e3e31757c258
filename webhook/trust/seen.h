/* SPDX-License-Identifier: Apache-2.0
 *
 * The highest tcbEvaluationDataNumber seen of each kind of platform: who serves older collateral
 * hides a TCB recovery, though it has not ended yet. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SEEN_MAX = 1024 }; /* kinds of platforms; further ones are not remembered */

struct seen {
	struct seen_kind {
		bool tdx;
		unsigned char fmspc[6];
		uint32_t number;
	} kinds[SEEN_MAX];
	size_t n;
};

/* Remembers number, if it is the highest. */
void seen_note(struct seen *s, bool tdx, const unsigned char fmspc[6], uint32_t number);
/* 0: none was seen. */
uint32_t seen_highest(const struct seen *s, bool tdx, const unsigned char fmspc[6]);
