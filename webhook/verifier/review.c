/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/verifier/review.h"

#include "webhook/verifier/detail.h"
#include "webhook/verifier/judge.h"
#include "webhook/verifier/reevaluation.h"

/* Of this collateral, and of what was judged then. */
static bool reviewed(const struct reviewer *w, const struct node *n)
{
	return n->reviewed_epoch == w->epoch && strcmp(n->reviewed_version, n->version) == 0;
}

bool review_node(struct reviewer *w, struct node *n, int64_t epoch, int64_t now_sec,
	struct record *ret, struct buf *detail)
{
	const struct examiner x = trust_examiner(w->trust);
	struct record r = n->record;
	struct verdict again;

	if (!r.basis.known || strcmp(r.node_uid, n->seen.uid) != 0)
		return false;
	if (w->epoch != x.collateral->epoch) {
		again_prepare(&w->again, x.collateral);
		w->epoch = x.collateral->epoch;
	}
	if (reviewed(w, n))
		return false;
	verify_again(&w->again, &r.basis, x.policy, now_sec, &again);
	trust_want(w->trust, &r.basis, &again, now_sec);
	if (!judge_again_by(&r, &again, epoch, now_sec)) {
		n->reviewed_epoch = w->epoch;
		memcpy(n->reviewed_version, n->version, sizeof(n->version));
		return false;
	}
	if (detail_again(detail, &again) < 0 || reevaluation_write(detail, &r.basis) < 0)
		return false;
	*ret = r;
	return true;
}
