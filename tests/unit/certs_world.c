/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/certs_world.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "tests/unit/test.h"

static const struct json_limits limits = {1 << 22, 1 << 16, 64};

static const char *const paths[OBJECTS] = {
	"/secrets", "/mutatingwebhookconfigurations", "/validatingwebhookconfigurations"};

static void write_object(struct api *a, int o, struct buf *b)
{
	buf_printf(b, "{\"metadata\":{\"name\":\"casemate\",\"resourceVersion\":\"%u\"}",
		a->object_rv[o]);
	if (o == SECRET)
		buf_printf(b, ",\"data\":%s}", a->data);
	else
		buf_printf(b,
			",\"webhooks\":[{\"name\":\"a\",\"clientConfig\":{\"caBundle\":\"%s\"}},"
			"{\"name\":\"b\",\"clientConfig\":{\"caBundle\":\"%s\"}}]}",
			a->bundle[o][0], a->bundle[o][1]);
}

static void write_event(struct api *a, int o, const char *type, struct buf *b)
{
	buf_printf(b, "{\"type\":\"%s\",\"object\":", type);
	write_object(a, o, b);
	buf_puts(b, "}\n");
}

/* Tells the watches. */
void world_tell(struct api *a, int o, const char *type)
{
	_cleanup_buf_ struct buf event = BUF_INIT(1 << 20), chunk = BUF_INIT(1 << 20);

	a->object_rv[o] = ++a->rv;
	write_event(a, o, type, &event);
	buf_printf(&chunk, "%zx\r\n%s\r\n", event.len, event.p);
	for (unsigned i = 0; i < a->n_watches[o] && !(a->deaf && o == SECRET); i++)
		fake_server_push(a->server, a->watches[o][i], chunk.p, chunk.len);
}

void world_set_text(char **to, struct span text)
{
	free(*to);
	*to = strndup(text.p, text.len);
}

static void refuse(struct fake_reply *reply, int status)
{
	fake_respond(reply, status, NULL, "{\"kind\":\"Status\",\"message\":\"no\"}");
}

static void write_secret(struct api *a, bool create, struct json_val body, struct fake_reply *reply)
{
	_cleanup_buf_ struct buf out = BUF_INIT(1 << 20);
	char version[32];
	int status = a->forbidden ? 403 : a->refuse;

	snprintf(version, sizeof(version), "%u", a->object_rv[SECRET]);
	a->refuse = 0;
	if (!status && create != !a->data)
		status = create ? 409 : 404;
	if (!status && !create &&
		!json_str_is(json_find(body, "metadata", "resourceVersion"), version))
		status = 409;
	if (status) {
		a->conflicts += status == 409;
		refuse(reply, status);
		return;
	}
	world_set_text(&a->data, json_raw(json_get(body, "data")));
	a->created += create;
	a->patched[SECRET] += !create;
	world_tell(a, SECRET, create ? "ADDED" : "MODIFIED");
	write_object(a, SECRET, &out);
	fake_respond(reply, create ? 201 : 200, NULL, out.p);
}

/* A JSON Patch of the kind that cabundle.c makes. */
static void patch_configuration(struct api *a, int o, struct json_val ops, struct fake_reply *reply)
{
	char version[32];
	struct json_iter it;

	snprintf(version, sizeof(version), "%u", a->object_rv[o]);
	if (a->fixed || !json_str_is(json_get(json_at(ops, 0), "value"), version)) {
		refuse(reply, a->fixed ? 403 : 422);
		return;
	}
	json_each (it, ops) {
		unsigned entry;
		struct json_val value = json_get(it.value, "value");
		struct span path = json_raw(json_get(it.value, "path")), text = json_raw(value);

		if (json_str_is(json_get(it.value, "op"), "add") &&
			sscanf(path.p, "\"/webhooks/%u/clientConfig/caBundle\"", &entry) == 1)
			world_set_text(&a->bundle[o][entry], (struct span){text.p + 1, text.len - 2});
	}
	a->patched[o]++;
	world_tell(a, o, "MODIFIED");
	fake_respond(reply, 200, NULL, "{}");
}

static void read_object(
	struct api *a, int o, unsigned n, const char *request, struct fake_reply *reply)
{
	_cleanup_buf_ struct buf out = BUF_INIT(1 << 20);
	const char *since = strstr(request, "resourceVersion=");
	bool exists = o != SECRET || a->data;

	if (since) {
		if (a->n_watches[o] < WATCHES)
			a->watches[o][a->n_watches[o]++] = n;
		fake_stream(reply, 200);
		if (exists && a->object_rv[o] > strtoul(since + 16, NULL, 10)) {
			write_event(a, o, "MODIFIED", &out);
			fake_chunk(reply, out.p);
		}
		return;
	}
	if (!strstr(request, "?limit=")) {
		if (exists)
			write_object(a, o, &out);
		if (exists)
			fake_respond(reply, 200, NULL, out.p);
		else
			refuse(reply, 404);
		return;
	}
	buf_printf(&out, "{\"metadata\":{\"resourceVersion\":\"%u\"},\"items\":[", a->rv);
	if (exists)
		write_object(a, o, &out);
	buf_puts(&out, "]}");
	fake_respond(reply, 200, NULL, out.p);
}

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	struct api *a = ctx;
	_cleanup_json_ struct json doc = {0};
	int o = SECRET;

	pthread_mutex_lock(&a->lock);
	while (o + 1 < OBJECTS && !strstr(request, paths[o]))
		o++;
	if (strncmp(request, "GET", 3) == 0)
		read_object(a, o, n, request, reply);
	else if (json_parse(&doc, span_str(strstr(request, "\r\n\r\n") + 4), &limits, NULL) < 0)
		refuse(reply, 400);
	else if (o == SECRET)
		write_secret(a, strncmp(request, "POST", 4) == 0, json_root(&doc), reply);
	else
		patch_configuration(a, o, json_root(&doc), reply);
	pthread_mutex_unlock(&a->lock);
}

const struct certs_options world_options = {.mode = CERTS_SELF,
	.secret_name = "casemate",
	.namespace_ = "system",
	.service_name = "casemate",
	.service_namespace = "system",
	.mutating_configuration = "casemate",
	.validating_configuration = "casemate",
	.grace_usec = 50 * USEC_PER_MSEC,
	.ca_lifetime_usec = 3600 * (int64_t)USEC_PER_SEC,
	.leaf_lifetime_usec = 60 * USEC_PER_SEC};

bool world_begin(struct world *w)
{
	*w = (struct world){0};
	/* What it logs here is what the tests provoke. */
	log_setup(&(struct log_options){.verbosity = 0, .fd = -1});
	pthread_mutex_init(&w->api.lock, NULL);
	for (int o = MUTATING; o < OBJECTS; o++)
		for (int e = 0; e < ENTRIES; e++)
			world_set_text(&w->api.bundle[o][e], SPAN_LIT("Z2FyYmFnZQ=="));
	for (int o = 0; o < OBJECTS; o++)
		w->api.object_rv[o] = ++w->api.rv;
	if (!kube_fix_begin(&w->fix, answer, &w->api))
		return false;
	w->api.server = w->fix.server;
	return true;
}

void world_start(struct world *w, int i, const struct certs_options *o)
{
	struct error err = {0};

	w->tls[i] = tls_identity_new();
	w->health[i] = health_new();
	CHECK_ROW("new",
		certs_new(&w->certs[i], w->fix.event, w->fix.client, o, w->tls[i],
			i ? NULL : w->fix.metrics, w->health[i], &err) == 0,
		"%s", err.message);
}

void world_stop(struct world *w, int i)
{
	certs_free(w->certs[i]);
	health_free(w->health[i]);
	tls_identity_free(w->tls[i]);
	w->certs[i] = NULL;
	w->health[i] = NULL;
	w->tls[i] = NULL;
}

void world_end(struct world *w)
{
	for (int i = 0; i < REPLICAS; i++)
		world_stop(w, i);
	kube_fix_end(&w->fix);
	free(w->api.data);
	for (int o = 0; o < OBJECTS; o++)
		for (int e = 0; e < ENTRIES; e++)
			free(w->api.bundle[o][e]);
	pthread_mutex_destroy(&w->api.lock);
	log_setup(&(struct log_options){.verbosity = 2, .fd = 2});
}

/* What the Secret holds, as a replica reads it; false: it is not sound. */
static bool read_secret(struct api *a, struct store *s)
{
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 20);
	_cleanup_json_ struct json doc = {0};
	struct store_rules rules = {0};

	if (!a->data)
		return false;
	authority_names(&rules.names, "casemate", "system", NULL);
	write_object(a, SECRET, &b);
	return json_parse(&doc, buf_view(&b), &limits, NULL) == 0 &&
	       store_read(s, json_root(&doc), &rules, clock_unix_usec() / USEC_PER_SEC, NULL) == 0;
}

/* Does an entry have all of want; exactly: and nothing else? */
static bool has_bundle(const char *text, const struct bundle *want, bool exactly)
{
	_cleanup_secret_ struct secret pem = {0};
	_cleanup_bundle_ struct bundle b = {0};

	return secret_unbase64(&pem, span_str(text)) == 0 &&
	       bundle_read(&b, secret_view(&pem), NULL) == 0 && bundle_has_all(&b, want) &&
	       (!exactly || b.n == want->n);
}

bool world_all_have(struct world *w, const struct bundle *want, bool exactly)
{
	bool ok = true;

	pthread_mutex_lock(&w->api.lock);
	for (int o = MUTATING; o < OBJECTS; o++)
		for (int e = 0; e < ENTRIES; e++)
			ok = ok && has_bundle(w->api.bundle[o][e], want, exactly);
	pthread_mutex_unlock(&w->api.lock);
	return ok;
}

bool world_has_exactly(void *ctx)
{
	struct world *w = ctx;

	return world_all_have(w, w->wanted, true);
}

bool world_is_settled(void *ctx)
{
	struct world *w = ctx;
	_cleanup_store_ struct store s = {0};
	bool ok;

	pthread_mutex_lock(&w->api.lock);
	ok = read_secret(&w->api, &s);
	pthread_mutex_unlock(&w->api.lock);
	ok = ok && world_all_have(w, &s.bundle, false);
	for (int i = 0; i < REPLICAS; i++)
		ok = ok && (!w->health[i] || health_ok(w->health[i], HEALTH_READY));
	return ok;
}

void world_take_store(struct world *w, struct store *s)
{
	pthread_mutex_lock(&w->api.lock);
	CU_ASSERT(read_secret(&w->api, s));
	pthread_mutex_unlock(&w->api.lock);
}

void world_set_secret(struct world *w, const char *data, const char *type)
{
	pthread_mutex_lock(&w->api.lock);
	if (data)
		world_set_text(&w->api.data, span_str(data));
	world_tell(&w->api, SECRET, type);
	if (!data)
		free(TAKE_PTR(w->api.data));
	pthread_mutex_unlock(&w->api.lock);
}

