/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/keys_world.h"

#include <errno.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/codec.h"
#include "common/kbs/jwe.h"
#include "common/kbs/packet.h"
#include "common/kbs/rcar.h"
#include "common/kbs/versions.h"
#include "nodeagent/kubelet/deviceplugin.pb-c.h"
#include "nodeagent/kubelet/message.h"
#include "nodeagent/kubelet/plugin.h"
#include "nodeagent/kubelet/podresources.pb-c.h"
#include "tests/unit/test.h"

#define NONCE "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define NODE_TOKEN                                                                                 \
	"eyJhbGciOiJub25lIn0."                                                                     \
	"eyJleHAiOjE3OTU4NjcyMDAsImt1YmVybmV0ZXMuaW8iOnsibm9kZSI6eyJuYW1lIjoibm9kZS0xIiwidWlkIjoi" \
	"MTIzNCJ9fX0.c2ln"

/* --- the broker and the API server, on the server's thread --- */

/* Is the report data of the evidence that of what is in the request? */
static bool is_bound(struct keys_world *w, const struct rcar_attest *a)
{
	_cleanup_buf_ struct buf additional = BUF_INIT(4096);
	unsigned char want[64] = {0};
	bool same;

	if (!span_is(a->nonce, NONCE) || !span_is(a->who.node_token, NODE_TOKEN) ||
		!span_is(a->who.container, w->held_container) || !a->who.pod_token.len ||
		rcar_additional_write(&additional, &a->who) < 0 ||
		!span_equal(buf_view(&additional), a->additional) ||
		rcar_report_data(want, a->nonce, a->tee_pubkey, a->additional) < 0 ||
		!json_is_string(json_get(a->primary, "evidence")))
		return false;
	pthread_mutex_lock(&w->lock);
	same = memcmp(want, w->report_data, sizeof(want)) == 0;
	pthread_mutex_unlock(&w->lock);
	return same;
}

static void attest(struct keys_world *w, const char *request, struct fake_reply *reply)
{
	const char *body = strstr(request, "\r\n\r\n");
	_cleanup_rcar_attest_ struct rcar_attest a = {0};
	bool session = strcasestr(request, "\r\ncookie: " RCAR_COOKIE "=s\r\n");

	free(w->attested);
	w->attested = strdup(body + 4);
	atomic_store(&w->bound, session && rcar_attest_read(&a, span_str(w->attested), NULL) == 0 &&
					is_bound(w, &a));
	fake_respond(reply, 200, "Set-Cookie: " RCAR_COOKIE "=attested; Path=/\r\n",
		"{\"token\":\"t\"}");
}

static void resource(struct keys_world *w, const char *request, struct fake_reply *reply)
{
	_cleanup_rcar_attest_ struct rcar_attest a = {0};
	_cleanup_buf_ struct buf jwe = BUF_INIT(1 << 16);
	struct jwk to = {0};
	int status = atomic_load(&w->status);
	unsigned version = atomic_load(&w->version);
	char key[32] = "s3cret", etag[32] = "";

	if (version)
		snprintf(etag, sizeof(etag), "ETag: \"%u\"\r\n", version);
	if (version > 1)
		snprintf(key, sizeof(key), "s3cret-%u", version);
	if (!strcasestr(request, "\r\ncookie: " RCAR_COOKIE "=attested\r\n")) {
		fake_respond(reply, 401, NULL, "{}");
	} else if (status != 200) {
		fake_respond(reply, status, NULL, atomic_load(&w->refusal));
	} else if (!strstr(request, RCAR_PATH_RESOURCE "ns/profile/key ") ||
		   rcar_attest_read(&a, span_str(w->attested), NULL) < 0 ||
		   jwk_read(&to, a.tee_pubkey, NULL) < 0 ||
		   jwe_seal(&jwe, &to, span_str(key), NULL) < 0) {
		fake_respond(reply, 500, NULL, "{}");
	} else {
		fake_respond(reply, 200, etag, jwe.p);
	}
	jwk_free(&to);
}

/* The broker's key is KEYS_WORLD_KEK. */
static void unwrap(struct keys_world *w, const char *request, struct fake_reply *reply)
{
	_cleanup_rcar_attest_ struct rcar_attest a = {0};
	_cleanup_buf_ struct buf jwe = BUF_INIT(1 << 16);
	_cleanup_packet_ struct packet packet = {0};
	_cleanup_secret_ struct secret plain = {0};
	const char *body = strstr(request, "\r\n\r\n");
	struct jwk to = {0};
	int status = atomic_load(&w->status);

	if (status != 200) {
		fake_respond(reply, status, NULL, atomic_load(&w->refusal));
	} else if (!strstr(request, "POST " RCAR_PATH_UNWRAP "ns/profile/key ") ||
		   rcar_attest_read(&a, span_str(w->attested), NULL) < 0 || a.who.pod_token.len ||
		   jwk_read(&to, a.tee_pubkey, NULL) < 0 ||
		   packet_read(&packet, span_str(body + 4), NULL) < 0 ||
		   packet_open(&plain, &packet, SPAN_LIT(KEYS_WORLD_KEK), NULL) < 0 ||
		   jwe_seal(&jwe, &to, secret_view(&plain), NULL) < 0) {
		fake_respond(reply, 500, NULL, "{}");
	} else {
		fake_respond(reply, 200, NULL, jwe.p);
	}
	jwk_free(&to);
}

/* For "ns/profile/key" alone, and with the agent's token. */
static void versions(struct keys_world *w, const char *request, struct fake_reply *reply)
{
	const char *body = strstr(request, "\r\n\r\n");
	char text[64];

	atomic_fetch_add(&w->polls, 1);
	snprintf(text, sizeof(text), "{\"versions\":[%u]}",
		atomic_load(&w->told_of) ? atomic_load(&w->version) : 0);
	if (!strcasestr(request, "\r\nauthorization: bearer " NODE_TOKEN "\r\n"))
		fake_respond(reply, 401, NULL, "{}");
	else if (!span_is(span_str(body + 4), "{\"keys\":[\"ns/profile/key\"]}"))
		fake_respond(reply, 500, NULL, "{}");
	else
		fake_respond(reply, 200, NULL, text);
}

static void get_pod(struct keys_world *w, struct fake_reply *reply)
{
	const char *annotation = atomic_load(&w->annotation);
	char pod[2048];

	snprintf(pod, sizeof(pod),
		"{\"metadata\":{\"name\":\"pod-1\",\"namespace\":\"ns\",\"uid\":\"" KEYS_WORLD_UID
		"\",\"annotations\":{\"%s\":\"%s\"}}}",
		annotation ? "casemate.dev/files.app" : "other", annotation ? annotation : "");
	fake_respond(reply, 200, "Content-Type: application/json\r\n", pod);
}

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	struct keys_world *w = ctx;

	(void)n;
	if (strstr(request, RCAR_PATH_AUTH))
		fake_respond(reply, 200, "Set-Cookie: " RCAR_COOKIE "=s; Path=/\r\n",
			"{\"nonce\":\"" NONCE "\",\"extra-params\":\"\"}");
	else if (strstr(request, RCAR_PATH_ATTEST))
		attest(w, request, reply);
	else if (strstr(request, RCAR_PATH_RESOURCE))
		resource(w, request, reply);
	else if (strstr(request, RCAR_PATH_UNWRAP))
		unwrap(w, request, reply);
	else if (strstr(request, VERSIONS_PATH))
		versions(w, request, reply);
	else if (strstr(request, "/api/v1/namespaces/ns/pods/pod-1"))
		get_pod(w, reply);
	else
		fake_respond(reply, 404, NULL, "{}");
}

/* --- the kubelet --- */

static ProtobufCBinaryData bytes_of(const char *s)
{
	return (ProtobufCBinaryData){strlen(s), (uint8_t *)s};
}

static void list(void *ctx, struct grpc_call *call, struct span message)
{
	struct keys_world *w = ctx;
	_cleanup_buf_ struct buf out = BUF_INIT(1 << 16);
	V1__ListPodResourcesResponse all = V1__LIST_POD_RESOURCES_RESPONSE__INIT;
	V1__PodResources pod = V1__POD_RESOURCES__INIT, *pods[] = {&pod};
	V1__ContainerResources container = V1__CONTAINER_RESOURCES__INIT,
			       *containers[] = {&container};
	V1__ContainerDevices device = V1__CONTAINER_DEVICES__INIT, *devices[] = {&device};
	ProtobufCBinaryData id = bytes_of(w->held_id);

	(void)message;
	pod.name = bytes_of(w->held_pod);
	pod.namespace_ = bytes_of("ns");
	container.name = bytes_of(w->held_container);
	device.resource_name = bytes_of("casemate.dev/keys");
	device.device_ids = &id;
	device.n_device_ids = 1;
	container.devices = devices;
	container.n_devices = 1;
	pod.containers = containers;
	pod.n_containers = 1;
	all.pod_resources = pods;
	all.n_pod_resources = 1;
	message_pack(&out, &all.base);
	grpc_reply(call, buf_view(&out));
	grpc_finish(call, GRPC_OK, NULL);
}

static bool start_resources(struct keys_world *w)
{
	static const char *const prefixes[] = {"casemate.dev/", NULL};
	static const struct grpc_method methods[] = {{"/v1.PodResourcesLister/List", list}};
	char path[160];
	struct grpc_server_options o = {.path = path, .methods = methods, .n_methods = 1, .ctx = w};

	snprintf(path, sizeof(path), "%s/resources.sock", w->kube.dir);
	CU_ASSERT_EQUAL(grpc_server_start(&w->resources_server, w->kube.event, &o, NULL), 0);
	CU_ASSERT_EQUAL(pod_resources_new(&w->resources, w->kube.event, path, prefixes, NULL), 0);
	return w->resources;
}

/* --- the agent --- */

static const char *tee(void *ctx)
{
	(void)ctx;
	return "simulated";
}

static int prove(void *ctx, const unsigned char report_data[64], struct evidence_job **ret,
	evidence_done done, void *done_ctx, struct error *err)
{
	struct keys_world *w = ctx;
	_cleanup_evidence_request_ struct evidence_request q = {.source = EVIDENCE_SIMULATED,
		.simulated = {.tee = "tdx", .node = "node-1", .node_uid = "1234"},
		.key = w->tee_key,
		.certificate = strdup("certificate")};

	EVP_PKEY_up_ref(w->tee_key);
	memcpy(q.report_data, report_data, sizeof(q.report_data));
	pthread_mutex_lock(&w->lock);
	memcpy(w->report_data, report_data, sizeof(w->report_data));
	pthread_mutex_unlock(&w->lock);
	return evidence_start(ret, w->queue, &q, done, done_ctx, err);
}

static void on_ended(void *ctx, const struct keys_event *e)
{
	struct keys_world *w = ctx;

	w->ended++;
	snprintf(w->told, sizeof(w->told), "%s/%s/%s %zu %s %s: %s", e->namespace_, e->pod,
		e->container, e->n,
		e->again   ? "again"
		: e->files ? "files"
			   : "socket",
		e->why ? e->why->reason : "Ok", e->why ? e->why->message : "");
}

bool keys_world_renew(struct keys_world *w)
{
	char url[64];
	const struct keys_options o = {
		.event = w->kube.event,
		.dir = w->dir,
		.state = w->state,
		.program = w->program,
		.disk_allowed = true,
		.url = url,
		.ca_file = "",
		.token_file = w->kube.token,
		.pods_dir = w->pods,
		.prover = &w->prover,
		.pod_resources = w->resources,
		.kube = w->kube.client,
		.metrics = w->keys ? NULL : w->kube.metrics,
		.ended = on_ended,
		.ctx = w,
		.refresh_usec = w->refresh_usec,
		.timeout_usec = w->timeout_usec,
	};
	struct error err = {0};

	keys_free(w->keys);
	w->keys = NULL;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/", fake_server_port(w->kube.server));
	return CHECK_ROW("keys", keys_new(&w->keys, &o, &err) == 0, "%s", err.message);
}

static bool start_plugins(struct keys_world *w)
{
	const struct plugins_options o = {.dir = w->plugin_dir};
	struct resource r = keys_resource(w->keys);

	CU_ASSERT_EQUAL(plugins_new(&w->plugins, w->kube.event, &o, NULL), 0);
	CU_ASSERT_EQUAL(plugins_add(w->plugins, &r, NULL), 0);
	CU_ASSERT_EQUAL(plugins_set(w->plugins, r.name, 4, true, "", NULL), 0);
	w->kubelet.event = w->kube.event;
	w->kubelet.dir = w->plugin_dir;
	fake_kubelet_start(&w->kubelet);
	return FAKE_UNTIL(w->kube.event, plugins_at(w->plugins, 0).state == PLUGIN_REGISTERED);
}

bool keys_world_begin(struct keys_world *w)
{
	pthread_mutex_init(&w->lock, NULL);
	atomic_store(&w->status, 200);
	w->held_id = "key-0";
	w->held_pod = "pod-1";
	w->held_container = "app";
	if (!kube_fix_begin(&w->kube, answer, w))
		return false;
	kube_fix_token(&w->kube, NODE_TOKEN);
	snprintf(w->dir, sizeof(w->dir), "%.40s/run", w->kube.dir);
	snprintf(w->state, sizeof(w->state), "%.40s/state", w->kube.dir);
	snprintf(w->pods, sizeof(w->pods), "%.40s/pods", w->kube.dir);
	snprintf(w->plugin_dir, sizeof(w->plugin_dir), "%.40s/plugins", w->kube.dir);
	snprintf(w->program, sizeof(w->program), "%.40s/program", w->kube.dir);
	CU_ASSERT_EQUAL(mkdir(w->plugin_dir, 0700), 0);
	write_text(w->program, "program");
	w->tee_key = EVP_EC_gen("P-256");
	w->prover = (struct key_prover){.tee = tee, .start = prove, .ctx = w};
	CU_ASSERT_EQUAL(loop_queue_new(&w->queue, w->kube.event, 8), 0);
	return start_resources(w) && keys_world_renew(w) && start_plugins(w);
}

void keys_world_end(struct keys_world *w)
{
	pod_resources_free(w->resources);
	keys_free(w->keys);
	plugins_free(w->plugins);
	fake_kubelet_stop(&w->kubelet, false);
	grpc_server_stop(w->resources_server);
	loop_queue_free(w->queue);
	EVP_PKEY_free(w->tee_key);
	if (w->kube.dir[0]) {
		char command[512];

		snprintf(command, sizeof(command), "rm -rf %s/run %s/state %s/pods %s/plugins %s",
			w->kube.dir, w->kube.dir, w->kube.dir, w->kube.dir, w->program);
		CU_ASSERT_EQUAL(system(command), 0);
	}
	kube_fix_end(&w->kube);
	free(w->attested);
	pthread_mutex_destroy(&w->lock);
}

/* --- what the kubelet asks for --- */

static void call(
	struct keys_world *w, const char *method, const ProtobufCMessage *m, struct fake_answer *a)
{
	_cleanup_buf_ struct buf request = BUF_INIT(4096);

	message_pack(&request, m);
	fake_kubelet_call(
		fake_kubelet_find(&w->kubelet, "casemate.dev/keys"), method, buf_view(&request), a);
}

void keys_world_allocate(struct keys_world *w, const char *id, char ret[128])
{
	V1beta1__ContainerAllocateRequest c = V1BETA1__CONTAINER_ALLOCATE_REQUEST__INIT,
					  *cs[] = {&c};
	V1beta1__AllocateRequest q = V1BETA1__ALLOCATE_REQUEST__INIT;
	_cleanup_arena_ struct arena m = ARENA_INIT(1 << 16);
	ProtobufCBinaryData bytes = bytes_of(id);
	const V1beta1__AllocateResponse *response;
	const V1beta1__ContainerAllocateResponse *got;
	ProtobufCMessage *message;
	struct fake_answer a;

	ret[0] = '\0';
	c.devices_ids = &bytes;
	c.n_devices_ids = 1;
	q.container_requests = cs;
	q.n_container_requests = 1;
	call(w, "Allocate", &q.base, &a);
	CHECK_ROW(id, a.status == GRPC_OK, "%s", a.message);
	if (message_unpack(&message, &m, &v1beta1__allocate_response__descriptor,
		    buf_view(&a.bytes), NULL) == 0 &&
		a.status == GRPC_OK) {
		response = (const V1beta1__AllocateResponse *)message;
		got = response->container_responses[0];
		CU_ASSERT_EQUAL(got->n_mounts, 2);
		CU_ASSERT_STRING_EQUAL(got->mounts[0]->container_path, "/run/casemate");
		CU_ASSERT_STRING_EQUAL(
			got->mounts[1]->container_path, "/run/casemate/casemate-exec");
		CU_ASSERT(got->mounts[0]->read_only && got->mounts[1]->read_only);
		snprintf(ret, 128, "%s", got->mounts[0]->host_path);
	}
	buf_free(&a.bytes);
}

const char *keys_world_start(struct keys_world *w, const char *id, struct fake_answer *a)
{
	V1beta1__PreStartContainerRequest q = V1BETA1__PRE_START_CONTAINER_REQUEST__INIT;
	ProtobufCBinaryData bytes = bytes_of(id);

	q.devices_ids = &bytes;
	q.n_devices_ids = 1;
	call(w, "PreStartContainer", &q.base, a);
	buf_free(&a->bytes);
	return a->status == GRPC_OK ? "" : a->message;
}

/* --- containers --- */

char *keys_world_token(const char *pod, const char *uid)
{
	char claims[1024], text[2048], *token;
	int n = snprintf(claims, sizeof(claims),
		"{\"exp\":1795867200,\"iat\":1795866600,\"kubernetes.io\":{\"namespace\":\"ns\","
		"\"pod\":{\"name\":\"%s\",\"uid\":\"%s\"},\"serviceaccount\":{\"name\":\"sa\","
		"\"uid\":\"1\"}}}",
		pod, uid);

	EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)claims, n);
	for (char *p = text; *p; p++)
		*p = *p == '+' ? '-' : *p == '/' ? '_' : *p;
	text[strcspn(text, "=")] = '\0';
	return asprintf(&token, "e30.%s.c2ln", text) < 0 ? NULL : token;
}

void keys_world_project(struct keys_world *w, const char *token)
{
	char command[1024], path[512];

	snprintf(path, sizeof(path),
		"%s/" KEYS_WORLD_UID "/volumes/kubernetes.io~projected/casemate-token", w->pods);
	snprintf(command, sizeof(command), "mkdir -p '%s'", path);
	CU_ASSERT_EQUAL(system(command), 0);
	strcat(path, "/token");
	write_text(path, token);
}

static void *ask(void *arg)
{
	struct asker *a = arg;
	const struct span key = span_str(a->key ? a->key : "profile/key");

	a->r = exec_exchange(a->keys, &a->answer, a->socket, a->token, &key, 1,
		clock_monotonic_usec() + 60 * (int64_t)USEC_PER_SEC, &a->err);
	atomic_store(&a->done, true);
	return NULL;
}

void keys_world_ask(struct keys_world *w, struct asker *a, const char *folder, const char *token)
{
	a->answer = (struct exec_answer){0};
	a->err = (struct error){0};
	atomic_store(&a->done, false);
	snprintf(a->socket, sizeof(a->socket), "%s/key.sock", folder);
	snprintf(a->token, sizeof(a->token), "%s/token-%p", w->kube.dir, (void *)a);
	write_text(a->token, token);
	CU_ASSERT_EQUAL(pthread_create(&a->thread, NULL, ask, a), 0);
}

bool keys_world_answered(struct keys_world *w, struct asker *a)
{
	bool in_time = FAKE_UNTIL(w->kube.event, atomic_load(&a->done));

	pthread_join(a->thread, NULL);
	unlink(a->token);
	return in_time;
}
