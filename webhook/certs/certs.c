/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/certs/certs.h"

#include <errno.h>

#include "webhook/certs/files.h"
#include "webhook/certs/self.h"
#include "webhook/certs/serving.h"

struct certs {
	struct serving serving;
	struct self *self; /* one of the two */
	struct files *files;
};

int certs_new(struct certs **ret_c, sd_event *event, struct kube_client *kube,
	const struct certs_options *o, struct tls_identity *tls, struct metrics *metrics,
	struct health *health, struct error *err)
{
	_cleanup_(certs_free_p) struct certs *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return error_oom(err);
	if (o->mode == CERTS_SELF && !kube)
		return error_set(err, -EINVAL,
			"self-made certificates need an API server to keep them in; give files "
			"instead");
	r = serving_init(&c->serving, tls, metrics, health, err);
	if (r == 0)
		r = o->mode == CERTS_SELF ? self_new(&c->self, event, kube, o, &c->serving, err)
					  : files_new(&c->files, event, kube, o, &c->serving, err);
	if (r < 0)
		return error_prefix(err, r, "certificates");
	*ret_c = TAKE_PTR(c);
	return 0;
}

void certs_free(struct certs *c)
{
	if (!c)
		return;
	self_free(c->self);
	files_free(c->files);
	free(c);
}
