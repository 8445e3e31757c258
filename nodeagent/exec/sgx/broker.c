/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/exec/sgx/broker.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "common/kbs/key_id.h"

enum { NODES_MAX = 64, DEPTH_MAX = 4, PORT_DIGITS = 5, PORT_MAX = 65535 };

static bool is_host(const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	if (strchr(host, ':'))
		return inet_pton(AF_INET6, host, address) == 1;
	for (const char *c = host; *c; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			    (*c >= '0' && *c <= '9') || *c == '-' || *c == '.'))
			return false;
	return *host && *host != '.' && *host != '-';
}

static int take_port(char ret[6], struct span s)
{
	if (s.len == 0 || s.len > PORT_DIGITS)
		return -EBADMSG;
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return -EBADMSG;
	memcpy(ret, s.p, s.len);
	ret[s.len] = '\0';
	return strtoul(ret, NULL, 10) >= 1 && strtoul(ret, NULL, 10) <= PORT_MAX ? 0 : -EBADMSG;
}

/* HOST, HOST:PORT, or an IPv6 address in brackets. */
static int take_authority(struct sgx_broker *b, struct span s)
{
	const char *end = s.len && s.p[0] == '[' ? memchr(s.p, ']', s.len) : NULL;
	struct span host, rest;

	if (end) {
		host = (struct span){s.p + 1, (size_t)(end - s.p) - 1};
		rest = (struct span){end + 1, s.len - host.len - 2};
	} else {
		end = memchr(s.p, ':', s.len);
		host = (struct span){s.p, end ? (size_t)(end - s.p) : s.len};
		rest = (struct span){s.p + host.len, s.len - host.len};
	}
	if (host.len >= sizeof(b->host))
		return -EBADMSG;
	memcpy(b->host, host.p, host.len);
	b->host[host.len] = '\0';
	if (!is_host(b->host) || (s.p[0] == '[') != !!strchr(b->host, ':'))
		return -EBADMSG;
	strcpy(b->port, "443");
	if (!rest.len)
		return 0;
	return rest.p[0] == ':' ? take_port(b->port, (struct span){rest.p + 1, rest.len - 1})
				: -EBADMSG;
}

static int take_url(struct sgx_broker *b, struct error *err)
{
	struct span s = span_after(span_str(b->url), "https://");

	if (s.len && s.p[s.len - 1] == '/')
		b->url[strlen(b->url) - 1] = '\0', s.len--;
	if (!s.p)
		return error_set(err, -EBADMSG,
			"url: must begin with https://: the enclave believes the broker by its "
			"certificate");
	return s.len && take_authority(b, s) == 0
		       ? 0
		       : error_set(err, -EBADMSG, "url: must be https://HOST or https://HOST:PORT");
}

/* A path of printable characters. */
static bool is_path(const char *path)
{
	for (const char *c = path; *c; c++)
		if (*c <= ' ' || *c == 0x7f)
			return false;
	return *path == '/';
}

static int check(struct sgx_broker *b, struct error *err)
{
	int r = *b->url ? take_url(b, err)
			: error_set(err, -EBADMSG, "url: is missing: write https://HOST");

	if (r < 0)
		return r;
	if (!is_path(b->ca))
		return error_set(err, -EBADMSG,
			"ca: must be the path of the certificates that the broker's is vouched "
			"for by");
	if (*b->token && !is_path(b->token))
		return error_set(err, -EBADMSG, "token: must be the path of the pod's token");
	if (*b->namespace_) {
		struct key_id id;

		r = key_id_set(&id, span_str(b->namespace_), SPAN_LIT("p"), SPAN_LIT("k"), err);
		if (r < 0)
			return error_prefix(err, -EBADMSG, "namespace");
	}
	return 0;
}

static int take_member(
	struct sgx_broker *b, struct json_val key, struct json_val v, struct error *err)
{
	const struct {
		const char *name;
		char *to;
		size_t size;
	} members[] = {
		{"url", b->url, sizeof(b->url)},
		{"ca", b->ca, sizeof(b->ca)},
		{"token", b->token, sizeof(b->token)},
		{"namespace", b->namespace_, sizeof(b->namespace_)},
	};

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (json_str_is(key, members[i].name))
			return json_copy(v, members[i].to, members[i].size) && *members[i].to
				       ? 0
				       : error_set(err, -EBADMSG,
						 "%s: must be a text of at most %zu bytes",
						 members[i].name, members[i].size - 1);
	return error_set(err, -EBADMSG,
		"has a member that is not known: there are url, ca, namespace and token");
}

int sgx_broker_read(struct sgx_broker *ret, struct span json, struct error *err)
{
	static const struct json_limits limits = {SGX_BROKER_FILE_MAX, NODES_MAX, DEPTH_MAX};
	_cleanup_json_ struct json doc = {0};
	struct sgx_broker b = {0};
	struct json_iter it;
	int r = json_parse(&doc, json, &limits, err);

	if (r < 0)
		return r == -ENOMEM ? r : error_prefix(err, -EBADMSG, "is no JSON");
	if (!json_is_object(json_root(&doc)))
		return error_set(err, -EBADMSG, "is not a JSON object");
	json_each (it, json_root(&doc)) {
		r = take_member(&b, it.key, it.value, err);
		if (r < 0)
			return r;
	}
	r = check(&b, err);
	if (r < 0)
		return r;
	*ret = b;
	return 0;
}
