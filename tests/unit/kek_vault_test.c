/* SPDX-License-Identifier: Apache-2.0
 *
 * What Vault may answer, and key-encryption keys that it wraps, stored in Secrets. */
#include "webhook/broker/kek_wrapper.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "tests/unit/keys_api.h"
#include "tests/unit/test.h"
#include "webhook/broker/store.h"

#define SECRET "casemate-wrapped-keks"
#define ID     "0011223344556677"

/* --- a Vault: what it wraps is "vault:v1:" and the plaintext --- */

struct vault {
	pthread_mutex_t lock;
	struct fake_server *server;
	unsigned status;    /* of each answer; 0: 200 */
	const char *answer; /* its body; NULL: a good one */
	unsigned asked;
	char dir[64], token[80], address[64];
	struct kek_settings settings;
};

static void good_answer(const char *request, struct buf *out)
{
	static const struct json_limits limits = {65536, 64, 8};
	const char *body = strstr(request, "\r\n\r\n");
	_cleanup_json_ struct json doc = {0};
	char text[2048] = "";

	if (!body || json_parse(&doc, span_str(body + 4), &limits, NULL) < 0)
		return;
	if (strstr(request, "/v1/transit/encrypt/k ")) {
		json_copy(json_get(json_root(&doc), "plaintext"), text, sizeof(text));
		buf_printf(out, "{\"data\":{\"ciphertext\":\"vault:v1:%s\"}}", text);
	} else if (strstr(request, "/v1/transit/decrypt/k ")) {
		json_copy(json_get(json_root(&doc), "ciphertext"), text, sizeof(text));
		buf_printf(out, "{\"data\":{\"plaintext\":\"%s\"}}", text + strlen("vault:v1:"));
	}
}

static void serve(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	_cleanup_buf_ struct buf out = BUF_INIT(65536);
	struct vault *v = ctx;

	(void)n;
	pthread_mutex_lock(&v->lock);
	v->asked++;
	if (!strstr(request, "Authorization: Bearer hvs.token\r\n"))
		fake_respond(reply, 403, NULL, "{\"errors\":[\"permission denied\"]}");
	else if (v->answer || v->status)
		fake_respond(reply, v->status ? (int)v->status : 200, NULL,
			v->answer ? v->answer : "{\"errors\":[\"Vault is sealed\"]}");
	else {
		good_answer(request, &out);
		fake_respond(reply, 200, NULL, out.p ? out.p : "{}");
	}
	pthread_mutex_unlock(&v->lock);
}

static void answer_with(struct vault *v, unsigned status, const char *answer)
{
	pthread_mutex_lock(&v->lock);
	v->status = status;
	v->answer = answer;
	pthread_mutex_unlock(&v->lock);
}

static bool vault_begin(struct vault *v)
{
	*v = (struct vault){.dir = "/tmp/kek-vault-XXXXXX"};
	pthread_mutex_init(&v->lock, NULL);
	v->server = fake_server_start(serve, v);
	if (!v->server || !mkdtemp(v->dir))
		return false;
	snprintf(v->token, sizeof(v->token), "%s/token", v->dir);
	snprintf(v->address, sizeof(v->address), "http://127.0.0.1:%u/",
		fake_server_port(v->server));
	write_text(v->token, "hvs.token\n");
	v->settings = (struct kek_settings){.use = KEK_VAULT,
		.cache_usec = 3600 * (int64_t)USEC_PER_SEC,
		.vault = {.address = v->address,
			.mount = "transit",
			.key = "k",
			.ca_file = "",
			.token_file = v->token,
			.role = "",
			.auth_mount = "kubernetes",
			.account_token = ""},
		.pkcs11 = {"", "", "", ""}};
	return true;
}

static void vault_end(struct vault *v)
{
	fake_server_stop(v->server);
	unlink(v->token);
	rmdir(v->dir);
	pthread_mutex_destroy(&v->lock);
}

/* --- its answers --- */

struct outcome {
	bool done;
	int r;
	char result[KEK_WRAPPED_MAX], message[480];
};

static void on_done(void *ctx, int r, struct span result, const struct error *err)
{
	struct outcome *o = ctx;

	o->done = true;
	o->r = r;
	snprintf(o->result, sizeof(o->result), SPAN_FMT, SPAN_ARG(result));
	snprintf(o->message, sizeof(o->message), "%s", r < 0 ? err->message : "");
}

static struct outcome open_line(struct vault *v, const char *wrapped, const char *by)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	struct kek_line line = {.id = ID, .kind = KEK_VAULT};
	int64_t end = clock_monotonic_usec() + 60 * (int64_t)USEC_PER_SEC;
	struct kek_wrapper wrapper = {0};
	struct outcome o = {.r = 1};
	struct error err = {0};

	snprintf(line.wrapped, sizeof(line.wrapped), "%s", wrapped);
	snprintf(line.by, sizeof(line.by), "%s", by);
	CU_ASSERT_EQUAL(sd_event_new(&event), 0);
	CU_ASSERT_EQUAL(kek_vault_new(&wrapper, event, &v->settings, NULL), 0);
	o.r = wrapper.open(wrapper.self, &line, on_done, &o, &err);
	if (o.r < 0)
		snprintf(o.message, sizeof(o.message), "%s", err.message);
	while (o.r == 0 && !o.done && clock_monotonic_usec() < end)
		sd_event_run(event, 100 * USEC_PER_MSEC);
	wrapper.free(wrapper.self);
	return o;
}

static void test_answers(void)
{
	static const struct {
		const char *name;
		unsigned status;
		const char *answer;
		int want;
		const char *message;
	} rows[] = {
		{"good", 0, "{\"data\":{\"plaintext\":\"aGVsbG8=\"}}", 0, ""},
		{"sealed", 503, NULL, -EIO, "Vault is sealed"},
		{"denied", 403, "{\"errors\":[\"permission denied\"]}", -EACCES,
			"permission denied"},
		{"no errors", 500, "{}", -EIO, "answers 500"},
		{"errors of another kind", 500, "{\"errors\":[7]}", -EIO, "answers 500"},
		{"errors that would break a line", 400, "{\"errors\":[\"a\\nb\\u001b\"]}", -EIO,
			"a b"},
		{"errors of several lines", 403,
			"{\"errors\":[\"1 error occurred:\\n\\t* permission denied\\n\\n\"]}",
			-EACCES, "of transit/k: 1 error occurred: * permission denied"},
		{"errors of blanks alone", 400, "{\"errors\":[\"\\n\\n\"]}", -EIO, "answers 400"},
		{"no JSON", 0, "hello", -EBADMSG, "no JSON"},
		{"a cut answer", 0, "{\"data\":{\"plaintext\":\"aGVs", -EBADMSG, "no JSON"},
		{"no data", 0, "{}", -EBADMSG, "no result"},
		{"no plaintext", 0, "{\"data\":{}}", -EBADMSG, "no result"},
		{"a number", 0, "{\"data\":{\"plaintext\":7}}", -EBADMSG, "no result"},
		{"an empty one", 0, "{\"data\":{\"plaintext\":\"\"}}", -EBADMSG, "no result"},
		{"an escaped one", 0, "{\"data\":{\"plaintext\":\"\\u0061\"}}", -EBADMSG,
			"no result"},
		{"no base64", 0, "{\"data\":{\"plaintext\":\"%%%%\"}}", -EBADMSG, "no base64"},
		{"somewhere else", 307, "", -EIO, "answers 307"},
	};
	struct outcome o;
	struct vault v;

	if (!vault_begin(&v))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		answer_with(&v, rows[i].status, rows[i].answer);
		o = open_line(&v, "vault:v1:x", "transit/k");
		CHECK_ROW(rows[i].name,
			o.done && o.r == rows[i].want && strstr(o.message, rows[i].message),
			"%d %s", o.r, o.message);
		CHECK_STR(rows[i].name, span_str(o.result), rows[i].want == 0 ? "hello" : "");
	}
	answer_with(&v, 0, NULL);
	write_text(v.token, "hvs.other");
	CHECK_STR("another token",
		span_str(strstr(open_line(&v, "x", "transit/k").message, "perm")),
		"permission denied");
	write_text(v.token, "\n");
	CHECK_ROW("no token", open_line(&v, "x", "transit/k").r == -EBADMSG, "refused");
	vault_end(&v);
}

/* What an RSA key wrapped, anybody may have wrapped. */
#define TEN "AAAAAAAAAA"
#define RSA                                                                                        \
	"vault:v1:" TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN

/* A line is stored text: nothing in it leads elsewhere, and nothing of it is sent. */
static void test_lines(void)
{
	static const char *const rows[][2] = {{RSA, "transit/k"}, {"x", "transit"},
		{"x", "../sys/seal"}, {"x", "a/../b"}, {"x", "transit/k?x"}, {"x", "transit/k k"},
		{"x\"", "transit/k"}, {"x\\", "transit/k"}, {"x", "transit/k%2e"}};
	struct vault v;

	if (!vault_begin(&v))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct outcome o = open_line(&v, rows[i][0], rows[i][1]);

		CHECK_ROW(rows[i][1], o.r == -EBADMSG, "%d %s", o.r, o.message);
	}
	CU_ASSERT_EQUAL(v.asked, 0);
	vault_end(&v);
}

static void test_rsa(void)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	int64_t end = clock_monotonic_usec() + 60 * (int64_t)USEC_PER_SEC;
	struct kek_wrapper wrapper = {0};
	struct outcome o = {0};
	struct vault v;

	if (!vault_begin(&v))
		return;
	answer_with(&v, 0, "{\"data\":{\"ciphertext\":\"" RSA "\"}}");
	CU_ASSERT_EQUAL(sd_event_new(&event), 0);
	CU_ASSERT_EQUAL(kek_vault_new(&wrapper, event, &v.settings, NULL), 0);
	CU_ASSERT_EQUAL(wrapper.seal(wrapper.self, SPAN_LIT("a key"), on_done, &o, NULL), 0);
	while (!o.done && clock_monotonic_usec() < end)
		sd_event_run(event, 100 * USEC_PER_MSEC);
	CHECK_ROW("an RSA key", o.r == -EINVAL && strstr(o.message, "aes256-gcm96"), "%d %s", o.r,
		o.message);
	wrapper.free(wrapper.self);
	vault_end(&v);
}

/* --- a login --- */

struct login {
	pthread_mutex_t lock;
	int login, revoking; /* how those are answered */
	bool allowed;
	char asked[400];
};

static void serve_login(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	static const char denied[] = "{\"errors\":[\"permission denied\"]}";
	bool fresh = strstr(request, "Authorization: Bearer hvs.fresh\r\n");
	struct login *l = ctx;

	(void)n;
	pthread_mutex_lock(&l->lock);
	if (strstr(request, "POST /v1/auth/kubernetes/login ")) {
		strcat(l->asked, strstr(request, "{\"role\":\"r\",\"jwt\":\"hvs.token\"}")
					 ? "login "
					 : "? ");
		fake_respond(reply, l->login, NULL,
			l->login == 200 ? "{\"auth\":{\"client_token\":\"hvs.fresh\"}}"
					: "{\"errors\":[\"permission denied\"]}");
	} else if (fresh && strstr(request, "POST /v1/auth/token/revoke-self ")) {
		strcat(l->asked, "revoke ");
		fake_respond(reply, l->revoking, NULL,
			l->revoking == 204 ? "" : "{\"errors\":[\"no\"]}");
	} else {
		strcat(l->asked, fresh ? "decrypt " : "decrypt? ");
		fake_respond(reply, l->allowed ? 200 : 403, NULL,
			l->allowed ? "{\"data\":{\"plaintext\":\"aGVsbG8=\"}}" : denied);
	}
	pthread_mutex_unlock(&l->lock);
}

/* A token that was got in vain is given back, whatever comes of that. */
static void test_login(void)
{
	static const struct {
		const char *name;
		int login, revoking;
		bool allowed;
		int want;
		const char *asked, *message;
	} rows[] = {
		{"allowed", 200, 204, true, 0, "login decrypt ", ""},
		{"denied", 200, 204, false, -EACCES, "login decrypt revoke ",
			"transit/k: permission denied"},
		{"denied, and may not revoke", 200, 403, false, -EACCES, "login decrypt revoke ",
			"transit/k: permission denied"},
		{"not let in", 403, 204, true, -EACCES, "login ",
			"login as r at auth/kubernetes: permission denied"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct login l = {.login = rows[i].login,
			.revoking = rows[i].revoking,
			.allowed = rows[i].allowed};
		struct fake_server *server;
		struct outcome o;
		struct vault v;

		pthread_mutex_init(&l.lock, NULL);
		server = fake_server_start(serve_login, &l);
		if (!server || !vault_begin(&v))
			return;
		snprintf(v.address, sizeof(v.address), "http://127.0.0.1:%u",
			fake_server_port(server));
		v.settings.vault.token_file = "";
		v.settings.vault.role = "r";
		v.settings.vault.account_token = v.token;
		o = open_line(&v, "vault:v1:x", "transit/k");
		CHECK_ROW(rows[i].name, o.done && o.r == rows[i].want, "%d %s", o.r, o.message);
		CHECK_ROW(rows[i].name, strstr(o.message, rows[i].message), "%s", o.message);
		fake_server_stop(server);
		CHECK_STR(rows[i].name, span_str(l.asked), rows[i].asked);
		vault_end(&v);
		pthread_mutex_destroy(&l.lock);
	}
}

/* --- in Secrets --- */

enum { REPLICAS = 2 };

struct fix {
	struct keys_api api;
	struct vault vault;
	struct key_store *stores[REPLICAS];
};

static bool open_store(struct fix *f, size_t i)
{
	const struct key_store_options o = {.kube = f->api.kube.client,
		.event = f->api.kube.event,
		.namespace_ = "casemate",
		.kek = &f->vault.settings};
	struct error err = {0};

	return CHECK_ROW("open", key_store_new(&f->stores[i], &o, &err) == 0, "%s", err.message);
}

static bool are_known(void *ctx)
{
	struct fix *f = ctx;

	for (size_t i = 0; i < REPLICAS; i++)
		if (f->stores[i] && *key_store_problem(f->stores[i]))
			return false;
	return true;
}

static bool is_refused(void *ctx)
{
	const struct fix *f = ctx;

	return key_store_refused(f->stores[0]) && *key_store_problem(f->stores[0]);
}

static void close_stores(struct fix *f)
{
	for (size_t i = 0; i < REPLICAS; i++) {
		key_store_free(f->stores[i]);
		f->stores[i] = NULL;
	}
}

static bool begin(struct fix *f)
{
	*f = (struct fix){0};
	return keys_api_begin(&f->api) && vault_begin(&f->vault) && open_store(f, 0) &&
	       open_store(f, 1) &&
	       CHECK_ROW("known", kube_fix_wait(&f->api.kube, are_known, f), "%s",
		       key_store_problem(f->stores[0]));
}

static void end(struct fix *f)
{
	close_stores(f);
	vault_end(&f->vault);
	keys_api_end(&f->api);
}

static const char *first_kek(struct fix *f, size_t i)
{
	const struct kek_ring *keks = key_store_keks(f->stores[i]);

	return keks && keks->n ? keks->v[0].id : "";
}

static void on_written(void *ctx, int r, const struct error *err)
{
	(void)err;
	*(int *)ctx = r;
}

static const struct key_owner owner = {"shop", "ns-uid", "payments", "profile-uid"};

static bool is_written(void *ctx)
{
	return *(int *)ctx <= 0;
}

static void put(struct fix *f)
{
	_cleanup_record_ struct key_record rec = {0};
	struct error err = {0};
	int r = key_record_new(&rec, &owner, &err), done = 1;

	if (r == 0)
		r = key_record_add_version(&rec, key_record_add(&rec, "db"), KEY_PASSWORD, 5, 1000,
			SPAN_LIT("first"), key_store_keks(f->stores[0]), &err);
	if (r == 0)
		r = key_store_write(f->stores[0], &rec, on_written, &done, &err);
	CHECK_ROW("put", r == 0 && kube_fix_wait(&f->api.kube, is_written, &done) && done == 0,
		"%d %d %s", r, done, err.message);
}

static void on_fetched(void *ctx, const struct secret *key, unsigned version, enum reason reason,
	const struct error *err)
{
	(void)version;
	snprintf(ctx, 600, "%s", key ? key->p : err->message);
	if (!key)
		CU_ASSERT_EQUAL(reason, REASON_StoreUnavailable);
}

/* The key, or why not. */
static const char *fetch(struct fix *f, char text[600])
{
	CU_ASSERT_EQUAL(key_store_fetch(f->stores[0], &owner, "db", 0, on_fetched, text, NULL), 0);
	return text;
}

/* One is made, whoever is first; who comes later opens it. */
static void test_shared(void)
{
	char text[600];
	struct fix f;

	if (!begin(&f))
		return;
	CHECK_STR("the other's", span_str(first_kek(&f, 0)), first_kek(&f, 1));
	CU_ASSERT_EQUAL(keys_api_secrets(&f.api), 1);
	put(&f);
	close_stores(&f);
	if (open_store(&f, 0) && kube_fix_wait(&f.api.kube, are_known, &f))
		CHECK_STR("later", span_str(fetch(&f, text)), "first");
	CU_ASSERT_EQUAL(keys_api_secrets(&f.api), 2);
	end(&f);
}

static bool is_stored(void *ctx)
{
	return keys_api_secrets(ctx) == 2;
}

/* Deleted while a broker runs it is written back; while none does it is not made anew. */
static void test_deleted(void)
{
	_cleanup_free_ char *kept = NULL, *again = NULL;
	char text[600];
	struct fix f;

	if (!begin(&f))
		return;
	put(&f);
	/* One broker alone: else the other's write may come after the next removal. */
	key_store_free(TAKE_PTR(f.stores[1]));
	kept = keys_api_data(&f.api, SECRET);
	keys_api_remove(&f.api, SECRET);
	CU_ASSERT_TRUE(kube_fix_wait(&f.api.kube, is_stored, &f.api));
	again = keys_api_data(&f.api, SECRET);
	CHECK_STR("written back", span_str(again), kept ? kept : "");
	close_stores(&f);
	keys_api_remove(&f.api, SECRET);
	open_store(&f, 0);
	CHECK_ROW("gone", kube_fix_wait(&f.api.kube, is_refused, &f), "%s",
		key_store_problem(f.stores[0]));
	CHECK_ROW("said", strstr(fetch(&f, text), "None is made anew"), "%s", text);
	CU_ASSERT_EQUAL(keys_api_secrets(&f.api), 1);
	end(&f);
}

/* While Vault is sealed nobody who has just started has a key; afterwards all have. */
static void test_sealed(void)
{
	char text[600];
	struct fix f;

	if (!begin(&f))
		return;
	put(&f);
	close_stores(&f);
	answer_with(&f.vault, 503, NULL);
	open_store(&f, 0);
	CHECK_ROW("sealed", kube_fix_wait(&f.api.kube, is_refused, &f), "%s",
		key_store_problem(f.stores[0]));
	CHECK_ROW("said", strstr(fetch(&f, text), "Vault is sealed"), "%s", text);
	answer_with(&f.vault, 0, NULL);
	CHECK_ROW("open", kube_fix_wait(&f.api.kube, are_known, &f), "%s",
		key_store_problem(f.stores[0]));
	CHECK_STR("open", span_str(fetch(&f, text)), "first");
	end(&f);
}

/* What is wrapped is exchanged for another key that Vault opens: it is not taken for the first. */
static void test_exchanged(void)
{
	_cleanup_buf_ struct buf text = BUF_INIT(4096), data = BUF_INIT(8192);
	struct fix f;

	if (!begin(&f))
		return;
	put(&f);
	buf_printf(&text,
		"casemate-keks/1\n%s vault "
		"vault:v1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8= transit/k\n",
		first_kek(&f, 0));
	buf_puts(&data, "{\"record\":\"");
	buf_base64(&data, text.p, text.len);
	buf_puts(&data, "\"}");
	close_stores(&f);
	keys_api_put(&f.api, SECRET, data.p, false);
	open_store(&f, 0);
	CHECK_ROW("exchanged", kube_fix_wait(&f.api.kube, is_refused, &f), "%s",
		key_store_problem(f.stores[0]));
	CHECK_ROW("exchanged", strstr(key_store_problem(f.stores[0]), "its line was changed"), "%s",
		key_store_problem(f.stores[0]));
	end(&f);
}

CU_TestInfo kek_vault_tests[] = {
	{"answers", test_answers},
	{"lines", test_lines},
	{"an RSA key", test_rsa},
	{"login", test_login},
	{"replicas share", test_shared},
	{"deleted", test_deleted},
	{"sealed", test_sealed},
	{"exchanged", test_exchanged},
	CU_TEST_INFO_NULL,
};
