/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/front/front.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/net/ops.h"
#include "webhook/certs/certs.h"
#include "webhook/front/ca_map.h"

/* A kubelet brings a ConfigMap up to date within about this. */
#define CA_SPREAD_USEC (180 * (int64_t)USEC_PER_SEC)

struct front {
	struct tls_identity *identity;
	struct ca_map *ca_map; /* NULL: standalone */
	struct certs *certs;
	struct server *server;
};

int front_parse_policy(const struct settings_source *src, struct json_val v, void *field,
	struct arena *a, struct error *err)
{
	struct span *policy = field;

	if (!json_is_object(v))
		return settings_error(src, v, err, "must be a map");
	*policy = arena_dup(a, json_raw(v));
	return policy->p ? 0 : error_oom(err);
}

int front_config_check(const struct front_config *c, const char *prefix, struct error *err)
{
	const char *colon = strchr(c->agent, ':');

	if (!colon || colon == c->agent || !colon[1] || strchr(colon + 1, ':'))
		return error_set(err, -EINVAL,
			"%s.agentServiceAccount: \"%.140s\" is not NAMESPACE:NAME", prefix,
			c->agent);
	if (!*c->tls.cert != !*c->tls.key)
		return error_set(err, -EINVAL,
			"%s.tls.cert and %s.tls.key go together: set both or none", prefix, prefix);
	return 0;
}

bool front_config_same(const struct front_config *a, const struct front_config *b)
{
	return strcmp(a->listen, b->listen) == 0 && strcmp(a->agent, b->agent) == 0 &&
	       span_equal(a->policy, b->policy) && strcmp(a->tls.cert, b->tls.cert) == 0 &&
	       strcmp(a->tls.key, b->tls.key) == 0 &&
	       strcmp(a->tls.secret_name, b->tls.secret_name) == 0 &&
	       strcmp(a->tls.service_name, b->tls.service_name) == 0 &&
	       strcmp(a->tls.ca_config_map, b->tls.ca_config_map) == 0;
}

static void take_authorities(void *ctx, const struct bundle *authorities)
{
	struct front *f = ctx;

	if (authorities->n && f->ca_map)
		ca_map_set(f->ca_map, authorities);
}

static int setup_certs(struct front *f, const struct front_options *o, struct error *err)
{
	const struct front_config *c = o->config;
	const struct certs_options certs = {
		.mode = *c->tls.cert ? CERTS_FILES : CERTS_SELF,
		.secret_name = c->tls.secret_name,
		.namespace_ = o->namespace_,
		.service_name = c->tls.service_name,
		.service_namespace = o->namespace_,
		.ca_lifetime_usec = o->serving.ca_lifetime_usec,
		.leaf_lifetime_usec = o->serving.leaf_lifetime_usec,
		.cert_file = c->tls.cert,
		.key_file = c->tls.key,
		.must_load = !o->kube,
		.trusted = take_authorities,
		.ctx = f,
		.spread_usec = CA_SPREAD_USEC,
	};
	int r = 0;

	f->identity = tls_identity_new();
	if (!f->identity)
		return error_oom(err);
	if (o->kube)
		r = ca_map_new(&f->ca_map, o->kube, o->namespace_, c->tls.ca_config_map, err);
	return r < 0 ? r
		     : certs_new(&f->certs, o->event, o->kube, &certs, f->identity, o->metrics,
			       o->health, err);
}

static int setup_server(struct front *f, const struct front_options *o, http_handler handler,
	void *ctx, struct error *err)
{
	char address[64], setting[64];
	struct server_options server = {
		.address = address,
		.threads = o->serving.threads,
		.event = o->on_loop ? o->event : NULL,
		.tls = f->identity,
		.tls_min = o->serving.tls_min,
		.tls_ciphers = o->serving.tls_ciphers,
		.limits = o->serving.limits,
	};
	int r;

	snprintf(setting, sizeof(setting), "%s.listen", o->prefix);
	r = ops_parse_listen(o->config->listen, setting, address, &server.port, err);
	if (r == 0)
		r = server_start(&f->server, &server, handler, ctx, err);
	if (r < 0)
		return error_prefix(err, r, "%s", setting);
	log_info(2, o->what, LOG_STR("address", address), LOG_INT("port", server_port(f->server)));
	return 0;
}

int front_new(struct front **ret_f, const struct front_options *o, http_handler handler, void *ctx,
	struct error *err)
{
	_cleanup_(front_free_p) struct front *f = calloc(1, sizeof(*f));
	int r = f ? setup_certs(f, o, err) : error_oom(err);

	if (r == 0)
		r = setup_server(f, o, handler, ctx, err);
	if (r < 0)
		return r;
	*ret_f = TAKE_PTR(f);
	return 0;
}

struct server *front_server(const struct front *f)
{
	return f->server;
}

struct tls_identity *front_identity(const struct front *f)
{
	return f->identity;
}

void front_stop(struct front *f)
{
	if (f)
		server_stop(TAKE_PTR(f->server));
}

void front_free(struct front *f)
{
	if (!f)
		return;
	front_stop(f);
	certs_free(f->certs);
	ca_map_free(f->ca_map);
	tls_identity_free(f->identity);
	free(f);
}
