/* SPDX-License-Identifier: Apache-2.0
 *
 * Whatever collateral_add() takes up is written as a bundle that reads and writes the same, unless
 * a document of it cannot be used; whatever it refuses says why. No document is usable without one
 * of the roots compiled in. */
#include "common/tee/collateral.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* The roots compiled in are parsed once: they cost more than the input does. */
int __real_roots_builtin(struct roots *ret, struct error *err);
int __wrap_roots_builtin(struct roots *ret, struct error *err);
int __wrap_roots_builtin(struct roots *ret, struct error *err)
{
	static struct roots roots;

	if (!roots.intel)
		must(__real_roots_builtin(&roots, err) == 0);
	*ret = roots;
	cert_ref(ret->intel);
	for (enum snp_product p = 0; p < SNP_PRODUCT_N; p++)
		cert_ref(ret->ark[p]);
	return 0;
}

static void check_documents(const struct collateral *c)
{
	for (size_t i = 0; i < c->intel.n_tcb_infos; i++) {
		const struct tcb_info *t = c->intel.tcb_infos[i];

		must(t->named && (t->problem == REASON_Ok) == !t->message[0]);
		must(t->problem != REASON_Ok ||
			roots_find_intel(&c->roots, t->signer.root) == c->roots.intel);
		must(t->problem != REASON_Ok || t->n_levels > 0);
		must(intel_tcb_info(&c->intel, t->tdx, t->fmspc) == t);
		for (unsigned version = 0; version < 256; version++)
			(void)tcb_info_module(t, version);
	}
	for (size_t i = 0; i < QE_KIND_N; i++) {
		const struct qe_identity *q = c->intel.qe[i];

		must(!q || (q->named && q->kind == i));
		must(!q || (q->problem == REASON_Ok) == !q->message[0]);
	}
	must(c->intel.n_pck_chain == 0 || c->intel.pck_chain[2]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(collateral_free_p) struct collateral *c = NULL, *again = NULL;
	_cleanup_buf_ struct buf first = BUF_INIT(16 << 20), second = BUF_INIT(16 << 20);
	struct error err = {0};
	int r;

	must(collateral_new(&c, &err) == 0);
	r = collateral_add(c, (struct span){(const char *)data, size}, "in", &err);
	must(r == 0 || (err.code == r && strncmp(err.message, "in: ", 4) == 0));
	check_documents(c);
	r = collateral_write(&first, c, &err);
	if (r < 0) {
		must(r == -EBADMSG && err.message[0]);
		return 0;
	}
	must(collateral_new(&again, &err) == 0);
	must(collateral_add(again, buf_view(&first), "in", &err) == 0);
	check_documents(again);
	must(collateral_write(&second, again, &err) == 0);
	must(span_equal(buf_view(&first), buf_view(&second)));
	return 0;
}
