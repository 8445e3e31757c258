/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/trust/vcek_store.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "common/base/codec.h"

enum { FOLDERS_MAX = 2 };

struct folders {
	char path[FOLDERS_MAX][PATH_MAX];
	size_t n;
};

static int add(struct folders *f, const char *store, const char *under, const char *chip)
{
	int n = snprintf(
		f->path[f->n], PATH_MAX, "%s/%s%s%s", store, under, *chip ? "/" : "", chip);

	if (n >= PATH_MAX)
		return -ENAMETOOLONG;
	f->n++;
	return 0;
}

static int name_folders(struct folders *f, const char *store, const struct pull_request *rq)
{
	_cleanup_buf_ struct buf chip = BUF_INIT(2 * SNP_CHIP_ID + 1);
	const char *product = snp_product_name(rq->product);
	int r;

	if (rq->kind == PULL_ARK_CHAIN || rq->kind == PULL_ARK_CRL)
		return add(f, store, product, "");
	if (rq->kind != PULL_VCEK)
		return 0;
	r = codec_hex(&chip, rq->chip_id, snp_chip_id_len(rq->product));
	if (r == 0)
		r = add(f, store, product, chip.p);
	return r == 0 ? add(f, store, "vcek", chip.p) : r;
}

int vcek_store_read(
	struct buf *out, const char *store, const struct pull_request *rq, struct error *err)
{
	_cleanup_(collateral_free_p) struct collateral *c = NULL;
	struct folders folders = {.n = 0};
	int r = name_folders(&folders, store, rq), broken = 0;
	struct span der;

	if (r < 0)
		return error_set(err, r, "%s: its name is too long", store);
	r = collateral_new(&c, err);
	for (size_t i = 0; r != -ENOMEM && i < folders.n; i++) {
		r = collateral_add_path(c, folders.path[i], err);
		/* Files that are none, or other ones that are broken, keep nothing away. */
		if (r < 0 && r != -ENOENT && r != -ENOTDIR && r != -ENOMSG)
			broken = r;
	}
	if (r == -ENOMEM)
		return r;
	der = pull_der(c, rq);
	if (!der.p)
		return broken;
	return buf_span(out, der) < 0 ? error_oom(err) : 1;
}
