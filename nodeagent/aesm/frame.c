/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/aesm/frame.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

size_t aesm_frame_room(struct aesm_frame *f, void **ret_p)
{
	if (!f->p) {
		*ret_p = f->head + f->have;
		return sizeof(f->head) - f->have;
	}
	*ret_p = f->p + f->have;
	return f->size - f->have;
}

static int measured(struct aesm_frame *f, struct error *err)
{
	size_t n = (uint32_t)f->head[0] | (uint32_t)f->head[1] << 8 | (uint32_t)f->head[2] << 16 |
		   (uint32_t)f->head[3] << 24;

	if (n == 0)
		return error_set(err, -EBADMSG, "a message of no bytes");
	if (n > f->max)
		return error_set(err, -EMSGSIZE, "a message of %zu bytes; at most %zu", n, f->max);
	f->p = malloc(sizeof(f->head) + n);
	if (!f->p)
		return error_oom(err);
	f->size = sizeof(f->head) + n;
	memcpy(f->p, f->head, sizeof(f->head));
	return 0;
}

int aesm_frame_filled(struct aesm_frame *f, size_t n, struct error *err)
{
	assert(n <= (f->p ? f->size : sizeof(f->head)) - f->have);
	f->have += n;
	if (f->p || f->have < sizeof(f->head))
		return 0;
	return measured(f, err);
}

bool aesm_frame_complete(const struct aesm_frame *f)
{
	return f->p && f->have == f->size;
}

struct span aesm_frame_unsent(const struct aesm_frame *f)
{
	return (struct span){(const char *)f->p + f->sent, f->size - f->sent};
}

void aesm_frame_free(struct aesm_frame *f)
{
	free(f->p);
	*f = (struct aesm_frame){.max = f->max};
}
