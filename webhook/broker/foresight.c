/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/foresight.h"

#include <stdlib.h>

#include "common/kube/watch.h"
#include "webhook/verifier/nodes.h"

struct foresight {
	struct trust *trust;
	struct kube_watch *watch;
};

static void on_upsert(void *ctx, struct json_val object)
{
	struct foresight *f = ctx;
	struct record r;

	record_read(&r, object);
	trust_foresee(f->trust, &r.basis);
}

static void nothing(void *ctx)
{
	(void)ctx;
}

static void on_removed(void *ctx, struct json_val object)
{
	(void)ctx;
	(void)object;
}

int foresight_new(
	struct foresight **ret_f, struct kube_client *kube, struct trust *trust, struct error *err)
{
	static const struct kube_watch_options watch = {.path = RECORDS_PATH, .cached = true};
	_cleanup_(foresight_free_p) struct foresight *f = calloc(1, sizeof(*f));
	const struct kube_watch_handler h = {
		.list_begin = nothing,
		.upsert = on_upsert,
		.removed = on_removed,
		.synced = nothing,
		.ctx = f,
	};
	int r;

	if (!f)
		return error_oom(err);
	f->trust = trust;
	r = kube_watch_new(&f->watch, kube, &watch, &h, err);
	if (r < 0)
		return r;
	*ret_f = TAKE_PTR(f);
	return 0;
}

void foresight_free(struct foresight *f)
{
	if (!f)
		return;
	kube_watch_free(f->watch);
	free(f);
}
