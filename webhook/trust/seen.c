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

void seen_note_list(struct seen *s, enum seen_list list, int64_t number)
{
	if (s->lists[list] < number)
		s->lists[list] = number;
}

void seen_note_basis(struct seen *s, const struct basis *b)
{
	if (!b->known)
		return;
	if (b->tee == TEE_TYPE_SNP) {
		seen_note_list(s, SEEN_ARK + b->product, b->lists.issuer);
		return;
	}
	seen_note(s, b->tee == TEE_TYPE_TDX, b->pck.fmspc, b->evaluation_number);
	seen_note_list(s, SEEN_INTEL_ROOT, b->lists.root);
	seen_note_list(s, SEEN_PCK_CA + b->pck.ca, b->lists.issuer);
}
