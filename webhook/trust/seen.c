/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/trust/seen.h"

#include <string.h>

static const struct seen_kind *find(const struct seen *s, bool tdx, const unsigned char fmspc[6])
{
	for (size_t i = 0; i < s->n; i++)
		if (s->kinds[i].tdx == tdx &&
			memcmp(s->kinds[i].fmspc, fmspc, sizeof(s->kinds[i].fmspc)) == 0)
			return &s->kinds[i];
	return NULL;
}

uint32_t seen_highest(const struct seen *s, bool tdx, const unsigned char fmspc[6])
{
	const struct seen_kind *k = find(s, tdx, fmspc);

	return k ? k->number : 0;
}

void seen_note(struct seen *s, bool tdx, const unsigned char fmspc[6], uint32_t number)
{
	const struct seen_kind *known = find(s, tdx, fmspc);
	struct seen_kind *k = known ? &s->kinds[known - s->kinds] : NULL;

	if (!k && number && s->n < SEEN_MAX) {
		k = &s->kinds[s->n++];
		k->tdx = tdx;
		memcpy(k->fmspc, fmspc, sizeof(k->fmspc));
	}
	if (k && k->number < number)
		k->number = number;
}
