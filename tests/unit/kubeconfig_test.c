/* SPDX-License-Identifier: Apache-2.0 */
#include "common/kube/kubeconfig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/test.h"

#define PEM64 "LS0tLS1CRUdJTiBYLS0tLS0K" /* "-----BEGIN X-----\n" */
#define HEAD                                                                                       \
	"apiVersion: v1\nkind: Config\npreferences: {}\ncurrent-context: c\n"                      \
	"contexts:\n- {name: other, context: {cluster: none}}\n"                                   \
	"- name: c\n  context: {cluster: k, user: u, namespace: ns}\n"
#define CLUSTER                                                                                    \
	"clusters:\n- name: k\n  cluster: {server: 'https://h:6443/', certificate-authority: "     \
	"ca.crt}\n"

static void test_accepted(void)
{
	static const struct {
		const char *name, *text;
		const char *want[10]; /* in the order of the struct */
	} rows[] = {
		{"token", HEAD CLUSTER "users: [{name: u, user: {token: t}}]\n",
			{"https://h:6443", "ns", "", "ca.crt", "", "", "", "", "t", ""}},
		{"token file wins",
			HEAD CLUSTER "users: [{name: u, user: {token: t, tokenFile: f}}]\n",
			{"https://h:6443", "ns", "", "ca.crt", "", "", "", "", "", "f"}},
		{"data",
			HEAD "clusters: [{name: k, cluster: {server: 'https://[::1]:1/a/b//', "
			     "certificate-authority-data: " PEM64 ", certificate-authority: x}}]\n"
			     "users: [{name: u, user: {client-certificate-data: " PEM64
			     ", client-key-data: " PEM64 "}}]\n",
			{"https://[::1]:1/a/b", "ns", "-----BEGIN X-----\n", "",
				"-----BEGIN X-----\n", "", "-----BEGIN X-----\n", "", "", ""}},
		{"data over lines",
			HEAD CLUSTER "users:\n- name: u\n  user:\n    client-key: k\n"
				     "    client-certificate-data: |\n      LS0tLS1CRUdJTiBY\n"
				     "      LS0tLS0K\n",
			{"https://h:6443", "ns", "", "ca.crt", "-----BEGIN X-----\n", "", "", "k",
				"", ""}},
		{"JSON",
			"{\"current-context\":\"c\",\"contexts\":[{\"name\":\"c\",\"context\":"
			"{\"cluster\":\"k\"}}],\"clusters\":[{\"name\":\"k\",\"cluster\":{"
			"\"server\":"
			"\"http://10.0.0.1\"}}]}",
			{"http://10.0.0.1", "", "", "", "", "", "", "", "", ""}},
		{"a token over plain HTTP on loopback",
			HEAD "clusters: [{name: k, cluster: {server: 'http://127.0.0.1:8001'}}]\n"
			     "users: [{name: u, user: {token: t}}]\n",
			{"http://127.0.0.1:8001", "ns", "", "", "", "", "", "", "t", ""}},
		{"what is off",
			HEAD "clusters: [{name: k, cluster: {server: 'https://h', "
			     "certificate-authority: c, "
			     "insecure-skip-tls-verify: false, proxy-url: '', extensions: []}}]\n"
			     "users: [{name: u, user: {exec: null, token: t}}]\n",
			{"https://h", "ns", "", "c", "", "", "", "", "t", ""}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_kubeconfig_ struct kubeconfig k = {0};
		struct error err = {0};
		int r = kubeconfig_parse(&k, span_str(rows[i].text), "f", &err);
		const char *got[] = {k.server, k.namespace_, k.ca_pem, k.ca_file, k.cert_pem,
			k.cert_file, k.key_pem, k.key_file, k.token, k.token_file};

		if (!CHECK_ROW(rows[i].name, r == 0, "%d %s", r, err.message))
			continue;
		for (size_t n = 0; n < ARRAY_SIZE(got); n++)
			CHECK_STR(rows[i].name, span_str(got[n]), rows[i].want[n]);
	}
}

static void test_refused(void)
{
#define K "clusters: [{name: k, cluster: {server: 'https://h', certificate-authority: c"
#define U "users: [{name: u, user: {"
	static const struct {
		const char *name, *text;
		int code;
		const char *message;
	} rows[] = {
		{"empty", "# nothing\n", -EBADMSG, "f:1:1: not a kubeconfig: the file is empty"},
		{"a list", "- 1\n", -EBADMSG,
			"f:1:1: not a kubeconfig: it has no list of clusters"},
		{"no YAML", "a: [\n", -EBADMSG, "f:2:1: "},
		{"no current context", "clusters: []\n", -ENOENT,
			"f:1:1: current-context is not set; name one of the contexts"},
		{"empty current context", "clusters: []\ncurrent-context: ''\n", -ENOENT,
			"f:2:18: current-context is not set; name one of the contexts"},
		{"no such context", "clusters: []\ncurrent-context: c\n", -ENOENT,
			"f:2:18: no entry of contexts is called \"c\""},
		{"no such cluster", HEAD "clusters: []\n", -ENOENT,
			"f:8:22: no entry of clusters is called \"k\""},
		{"no such user", HEAD CLUSTER, -ENOENT,
			"f:8:31: no entry of users is called \"u\""},
		{"no cluster named",
			"current-context: c\nclusters: []\ncontexts: [{name: c, context: {user: "
			"u}}]\n",
			-EBADMSG, "f:3:31: the context names no cluster"},
		{"no server", HEAD "clusters: [{name: k, cluster: {}}]\n", -EBADMSG,
			"f:9:31: the cluster has no server (https://host:port)"},
		{"scheme", HEAD "clusters: [{name: k, cluster: {server: 'h:6443'}}]\n", -EBADMSG,
			"f:9:40: server must be https://host:port"},
		{"no host", HEAD "clusters: [{name: k, cluster: {server: 'https://'}}]\n", -EBADMSG,
			"f:9:40: server must be https://host:port"},
		{"no host but a path", HEAD "clusters: [{name: k, cluster: {server: 'http:///'}}]\n",
			-EBADMSG, "f:9:40: server must be https://host:port"},
		{"a number", HEAD "clusters: [{name: k, cluster: {server: 1}}]\n", -EBADMSG,
			"f:9:40: server must be a string"},
		{"no CA", HEAD "clusters: [{name: k, cluster: {server: 'https://h'}}]\n", -EBADMSG,
			"f:9:31: the cluster has no certificate-authority or "
			"certificate-authority-data; the system's roots are not trusted"},
		{"insecure", HEAD K ", insecure-skip-tls-verify: true}}]\n", -EOPNOTSUPP,
			"f:9:79: insecure-skip-tls-verify is not supported; the server is reached "
			"directly and judged by certificate-authority alone"},
		{"proxy", HEAD K ", proxy-url: 'http://p'}}]\n", -EOPNOTSUPP,
			"f:9:79: proxy-url is not supported; the server is reached directly and "
			"judged "
			"by certificate-authority alone"},
		{"exec", HEAD CLUSTER U "exec: {command: aws}}}]\n", -EOPNOTSUPP,
			"f:12:26: exec is not supported; use a token, a tokenFile or a client "
			"certificate"},
		{"impersonation", HEAD CLUSTER U "as: root}}]\n", -EOPNOTSUPP,
			"f:12:26: as is not supported; use a token, a tokenFile or a client "
			"certificate"},
		{"half a key pair", HEAD CLUSTER U "client-key: k}}]\n", -EINVAL,
			"f:12:25: client-certificate and client-key go together; the user has only "
			"one"},
		{"not base64", HEAD CLUSTER U "client-key-data: 'LS0tL=='}}]\n", -EBADMSG,
			"f:12:43: client-key-data must be PEM in base64"},
		{"base64 inside", HEAD CLUSTER U "client-key-data: 'LS0=LS0='}}]\n", -EBADMSG,
			"f:12:43: client-key-data must be PEM in base64"},
		{"not PEM", HEAD CLUSTER U "client-key-data: 'AAAA'}}]\n", -EBADMSG,
			"f:12:43: client-key-data must be PEM in base64"},
		{"a token in the open",
			HEAD "clusters: [{name: k, cluster: {server: 'http://127.0.0.1.evil'}}]\n" U
			     "token: t}}]\n",
			-EINVAL,
			"f:10:25: a token would be sent unprotected to http://127.0.0.1.evil; use "
			"https://"},
		{"no entry inside", HEAD CLUSTER "users: [{name: u}]\n", -EBADMSG,
			"f:12:9: users \"u\" has no user"},
		{"two documents", HEAD CLUSTER "---\na: b\n", -E2BIG, "f:"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_kubeconfig_ struct kubeconfig k = {0};
		struct error err = {0};
		int r = kubeconfig_parse(&k, span_str(rows[i].text), "f", &err);

		CHECK_ROW(rows[i].name, r == rows[i].code, "%d, want %d", r, rows[i].code);
		if (strchr(" :", rows[i].message[strlen(rows[i].message) - 1]))
			CHECK_ROW(rows[i].name, span_starts(span_str(err.message), rows[i].message),
				"%s", err.message);
		else
			CHECK_STR(rows[i].name, span_str(err.message), rows[i].message);
		CU_ASSERT_PTR_NULL(k.server);
	}
}

/* A kubeconfig cut anywhere is refused or still means what is left of it; it never crashes. */
static void test_truncated(void)
{
	static const char text[] = HEAD CLUSTER
		"users: [{name: u, user: {client-certificate-data: " PEM64 ", client-key: k}}]\n";

	for (size_t n = 0; n < sizeof(text) - 2; n++) {
		_cleanup_kubeconfig_ struct kubeconfig k = {0};
		struct error err = {0};
		int r = kubeconfig_parse(&k, (struct span){text, n}, "f", &err);

		CHECK_ROW("truncated", r < 0 && err.message[0], "%zu bytes: %d %s", n, r,
			err.message);
	}
}

static void test_urls_and_paths(void)
{
	static const struct {
		const char *host, *port, *want;
	} urls[] = {
		{"10.96.0.1", "443", "https://10.96.0.1:443"},
		{"fd00::1", "6443", "https://[fd00::1]:6443"},
		{"", "443", NULL},
		{NULL, "443", NULL},
		{"h", NULL, NULL},
		{"h", "", NULL},
		{"h", "0", NULL},
		{"h", "65536", NULL},
		{"h", "443x", NULL},
	};
	static const struct {
		const char *config, *file, *want;
	} paths[] = {
		{"/etc/k/config", "ca.crt", "/etc/k/ca.crt"},
		{"/etc/k/config", "/ca.crt", "/ca.crt"},
		{"config", "ca.crt", "ca.crt"},
		{"/config", "../ca.crt", "/../ca.crt"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		_cleanup_free_ char *url = NULL;
		int r = kubeconfig_in_cluster_url(&url, urls[i].host, urls[i].port, NULL);

		CU_ASSERT_EQUAL(r, urls[i].want ? 0 : -EINVAL);
		CHECK_STR("URL", span_str(url), urls[i].want);
	}
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		_cleanup_free_ char *path = kubeconfig_path(paths[i].config, paths[i].file);

		CHECK_STR("path", span_str(path), paths[i].want);
	}
}

CU_TestInfo kubeconfig_tests[] = {
	{"accepted", test_accepted},
	{"refused, with the place", test_refused},
	{"truncated", test_truncated},
	{"URLs and paths", test_urls_and_paths},
	CU_TEST_INFO_NULL,
};
