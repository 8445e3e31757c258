/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/keys_api.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/json.h"
#include "tests/unit/test.h"

#define KEK "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"

enum { OBJECT_MAX = 4 << 20 };

static const struct json_limits limits = {OBJECT_MAX, 8192, 64};

/* --- Secrets; the lock is held --- */

static struct keys_api_secret *find_secret(struct keys_api *a, const char *name)
{
	for (size_t i = 0; i < KEYS_API_SECRETS; i++)
		if (a->secrets[i].body && strcmp(a->secrets[i].name, name) == 0)
			return &a->secrets[i];
	return NULL;
}

/* The object with the metadata that the API server gives it. */
static void write_secret(struct buf *b, const struct keys_api_secret *s)
{
	_cleanup_json_ struct json doc = {0};
	struct span data;

	json_parse(&doc, span_str(s->body), &limits, NULL);
	data = json_raw(json_get(json_root(&doc), "data"));
	buf_printf(b,
		"{\"metadata\":{\"name\":\"%s\",\"namespace\":\"casemate\",\"resourceVersion\":"
		"\"%u\"},\"data\":",
		s->name, s->version);
	buf_span(b, data);
	buf_putc(b, '}');
}

static void tell(struct keys_api *a, const struct keys_api_secret *s, const char *type)
{
	_cleanup_buf_ struct buf event = BUF_INIT(OBJECT_MAX), chunk = BUF_INIT(OBJECT_MAX);

	buf_printf(&event, "{\"type\":\"%s\",\"object\":", type);
	write_secret(&event, s);
	buf_puts(&event, "}\n");
	buf_printf(&chunk, "%zx\r\n", event.len);
	buf_span(&chunk, buf_view(&event));
	buf_puts(&chunk, "\r\n");
	for (size_t i = 0; i < a->n_watches && !a->deaf; i++)
		if (a->watches[i].name[0] ? strcmp(a->watches[i].name, s->name) == 0 : s->labelled)
			fake_server_push(a->server, a->watches[i].request, chunk.p, chunk.len);
}

static void keep_secret(struct keys_api *a, const char *name, const char *body, bool labelled)
{
	struct keys_api_secret *s = find_secret(a, name);
	bool fresh = !s;

	for (size_t i = 0; i < KEYS_API_SECRETS && !s; i++)
		if (!a->secrets[i].body)
			s = &a->secrets[i];
	if (!s) {
		CU_FAIL("too many Secrets");
		return;
	}
	free(s->body);
	s->body = strdup(body);
	snprintf(s->name, sizeof(s->name), "%s", name);
	s->labelled = labelled;
	s->version = a->changed = ++a->version;
	tell(a, s, fresh ? "ADDED" : "MODIFIED");
}

static void drop_secret(struct keys_api *a, struct keys_api_secret *s)
{
	s->version = a->changed = ++a->version;
	tell(a, s, "DELETED");
	free(s->body);
	*s = (struct keys_api_secret){0};
}

static bool is_version(struct json_val v, unsigned version)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", version);
	return json_str_is(v, text);
}

static void change_secret(struct keys_api *a, const char *method, const char *path,
	const char *body, struct fake_reply *reply)
{
	_cleanup_buf_ struct buf out = BUF_INIT(OBJECT_MAX);
	_cleanup_json_ struct json doc = {0};
	struct json_val metadata;
	struct keys_api_secret *s;
	bool create = strcmp(method, "POST") == 0, remove = strcmp(method, "DELETE") == 0;
	char name[254] = "";

	json_parse(&doc, span_str(body), &limits, NULL);
	metadata = json_get(json_root(&doc), remove ? "preconditions" : "metadata");
	if (create)
		json_copy(json_get(metadata, "name"), name, sizeof(name));
	else
		snprintf(name, sizeof(name), "%s", strrchr(path, '/') + 1);
	s = find_secret(a, name);
	if (s && (create || !is_version(json_get(metadata, "resourceVersion"), s->version))) {
		fake_respond(reply, 409, NULL, "{\"message\":\"conflict\"}");
	} else if (!s && !create) {
		fake_respond(reply, 404, NULL, "{\"message\":\"not found\"}");
	} else if (s && remove) {
		drop_secret(a, s);
		fake_respond(reply, 200, NULL, "{}");
	} else {
		keep_secret(a, name, body,
			json_str_is(json_find(metadata, "labels", "casemate.dev/store"), "keys"));
		write_secret(&out, find_secret(a, name));
		fake_respond(reply, 200, NULL, out.p);
	}
}

static void list_secrets(struct keys_api *a, const char *name, struct fake_reply *reply)
{
	_cleanup_buf_ struct buf b = BUF_INIT(OBJECT_MAX);
	const char *separator = "";

	buf_printf(&b, "{\"metadata\":{\"resourceVersion\":\"%u\"},\"items\":[", a->version);
	for (size_t i = 0; i < KEYS_API_SECRETS; i++) {
		const struct keys_api_secret *s = &a->secrets[i];

		if (!s->body || (*name ? strcmp(s->name, name) != 0 : !s->labelled))
			continue;
		buf_puts(&b, separator);
		write_secret(&b, s);
		separator = ",";
	}
	buf_puts(&b, "]}");
	fake_respond(reply, 200, NULL, b.p);
}

static void read_secrets(struct keys_api *a, unsigned n, const char *path, struct fake_reply *reply)
{
	const char *field = strstr(path, "metadata.name%3D");
	const char *from = strstr(path, "&resourceVersion=");
	char name[254] = "";

	if (field)
		sscanf(field + strlen("metadata.name%3D"), "%253[^& ]", name);
	else if (strstr(path, "%3Dkeks")) /* there is one of that label */
		strcpy(name, "casemate-wrapped-keks");
	if (!strstr(path, "watch=1")) {
		list_secrets(a, name, reply);
	} else if (from && strtoul(from + strlen("&resourceVersion="), NULL, 10) < a->changed) {
		/* What came between list and watch is not kept. */
		fake_respond(reply, 410, NULL, "{\"message\":\"expired\"}");
	} else if (a->n_watches == KEYS_API_WATCHES) {
		fake_respond(reply, 500, NULL, "{}");
	} else {
		a->watches[a->n_watches].request = n;
		strcpy(a->watches[a->n_watches++].name, name);
		fake_stream(reply, 200);
	}
}

/* --- the profile; the lock is held --- */

static void keep(char *to, size_t size, struct json_val v)
{
	if (json_exists(v))
		snprintf(to, size, SPAN_FMT, SPAN_ARG(json_raw(v)));
}

static void write_profile(struct buf *b, const struct keys_api *a)
{
	buf_printf(b,
		"{\"metadata\":{\"name\":\"payments\",\"namespace\":\"shop\",\"uid\":\"%s\","
		"\"generation\":1,\"resourceVersion\":\"%u\",\"finalizers\":%s%s},\"spec\":"
		"{\"tee\":\"sgx\",\"keys\":%s},\"status\":{\"keys\":%s,\"conditions\":%s}}",
		a->uid, a->profile_version, a->finalizers,
		a->deleted ? ",\"deletionTimestamp\":\"2026-01-01T00:00:00Z\"" : "", a->spec,
		a->keys, a->conditions);
}

static void change_profile(
	struct keys_api *a, bool status, const char *body, struct fake_reply *reply)
{
	_cleanup_buf_ struct buf out = BUF_INIT(OBJECT_MAX);
	_cleanup_json_ struct json doc = {0};
	struct json_val root;

	json_parse(&doc, span_str(body), &limits, NULL);
	root = json_root(&doc);
	if (!a->uid[0]) {
		fake_respond(reply, 404, NULL, "{}");
		return;
	}
	if (!is_version(json_find(root, "metadata", "resourceVersion"), a->profile_version)) {
		fake_respond(reply, 409, NULL, "{}");
		return;
	}
	if (status) {
		keep(a->keys, sizeof(a->keys), json_find(root, "status", "keys"));
		keep(a->conditions, sizeof(a->conditions), json_find(root, "status", "conditions"));
	} else
		keep(a->finalizers, sizeof(a->finalizers),
			json_find(root, "metadata", "finalizers"));
	a->profile_version = ++a->version;
	if (a->deleted && strcmp(a->finalizers, "[]") == 0)
		a->uid[0] = '\0';
	write_profile(&out, a);
	fake_respond(reply, 200, NULL, out.p);
}

/* --- requests, on the server's thread --- */

static void note(struct keys_api *a, const char *method, const char *what)
{
	size_t n = strlen(a->log);

	snprintf(a->log + n, sizeof(a->log) - n, "%s %s\n", method, what);
}

static void change(struct keys_api *a, const char *method, const char *path, const char *body,
	struct fake_reply *reply)
{
	bool profile = strstr(path, "/shop/enclaveprofiles/payments");
	bool status = profile && strstr(path, "/status");

	note(a, method,
		status                    ? "status"
		: profile                 ? "profile"
		: strstr(path, "/events") ? "event"
					  : "secrets");
	if (a->refusal)
		fake_respond(reply, (int)a->refusal, NULL, "{\"message\":\"not today\"}");
	else if (profile)
		change_profile(a, status, body, reply);
	else if (strstr(path, "/events")) {
		snprintf(a->event, sizeof(a->event), "%s", body);
		fake_respond(reply, 201, NULL, "{}");
	} else
		change_secret(a, method, path, body, reply);
}

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	const char *body = strstr(request, "\r\n\r\n");
	char method[16] = "", path[1024] = "";
	struct keys_api *a = ctx;

	sscanf(request, "%15s %1023s", method, path);
	pthread_mutex_lock(&a->lock);
	if (a->away)
		reply->close = true;
	else if (strstr(path, "/leases")) /* nobody leads */
		fake_respond(reply, 500, NULL, "{}");
	else if (strcmp(method, "GET") != 0)
		change(a, method, path, body ? body + 4 : "", reply);
	else if (strstr(path, "/secrets?"))
		read_secrets(a, n, path, reply);
	else
		fake_respond(reply, 404, NULL, "{}");
	pthread_mutex_unlock(&a->lock);
}

/* --- for tests --- */

bool keys_api_begin(struct keys_api *a)
{
	*a = (struct keys_api){.version = 10, .finalizers = "[]", .keys = "[]", .conditions = "[]"};
	pthread_mutex_init(&a->lock, NULL);
	if (!kube_fix_begin(&a->kube, answer, a))
		return false;
	pthread_mutex_lock(&a->lock);
	a->server = a->kube.server;
	pthread_mutex_unlock(&a->lock);
	snprintf(a->kek, sizeof(a->kek), "%s/kek", a->kube.dir);
	write_text(a->kek, KEK);
	return chmod(a->kek, 0600) == 0;
}

void keys_api_end(struct keys_api *a)
{
	unlink(a->kek);
	kube_fix_end(&a->kube);
	for (size_t i = 0; i < KEYS_API_SECRETS; i++)
		free(a->secrets[i].body);
	pthread_mutex_destroy(&a->lock);
}

void keys_api_put(struct keys_api *a, const char *name, const char *data, bool labelled)
{
	_cleanup_buf_ struct buf body = BUF_INIT(OBJECT_MAX);

	buf_printf(&body, "{\"data\":%s}", data);
	pthread_mutex_lock(&a->lock);
	keep_secret(a, name, body.p, labelled);
	pthread_mutex_unlock(&a->lock);
}

void keys_api_remove(struct keys_api *a, const char *name)
{
	struct keys_api_secret *s;

	pthread_mutex_lock(&a->lock);
	s = find_secret(a, name);
	if (s)
		drop_secret(a, s);
	pthread_mutex_unlock(&a->lock);
}

void keys_api_profile(struct keys_api *a, const char *uid, const char *keys)
{
	pthread_mutex_lock(&a->lock);
	snprintf(a->uid, sizeof(a->uid), "%s", uid);
	snprintf(a->spec, sizeof(a->spec), "%s", keys);
	for (char *p = a->spec; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	a->profile_version = ++a->version;
	pthread_mutex_unlock(&a->lock);
}

char *keys_api_profile_text(struct keys_api *a, unsigned *ret_version)
{
	_cleanup_buf_ struct buf b = BUF_INIT(OBJECT_MAX);

	pthread_mutex_lock(&a->lock);
	if (a->uid[0])
		write_profile(&b, a);
	*ret_version = a->profile_version;
	pthread_mutex_unlock(&a->lock);
	return TAKE_PTR(b.p);
}

void keys_api_away(struct keys_api *a, bool away)
{
	pthread_mutex_lock(&a->lock);
	a->away = away;
	for (size_t i = 0; i < a->n_watches && away; i++)
		fake_server_push(a->server, a->watches[i].request, "0\r\n\r\n", 5);
	if (away)
		a->n_watches = 0;
	pthread_mutex_unlock(&a->lock);
}

char *keys_api_data(struct keys_api *a, const char *name)
{
	_cleanup_json_ struct json doc = {0};
	const struct keys_api_secret *s;
	struct span data = SPAN_NONE;
	char *copy;

	pthread_mutex_lock(&a->lock);
	s = find_secret(a, name);
	if (s && json_parse(&doc, span_str(s->body), &limits, NULL) == 0)
		data = json_raw(json_get(json_root(&doc), "data"));
	copy = data.len ? strndup(data.p, data.len) : NULL;
	pthread_mutex_unlock(&a->lock);
	return copy;
}

size_t keys_api_secrets(struct keys_api *a)
{
	size_t n = 0;

	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < KEYS_API_SECRETS; i++)
		n += a->secrets[i].body != NULL;
	pthread_mutex_unlock(&a->lock);
	return n;
}

size_t keys_api_count(struct keys_api *a, const char *line)
{
	size_t n = 0;

	pthread_mutex_lock(&a->lock);
	for (const char *p = a->log; (p = strstr(p, line)); p += strlen(line))
		n++;
	pthread_mutex_unlock(&a->lock);
	return n;
}

bool keys_api_says(struct keys_api *a, const char *text)
{
	bool says;

	pthread_mutex_lock(&a->lock);
	says = strstr(a->conditions, text);
	pthread_mutex_unlock(&a->lock);
	return says;
}
