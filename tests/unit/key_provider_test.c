/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/keys/provider.h"

#include <stdio.h>
#include <string.h>

#include "common/base/json.h"
#include "common/kbs/keyprovider.h"
#include "common/kbs/packet.h"
#include "common/net/grpc.h"
#include "tests/unit/keys_world.h"
#include "tests/unit/test.h"

#define OPTIONS "{\"symkey\":\"c3ltbWV0cmlj\"}"
#define REFUSAL                                                                                    \
	"{\"type\":\"https://github.com/confidential-containers/kbs/errors/PolicyDeny\","          \
	"\"detail\":\"no pod names the image\",\"reason\":\"WorkloadNotAllowed\"}"

/* A decoder of containerd: one call. */
struct decoder {
	struct buf answer;
	bool done;
	enum grpc_status status;
	char message[1024];
};

static void on_message(void *ctx, struct span message)
{
	struct decoder *d = ctx;

	buf_span(&d->answer, message);
}

static void on_done(void *ctx, enum grpc_status status, const char *message)
{
	struct decoder *d = ctx;

	d->done = true;
	d->status = status;
	snprintf(d->message, sizeof(d->message), "%s", message);
}

static void ask(struct keys_world *w, const char *path, struct span json, struct decoder *d)
{
	_cleanup_secret_ struct secret message = {0};
	struct grpc_channel *channel = NULL;
	char socket[128];

	*d = (struct decoder){.answer = BUF_INIT(1 << 16)};
	snprintf(socket, sizeof(socket), "%s/provider.sock", w->kube.dir);
	CU_ASSERT_EQUAL(keyprovider_frame(&message, json), 0);
	if (grpc_channel_open(&channel, w->kube.event,
		    &(struct grpc_channel_options){.path = socket}, NULL) < 0) {
		CU_FAIL("the socket does not answer");
		return;
	}
	CU_ASSERT_EQUAL(grpc_start(channel,
				&(struct grpc_stream_options){.path = path,
					.message = secret_view(&message),
					.timeout_usec = 20 * 1000000,
					.message_received = on_message,
					.done = on_done,
					.ctx = d},
				NULL, NULL),
		0);
	FAKE_UNTIL(w->kube.event, d->done);
	grpc_channel_free(channel);
}

/* What containerd sends for a layer whose key is wrapped for kid. */
static void request(struct buf *out, const char *kid, const char *kek)
{
	_cleanup_buf_ struct buf packet = BUF_INIT(PACKET_MAX);

	CU_ASSERT_EQUAL(packet_seal(&packet, kid, span_str(kek), SPAN_LIT(OPTIONS), NULL), 0);
	buf_puts(out, "{\"op\":\"keyunwrap\",\"keywrapparams\":{\"ec\":null,\"optsdata\":null},"
		      "\"keyunwrapparams\":{\"dc\":{\"Parameters\":{}},\"annotation\":\"");
	buf_base64(out, packet.p, packet.len);
	buf_puts(out, "\"}}");
}

/* {"keyunwrapresults":{"optsdata":[…]}} */
static bool has_options(const struct decoder *d)
{
	static const struct json_limits limits = {1 << 16, 4096, 8};
	_cleanup_json_ struct json doc = {0};
	struct span json = SPAN_NONE, want = SPAN_LIT(OPTIONS);
	struct json_val bytes;
	struct json_iter it;

	if (keyprovider_unframe(&json, buf_view(&d->answer), NULL) < 0 ||
		json_parse(&doc, json, &limits, NULL) < 0)
		return false;
	bytes = json_find(json_root(&doc), "keyunwrapresults", "optsdata");
	if (json_count(bytes) != want.len)
		return false;
	json_each (it, bytes) {
		int64_t n = -1;

		if (!json_int(it.value, &n) || n != want.p[it.index])
			return false;
	}
	return true;
}

static bool begin(struct keys_world *w, struct key_provider **ret)
{
	char url[64], socket[128];
	struct error err = {0};

	if (!keys_world_begin(w))
		return false;
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", fake_server_port(w->kube.server));
	snprintf(socket, sizeof(socket), "%s/provider.sock", w->kube.dir);
	return CHECK_ROW("start",
		key_provider_new(ret,
			&(struct key_provider_options){.event = w->kube.event,
				.socket = socket,
				.url = url,
				.ca_file = "",
				.token_file = w->kube.token,
				.prover = &w->prover},
			&err) == 0,
		"%s", err.message);
}

static const struct {
	const char *row, *kid, *kek;
	int status; /* of the broker */
	enum grpc_status want;
	const char *says;
} layers[] = {
	{"right", "kbs:///ns/profile/key", KEYS_WORLD_KEK, 200, GRPC_OK, ""},
	{"refused", "kbs:///ns/profile/key", KEYS_WORLD_KEK, 403, GRPC_PERMISSION_DENIED,
		"WorkloadNotAllowed: no pod names the image"},
	{"the broker is away", "kbs:///ns/profile/key", KEYS_WORLD_KEK, 503, GRPC_UNAVAILABLE,
		"no pod names the image"},
	{"no name of a key", "kbs:///ns/key", KEYS_WORLD_KEK, 200, GRPC_INVALID_ARGUMENT,
		"Malformed: "},
	{"somebody else's service", "https://elsewhere/key", KEYS_WORLD_KEK, 200,
		GRPC_INVALID_ARGUMENT, "Malformed: "},
};

static void test_layers(void)
{
	struct keys_world w = {0};
	struct key_provider *p = NULL;

	if (begin(&w, &p)) {
		atomic_store(&w.refusal, REFUSAL);
		for (size_t i = 0; i < ARRAY_SIZE(layers); i++) {
			_cleanup_buf_ struct buf json = BUF_INIT(1 << 16);
			struct decoder d;

			atomic_store(&w.status, layers[i].status);
			request(&json, layers[i].kid, layers[i].kek);
			ask(&w, KEYPROVIDER_PATH_UNWRAP, buf_view(&json), &d);
			CHECK_ROW(layers[i].row, d.status == layers[i].want, "%d %s", d.status,
				d.message);
			CHECK_ROW(
				layers[i].row, strstr(d.message, layers[i].says), "%s", d.message);
			CU_ASSERT_EQUAL(has_options(&d), layers[i].want == GRPC_OK);
			buf_free(&d.answer);
		}
	}
	key_provider_free(p);
	keys_world_end(&w);
}

static void test_other_requests(void)
{
	struct keys_world w = {0};
	struct key_provider *p = NULL;
	struct decoder d;

	if (begin(&w, &p)) {
		ask(&w, KEYPROVIDER_PATH_WRAP, SPAN_LIT("{}"), &d);
		CU_ASSERT_EQUAL(d.status, GRPC_UNIMPLEMENTED);
		CHECK_ROW(
			"wrap", strstr(d.message, "casemate-webhook keyprovider"), "%s", d.message);
		buf_free(&d.answer);
		ask(&w, KEYPROVIDER_PATH_UNWRAP, SPAN_LIT("{\"op\":\"keyunwrap\"}"), &d);
		CU_ASSERT_EQUAL(d.status, GRPC_INVALID_ARGUMENT);
		buf_free(&d.answer);
		ask(&w, KEYPROVIDER_PATH_UNWRAP, SPAN_LIT("[]"), &d);
		CU_ASSERT_EQUAL(d.status, GRPC_INVALID_ARGUMENT);
		buf_free(&d.answer);
	}
	key_provider_free(p);
	keys_world_end(&w);
}

const CU_TestInfo key_provider_tests[] = {
	{"layers", test_layers},
	{"other requests", test_other_requests},
	CU_TEST_INFO_NULL,
};
