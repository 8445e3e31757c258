/* SPDX-License-Identifier: Apache-2.0
 *
 * A verification policy as YAML: read to the end or refused with its place, and nothing in it
 * loosens what cannot be loosened. */
#include <stdint.h>
#include <stdlib.h>

#include "common/tee/policy.h"

static void must(bool ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_policy_document_ struct policy_document d = POLICY_DOCUMENT_INIT;
	const struct verify_policy *p = &d.policy;
	struct error err = {0};

	if (policy_document_parse(&d, (struct span){(const char *)data, size}, "p", &err) < 0) {
		must(err.message[0] != '\0');
		return 0;
	}
	must(!(p->accepted_tcb >> TCB_Revoked));
	must(p->vmpl <= 3 && d.time >= -1);
	for (size_t i = 0; i < p->n_accepted; i++) {
		const struct accepted *a = &p->accepted[i];

		must(a->name && a->tees && !(a->tees & (a->tees - 1)));
		for (size_t k = 0; k < a->n_measurements; k++)
			must(a->measurements[k].name && a->measurements[k].len > 0 &&
				a->measurements[k].len <= 48);
	}
	return 0;
}
