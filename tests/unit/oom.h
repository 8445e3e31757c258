/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory that runs out: the linker puts these in front of malloc() and its kin in what is tested
 * (not in the libraries that it uses; algorithm_hash() stands for those), and a test has each
 * allocation fail in turn:
 *
 *	struct oom o = {0};
 *
 *	while (oom_next(&o)) {
 *		oom_begin(&o);
 *		r = what_is_tested();
 *		oom_end(&o);
 *		CHECK_ROW(o.row, (r < 0) == (o.failed > 0), "%d", r);
 *	}
 */
#pragma once

#include <stdbool.h>

struct oom {
	unsigned n;      /* which allocation fails in this run, from 1 */
	bool all;        /* and all that follow it */
	unsigned failed; /* how many did */
	char row[48];    /* of this run */
};

/* On to the next run. False: in the last one none failed, so all were seen, alone and with those
 * that follow. */
bool oom_next(struct oom *o);
/* Between these, once in a run, allocations of this thread fail as *o says. */
void oom_begin(const struct oom *o);
void oom_end(struct oom *o);
