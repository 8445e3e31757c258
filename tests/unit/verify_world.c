/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/verify_world.h"

#include "tests/unit/test.h"

static bool trust(struct collateral *c, const struct tee_cert *root)
{
	_cleanup_buf_ struct buf pem = BUF_INIT(TEE_PEM_MAX);
	struct error err = {0};

	tee_cert_pem(root, &pem);
	return CHECK_ROW(
		"root", roots_add(&c->roots, buf_view(&pem), &err) == 0, "%s", err.message);
}

static bool add(struct collateral *c, const struct buf *b, const char *name)
{
	struct error err = {0};

	return CHECK_ROW(name, collateral_add(c, buf_view(b), name, &err) == 0, "%s", err.message);
}

/* For quotes that bring none. */
static bool add_pck_chain(struct collateral *c, const struct tee_intel *w, bool other)
{
	_cleanup_buf_ struct buf pem = BUF_INIT(TEE_PEM_MAX);
	struct tee_intel of = *w;

	if (other)
		of.pck.pcesvn++;
	tee_intel_pck_chain(&of, &pem);
	return add(c, &pem, "pck.pem");
}

struct collateral *world_collateral(const struct tee_intel *w, const struct tee_setup *s)
{
	_cleanup_(collateral_free_p) struct collateral *c = NULL;
	_cleanup_buf_ struct buf json = BUF_INIT(2 * TEE_JSON_MAX);
	struct error err = {0};
	struct tee_intel right;
	bool ok;

	tee_intel_sgx(&right);
	tee_intel_case_collateral(w, s, &json);
	if (s->not_taken_up) {
		CU_ASSERT_EQUAL(collateral_new(&c, &err), 0);
		CU_ASSERT_EQUAL(collateral_add(c, buf_view(&json), "json", &err), -EBADMSG);
		return NULL;
	}
	ok = CHECK_ROW("collateral", collateral_new(&c, &err) == 0, "%s", err.message) &&
	     (s->forget_root || trust(c, &right.root)) && add(c, &json, "collateral.json") &&
	     (!(s->pck_chain || s->other_pck_chain) || add_pck_chain(c, w, s->other_pck_chain));
	return ok ? TAKE_PTR(c) : NULL;
}

static bool add_der(struct collateral *c, const struct tee_amd *w, const char *name,
	void (*write)(const struct tee_amd *, struct buf *))
{
	_cleanup_buf_ struct buf der = BUF_INIT(TEE_DER_MAX);

	write(w, &der);
	return add(c, &der, name);
}

struct collateral *world_amd_collateral(
	const struct tee_amd *w, const struct tee_setup *s, bool certificates)
{
	_cleanup_(collateral_free_p) struct collateral *c = NULL;
	struct error err = {0};
	struct tee_amd right;
	bool ok;

	tee_amd(&right, w->product, 2, w->vlek);
	ok = CHECK_ROW("collateral", collateral_new(&c, &err) == 0, "%s", err.message) &&
	     (s->forget_root || trust(c, &right.ark)) &&
	     (s->no_crl || add_der(c, w, "crl.der", tee_amd_crl));
	if (ok && certificates)
		ok = (w->no_intermediate || add_der(c, w, "ask.der", tee_amd_intermediate)) &&
		     (w->no_leaf || add_der(c, w, "leaf.der", tee_amd_leaf));
	return ok ? TAKE_PTR(c) : NULL;
}

void world_judge(struct verdict *v, struct evidence *e, struct span bytes,
	const struct collateral *c, const struct tee_setup *s, struct verify_cache *cache)
{
	struct verify_policy policy = s->policy;
	struct span advisory = span_str(s->advisory);
	struct verify_input in = {e, c, &policy, s->time};
	struct error err = {0};
	enum reason reason = REASON_Ok;

	if (s->advisory) {
		policy.accepted_advisories = &advisory;
		policy.n_accepted_advisories = 1;
	}
	*v = (struct verdict){.reason = REASON_Internal};
	*e = (struct evidence){0};
	if (evidence_open(e, bytes, &reason, &err) == 0) {
		verify(&in, cache, v);
		return;
	}
	*e = (struct evidence){0};
	v->reason = reason;
	snprintf(v->message, sizeof(v->message), "%s", err.message);
}
