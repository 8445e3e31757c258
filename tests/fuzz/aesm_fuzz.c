/* SPDX-License-Identifier: Apache-2.0
 *
 * AESM's framing: however a stream is cut into pieces, the same messages come out, they are the
 * stream's own bytes, and nothing behind a message is touched. The first byte seeds the cuts. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nodeagent/aesm/frame.h"

enum { MAX = 300 };

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* 1: a message, *used bytes long; 0: more is needed; negative: refused. step 0: cut by *seed. */
static int take(struct aesm_frame *f, struct span in, size_t step, uint32_t *seed, size_t *used)
{
	*used = 0;
	while (!aesm_frame_complete(f)) {
		void *p;
		size_t room = aesm_frame_room(f, &p), n = step;
		int r;

		must(room > 0 && room <= AESM_FRAME_HEAD + MAX);
		if (!n) {
			*seed = *seed * 1664525 + 1013904223;
			n = 1 + (*seed >> 24) % 40;
		}
		n = n < room ? n : room;
		n = n < in.len - *used ? n : in.len - *used;
		if (n == 0)
			return 0;
		memcpy(p, in.p + *used, n);
		*used += n;
		r = aesm_frame_filled(f, n, NULL);
		must(r == 0 || r == -EBADMSG || r == -EMSGSIZE);
		if (r)
			return r;
	}
	return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct aesm_frame f = {.max = MAX}, g = {.max = MAX};
	struct span in = {(const char *)data + 1, size - 1};
	uint32_t seed = size ? data[0] : 0;
	int r = size ? 1 : 0;

	while (r == 1) {
		size_t used, other;

		r = take(&f, in, SIZE_MAX, &seed, &used);
		must(take(&g, in, 0, &seed, &other) == r && used == other);
		if (r == 1) {
			struct span a = aesm_frame_unsent(&f), b = aesm_frame_unsent(&g);

			must(span_equal(a, b) && span_equal(a, (struct span){in.p, used}));
			must(used > AESM_FRAME_HEAD);
			in = (struct span){in.p + used, in.len - used};
		}
		if (r == 0)
			must(used == in.len);
		aesm_frame_free(&f);
		aesm_frame_free(&g);
	}
	return 0;
}
