/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kube/kubeconfig.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "common/base/yaml.h"
#include "common/net/http.h"
#include "common/net/scrub.h"

enum { KUBECONFIG_NODES_MAX = 20000, KUBECONFIG_DEPTH_MAX = 32 };

/* A file being read. */
struct source {
	const char *name;
	const struct yaml_document *document;
	struct arena arena; /* for strings with escapes */
};

static int fail_at(const struct source *s, struct json_val v, struct error *err, int code,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static int fail_at(const struct source *s, struct json_val v, struct error *err, int code,
	const char *fmt, ...)
{
	struct yaml_mark at = yaml_where(s->document, v);
	va_list ap;

	va_start(ap, fmt);
	error_vset(err, code, fmt, ap);
	va_end(ap);
	return error_prefix(err, code, "%s:%u:%u", s->name, at.line, at.column);
}

/* The string at key of parent, copied; nothing when absent or empty. */
static int take_string(
	struct source *s, struct json_val parent, const char *key, char **ret, struct error *err)
{
	struct json_val v = json_get(parent, key);
	struct span text;

	if (!json_exists(v) || json_type(v) == JSON_NULL)
		return 0;
	if (!json_is_string(v))
		return fail_at(s, v, err, -EBADMSG, "%s must be a string", key);
	text = json_str(v, &s->arena);
	if (!text.p)
		return error_oom(err);
	if (text.len == 0)
		return 0;
	scrub_free_string(*ret);
	*ret = scrub_dup(text);
	return *ret ? 0 : error_oom(err);
}

/* Decodes base64 in place (RFC 4648 section 4; line breaks are let pass), leaving nothing behind.
 */
static bool decode_base64(char *s)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = 0, padding, end = strlen(s);
	int len;

	for (const char *p = s; *p; p++)
		if (*p != '\n' && *p != '\r')
			s[n++] = *p;
	s[n] = '\0';
	padding = n - strspn(s, digits);
	if (n == 0 || n % 4 || padding > 2 || strspn(s + n - padding, "=") != padding)
		return false;
	len = EVP_DecodeBlock((unsigned char *)s, (const unsigned char *)s, (int)n);
	if (len < 0)
		return false;
	OPENSSL_cleanse(s + len - padding, end - ((size_t)len - padding));
	return true;
}

/* <key>-data (PEM in base64) or <key> (a file); the data wins, as with kubectl. */
static int take_pem(struct source *s, struct json_val parent, const char *key, char **ret_pem,
	char **ret_file, struct error *err)
{
	char data_key[64];
	int r;

	snprintf(data_key, sizeof(data_key), "%s-data", key);
	r = take_string(s, parent, data_key, ret_pem, err);
	if (r < 0)
		return r;
	if (!*ret_pem)
		return take_string(s, parent, key, ret_file, err);
	if (!decode_base64(*ret_pem) || !strstr(*ret_pem, "-----BEGIN "))
		return fail_at(s, json_get(parent, data_key), err, -EBADMSG,
			"%s must be PEM in base64", data_key);
	return 0;
}

/* Refuses every key of v that is not in known (space-separated, with spaces around). */
static int only_known(const struct source *s, struct json_val v, const char *known,
	const char *advice, struct error *err)
{
	struct json_iter it;

	json_each (it, v) {
		struct span key = json_raw(it.key);
		char word[64];

		/* Quotes off, spaces on. */
		snprintf(word, sizeof(word), " %.*s ", (int)(key.len > 50 ? 50 : key.len) - 2,
			key.p + 1);
		if (!strstr(known, word) && json_type(it.value) != JSON_NULL &&
			json_type(it.value) != JSON_FALSE && !json_str_is(it.value, ""))
			return fail_at(s, it.key, err, -EOPNOTSUPP, "%.*s is not supported; %s",
				(int)key.len - 2, key.p + 1, advice);
	}
	return 0;
}

/* The entry called name in a list of {name, <kind>: {...}}: its inner object. referrer: where the
 * name stands. */
static int find_entry(const struct source *s, struct json_val root, const char *list,
	const char *kind, struct json_val referrer, struct json_val *ret, struct error *err)
{
	struct json_val all = json_get(root, list), inner;
	struct span name = json_raw(referrer);
	struct json_iter it;

	json_each (it, all) {
		if (!json_equal(json_get(it.value, "name"), referrer))
			continue;
		inner = json_get(it.value, kind);
		if (!json_is_object(inner))
			return fail_at(s, it.value, err, -EBADMSG, "%s " SPAN_FMT " has no %s",
				list, SPAN_ARG(name), kind);
		*ret = inner;
		return 0;
	}
	return fail_at(s, referrer, err, -ENOENT, "no entry of %s is called " SPAN_FMT, list,
		SPAN_ARG(name));
}

static int read_cluster(
	struct source *s, struct json_val cluster, struct kubeconfig *k, struct error *err)
{
	bool https;
	int r;

	r = only_known(s, cluster,
		" server certificate-authority certificate-authority-data disable-compression"
		" extensions ",
		"the server is reached directly and judged by certificate-authority alone", err);
	if (r == 0)
		r = take_string(s, cluster, "server", &k->server, err);
	if (r == 0)
		r = take_pem(s, cluster, "certificate-authority", &k->ca_pem, &k->ca_file, err);
	if (r < 0)
		return r;
	if (!k->server)
		return fail_at(
			s, cluster, err, -EBADMSG, "the cluster has no server (https://host:port)");
	https = strncmp(k->server, "https://", 8) == 0;
	if ((!https && strncmp(k->server, "http://", 7) != 0) ||
		strchr("/", k->server[https ? 8 : 7])) /* no host */
		return fail_at(s, json_get(cluster, "server"), err, -EBADMSG,
			"server must be https://host:port");
	for (size_t n = strlen(k->server); n && k->server[n - 1] == '/'; n--)
		k->server[n - 1] = '\0';
	if (https && !k->ca_pem && !k->ca_file)
		return fail_at(s, cluster, err, -EBADMSG,
			"the cluster has no certificate-authority or certificate-authority-data; "
			"the system's roots are not trusted");
	return 0;
}

static int read_user(
	struct source *s, struct json_val user, struct kubeconfig *k, struct error *err)
{
	int r;

	assert(k->server); /* read_cluster came before */
	r = only_known(s, user,
		" client-certificate client-certificate-data client-key client-key-data token"
		" tokenFile extensions ",
		"use a token, a tokenFile or a client certificate", err);
	if (r == 0)
		r = take_pem(s, user, "client-certificate", &k->cert_pem, &k->cert_file, err);
	if (r == 0)
		r = take_pem(s, user, "client-key", &k->key_pem, &k->key_file, err);
	if (r == 0)
		r = take_string(s, user, "tokenFile", &k->token_file, err);
	/* kubectl prefers the file, which may be renewed. */
	if (r == 0 && !k->token_file)
		r = take_string(s, user, "token", &k->token, err);
	if (r < 0)
		return r;
	if ((k->cert_pem || k->cert_file) != (k->key_pem || k->key_file))
		return fail_at(s, user, err, -EINVAL,
			"client-certificate and client-key go together; the user has only one");
	if ((k->token || k->token_file) && strncmp(k->server, "http://", 7) == 0 &&
		!http_is_loopback(k->server))
		return fail_at(s, user, err, -EINVAL,
			"a token would be sent unprotected to %s; use https://", k->server);
	return 0;
}

static int read_config(
	struct source *s, struct json_val root, struct kubeconfig *k, struct error *err)
{
	struct json_val current = json_get(root, "current-context");
	struct json_val context = {0}, cluster = {0}, user = {0};
	int r;

	if (!json_is_object(root) || !json_is_array(json_get(root, "clusters")))
		return fail_at(
			s, root, err, -EBADMSG, "not a kubeconfig: it has no list of clusters");
	if (!json_is_string(current) || json_str_is(current, ""))
		return fail_at(s, json_exists(current) ? current : root, err, -ENOENT,
			"current-context is not set; name one of the contexts");
	r = find_entry(s, root, "contexts", "context", current, &context, err);
	if (r == 0)
		r = take_string(s, context, "namespace", &k->namespace_, err);
	if (r < 0)
		return r;
	if (!json_is_string(json_get(context, "cluster")))
		return fail_at(s, context, err, -EBADMSG, "the context names no cluster");
	r = find_entry(s, root, "clusters", "cluster", json_get(context, "cluster"), &cluster, err);
	if (r == 0)
		r = read_cluster(s, cluster, k, err);
	if (r < 0 || !json_exists(json_get(context, "user")) ||
		json_str_is(json_get(context, "user"), ""))
		return r;
	if (!json_is_string(json_get(context, "user")))
		return fail_at(s, json_get(context, "user"), err, -EBADMSG, "user must be a name");
	r = find_entry(s, root, "users", "user", json_get(context, "user"), &user, err);
	return r < 0 ? r : read_user(s, user, k, err);
}

static int fill_empty(struct kubeconfig *k, struct error *err)
{
	char **fields[] = {&k->server, &k->namespace_, &k->ca_pem, &k->ca_file, &k->cert_pem,
		&k->cert_file, &k->key_pem, &k->key_file, &k->token, &k->token_file};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (!*fields[i] && !(*fields[i] = strdup("")))
			return error_oom(err);
	return 0;
}

int kubeconfig_parse(
	struct kubeconfig *ret_k, struct span text, const char *name, struct error *err)
{
	static const struct yaml_limits limits = {.max_bytes = 2 * KUBECONFIG_MAX,
		.max_nodes = KUBECONFIG_NODES_MAX,
		.max_documents = 1,
		.max_depth = KUBECONFIG_DEPTH_MAX};
	static const struct json_limits json_limits = {.max_bytes = 2 * KUBECONFIG_MAX,
		.max_nodes = KUBECONFIG_NODES_MAX,
		.max_depth = KUBECONFIG_DEPTH_MAX};
	struct source s = {.name = name, .arena = ARENA_INIT(2 * KUBECONFIG_MAX)};
	_cleanup_kubeconfig_ struct kubeconfig k = {0};
	struct yaml_stream yaml = {0};
	struct json json = {0};
	int r;

	if (text.len > KUBECONFIG_MAX)
		return error_set(err, -E2BIG, "%s: larger than %d bytes", name, KUBECONFIG_MAX);
	r = yaml_read(&yaml, text, name, &limits, err);
	if (r == 0 && yaml.n != 1)
		r = error_set(err, -EBADMSG, "%s:1:1: not a kubeconfig: the file is empty", name);
	if (r == 0) {
		s.document = &yaml.documents[0];
		r = json_parse(&json, (struct span){s.document->json, s.document->json_len},
			&json_limits, err);
	}
	if (r == 0)
		r = read_config(&s, json_root(&json), &k, err);
	if (r == 0)
		r = fill_empty(&k, err);
	for (size_t i = 0; i < yaml.n; i++)
		OPENSSL_cleanse(yaml.documents[i].json, yaml.documents[i].json_len);
	json_free(&json);
	yaml_stream_free(&yaml);
	arena_free(&s.arena);
	if (r < 0)
		return r;
	*ret_k = k;
	k = (struct kubeconfig){0};
	return 0;
}

void kubeconfig_free(struct kubeconfig *k)
{
	char *fields[] = {k->server, k->namespace_, k->ca_pem, k->ca_file, k->cert_pem,
		k->cert_file, k->key_pem, k->key_file, k->token, k->token_file};

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		scrub_free_string(fields[i]);
	*k = (struct kubeconfig){0};
}

char *kubeconfig_path(const char *config_file, const char *file)
{
	const char *slash = strrchr(config_file, '/');
	char *path;

	if (file[0] == '/' || !slash)
		return strdup(file);
	return asprintf(&path, "%.*s/%s", (int)(slash - config_file), config_file, file) < 0 ? NULL
											     : path;
}

int kubeconfig_in_cluster_url(char **ret_url, const char *host, const char *port, struct error *err)
{
	bool v6 = host && strchr(host, ':');
	char *end = NULL;
	long n = port ? strtol(port, &end, 10) : 0;

	if (!host || !host[0] || n < 1 || n > 65535 || *end)
		return error_set(err, -EINVAL,
			"KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must name the API "
			"server; "
			"they say '%s' and '%s'",
			host ? host : "", port ? port : "");
	if (asprintf(ret_url, v6 ? "https://[%s]:%ld" : "https://%s:%ld", host, n) < 0)
		return error_oom(err);
	return 0;
}
