/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/exec/sgx/broker.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/cleanup.h"
#include "tests/unit/test.h"

#define WITH(members) "{\"ca\":\"/ca.crt\"," members "}"

static const struct {
	const char *name, *json;
	const char *host, *port; /* NULL: refused */
	const char *says;        /* why */
} rows[] = {
	{"a name", WITH("\"url\":\"https://casemate-broker.casemate-system.svc\""),
		"casemate-broker.casemate-system.svc", "443", NULL},
	{"a slash behind it", WITH("\"url\":\"https://a/\""), "a", "443", NULL},
	{"a port", WITH("\"url\":\"https://10.0.0.1:8445\""), "10.0.0.1", "8445", NULL},
	{"IPv6", WITH("\"url\":\"https://[::1]:8445\""), "::1", "8445", NULL},
	{"IPv6 without a port", WITH("\"url\":\"https://[2001:db8::1]\""), "2001:db8::1", "443",
		NULL},
	{"all members",
		WITH("\"url\":\"https://a\",\"namespace\":\"shop\",\"token\":\"/run/token\""), "a",
		"443", NULL},
	{"http", WITH("\"url\":\"http://a\""), NULL, NULL, "must begin with https://"},
	{"no scheme", WITH("\"url\":\"a\""), NULL, NULL, "must begin with https://"},
	{"no host", WITH("\"url\":\"https://\""), NULL, NULL, "https://HOST"},
	{"only a slash", WITH("\"url\":\"https:///\""), NULL, NULL, "https://HOST"},
	{"a path", WITH("\"url\":\"https://a/kbs\""), NULL, NULL, "https://HOST"},
	{"a question", WITH("\"url\":\"https://a?b\""), NULL, NULL, "https://HOST"},
	{"a user", WITH("\"url\":\"https://u@a\""), NULL, NULL, "https://HOST"},
	{"a line", WITH("\"url\":\"https://a\\nb\""), NULL, NULL, "https://HOST"},
	{"no port", WITH("\"url\":\"https://a:\""), NULL, NULL, "https://HOST"},
	{"port 0", WITH("\"url\":\"https://a:0\""), NULL, NULL, "https://HOST"},
	{"a port too far", WITH("\"url\":\"https://a:65536\""), NULL, NULL, "https://HOST"},
	{"a port of letters", WITH("\"url\":\"https://a:8x\""), NULL, NULL, "https://HOST"},
	{"a bracket", WITH("\"url\":\"https://[::1\""), NULL, NULL, "https://HOST"},
	{"a name in brackets", WITH("\"url\":\"https://[a]\""), NULL, NULL, "https://HOST"},
	{"an option's look", WITH("\"url\":\"https://-a\""), NULL, NULL, "https://HOST"},
	{"no url", "{\"ca\":\"/ca.crt\"}", NULL, NULL, "url: is missing"},
	{"an empty url", WITH("\"url\":\"\""), NULL, NULL, "url: must be a text"},
	{"no ca", "{\"url\":\"https://a\"}", NULL, NULL, "ca: must be the path"},
	{"a path of another folder", "{\"url\":\"https://a\",\"ca\":\"ca.crt\"}", NULL, NULL,
		"ca: must be the path"},
	{"a number", WITH("\"url\":1"), NULL, NULL, "url: must be a text"},
	{"no namespace", WITH("\"url\":\"https://a\",\"namespace\":\"A/b\""), NULL, NULL,
		"namespace"},
	{"a token's text", WITH("\"url\":\"https://a\",\"token\":\"ey.x.y\""), NULL, NULL, "token"},
	{"an unknown member", WITH("\"url\":\"https://a\",\"insecure\":true"), NULL, NULL,
		"not known"},
	{"twice", WITH("\"url\":\"https://a\",\"url\":\"https://b\""), NULL, NULL, "JSON"},
	{"a list", "[]", NULL, NULL, "object"},
	{"nothing", "", NULL, NULL, "JSON"},
};

static void test_files(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sgx_broker b = {.host = "same"};
		struct error err = {0};
		int r = sgx_broker_read(&b, span_str(rows[i].json), &err);

		if (!CHECK_ROW(rows[i].name, r == (rows[i].host ? 0 : -EBADMSG), "%d: %s", r,
			    err.message))
			continue;
		CHECK_STR(rows[i].name, span_str(b.host), rows[i].host ? rows[i].host : "same");
		if (rows[i].port)
			CHECK_STR(rows[i].name, span_str(b.port), rows[i].port);
		else
			CHECK_ROW(
				rows[i].name, strstr(err.message, rows[i].says), "%s", err.message);
	}
}

static void test_long(void)
{
	char json[1024], name[SGX_BROKER_HOST_MAX + 1];

	for (size_t n = SGX_BROKER_HOST_MAX - 1; n <= SGX_BROKER_HOST_MAX; n++) {
		struct sgx_broker b;
		int r;

		memset(name, 'a', n);
		name[n] = '\0';
		snprintf(json, sizeof(json), "{\"ca\":\"/c\",\"url\":\"https://%s\"}", name);
		r = sgx_broker_read(&b, span_str(json), NULL);
		CHECK_ROW("a long name", r == (n < SGX_BROKER_HOST_MAX ? 0 : -EBADMSG), "%zu: %d",
			n, r);
	}
}

static void test_truncated(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (size_t n = 0; n < strlen(rows[i].json); n++) {
			_cleanup_free_ char *cut = strndup(rows[i].json, n);
			struct sgx_broker b;
			int r = sgx_broker_read(&b, (struct span){cut, n}, NULL);

			CHECK_ROW(rows[i].name, r == -EBADMSG, "%zu: %d", n, r);
		}
}

const CU_TestInfo exec_sgx_broker_tests[] = {
	{"files, right and wrong", test_files},
	{"as long as can be", test_long},
	{"files cut short", test_truncated},
	CU_TEST_INFO_NULL,
};
