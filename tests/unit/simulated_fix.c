/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/simulated_fix.h"

#include <openssl/ec.h>

#include "tests/unit/test.h"

bool simulated_fix_new(struct simulated_fix *f)
{
	struct error err = {0};

	*f = (struct simulated_fix){
		.root = BUF_INIT(8192),
		.certificate = BUF_INIT(8192),
		.key = EVP_EC_gen("P-256"),
		.what =
			{
				.tee = "sgx",
				.node = "node-1",
				.node_uid = SIMULATED_UID,
				.platform_id = {0xab, 1},
				.platform_id_len = 16,
				.tcb_status = "UpToDate",
				.svn = 3,
				.measurements = {{"mrenclave", {0xee, 2}, 32}, {"rtmr0", {7}, 48}},
				.n_measurements = 2,
				.report_data = {0xda, 0xda},
			},
	};
	return CHECK_ROW("fixture",
		f->key && simulated_make_root(&f->root, &f->root_key, SIMULATED_NOW, &err) == 0 &&
			simulated_certify(&f->certificate, buf_view(&f->root),
				secret_view(&f->root_key), f->key, SIMULATED_UID, SIMULATED_NOW,
				SIMULATED_LIFETIME, &err) == 0,
		"%s", err.message);
}

void simulated_fix_free(struct simulated_fix *f)
{
	buf_free(&f->root);
	secret_free(&f->root_key);
	EVP_PKEY_free(f->key);
	buf_free(&f->certificate);
}

bool simulated_fix_make(struct simulated_fix *f, struct buf *out)
{
	struct error err = {0};

	return CHECK_ROW("document",
		simulated_make(out, &f->what, f->key, buf_view(&f->certificate), &err) == 0, "%s",
		err.message);
}
