/* SPDX-License-Identifier: Apache-2.0
 *
 * What an agent learns of the versions of keys, and who learns nothing: POST /kbs/v0/versions of
 * the whole broker. */
#include <stdio.h>

#include "common/kbs/rcar.h"
#include "common/kbs/versions.h"
#include "tests/unit/refusals_private.h"
#include "tests/unit/test.h"
#include "webhook/broker/rcar_private.h"

#define FILE_KEY                                                                                   \
	"[" OP("replace", "/spec/keys/0/deliver", "{'file':'/run/casemate/files/key'}") "," OP(    \
		"add", "/spec/keys/0/rotation", "{'onChange':'File'}") "]"
#define KEYS(list) "{\"keys\":[" list "]}"
#define PAY        "\"shop/pay/secret-key\""

static void no_profiles(struct refusals *w)
{
	w->world.profiles = NULL;
}

static void no_api_server(struct refusals *w)
{
	w->desk->o.witness = NULL;
}

static void not_enabled(struct refusals *w)
{
	refusals_owner(w, "", "u1");
}

/* The record is of the profile that had this name before. */
static void made_anew(struct refusals *w)
{
	refusals_owner(w, "ns1", "u2");
}

static void no_change(struct refusals *w)
{
	refusals_loosen(w, NULL);
}

static const struct row {
	const char *name, *token, *body;
	int status;
	const char *says; /* the whole answer, or the reason */
	void (*change)(struct refusals *w);
} rows[] = {
	{"a key of a file", "agent", KEYS(PAY), 200, "{\"versions\":[1]}", NULL},
	{"none is asked about", "agent", KEYS(""), 200, "{\"versions\":[]}", NULL},
	{"keys of no file, no such key, profile or namespace", "agent",
		KEYS("\"shop/enclave/secret-key\",\"shop/pay/other\",\"shop/none/secret-key\","
		     "\"mine/pay/secret-key\"," PAY),
		200, "{\"versions\":[0,0,0,0,1]}", NULL},
	{"a key that is not replaced in files", "agent", KEYS(PAY), 200, "{\"versions\":[0]}",
		no_change},
	{"a namespace that is not enabled any more", "agent", KEYS(PAY), 200, "{\"versions\":[0]}",
		not_enabled},
	{"a profile made anew", "agent", KEYS(PAY), 200, "{\"versions\":[0]}", made_anew},
	{"the agent of another node", "agent2", KEYS(PAY), 200, "{\"versions\":[1]}", NULL},
	{"no token", NULL, KEYS(PAY), 401, "TokenInvalid", NULL},
	{"a pod's token", "pod", KEYS(PAY), 401, "TokenInvalid", NULL},
	{"a person's token", "person", KEYS(PAY), 401, "TokenInvalid", NULL},
	{"a token for others", "other-audience", KEYS(PAY), 401, "TokenInvalid", NULL},
	{"a token that nobody signed", "forged", KEYS(PAY), 401, "TokenInvalid", NULL},
	{"no body", "agent", "", 400, "Malformed", NULL},
	{"no JSON", "agent", "{\"keys\":[" PAY, 400, "Malformed", NULL},
	{"no keys", "agent", "{}", 400, "Malformed", NULL},
	{"no list", "agent", "{\"keys\":" PAY "}", 400, "Malformed", NULL},
	{"a number", "agent", KEYS("1"), 400, "Malformed", NULL},
	{"no name of a key", "agent", KEYS("\"shop/pay\""), 400, "Malformed", NULL},
	{"a path", "agent", KEYS("\"../pay/secret-key\""), 400, "Malformed", NULL},
	{"profiles that are not known yet", "agent", KEYS(PAY), 503, "StoreUnavailable",
		no_profiles},
	{"a broker without an API server", "agent", KEYS(PAY), 401, "TokenInvalid", no_api_server},
};

/* Asks as whom that token is of. */
static void ask(struct refusals *w, const char *token, struct span body)
{
	_cleanup_buf_ struct buf bearer = BUF_INIT(1024);

	if (token) {
		refusals_token(&bearer, token);
		buf_putc(&bearer, '\0');
	}
	refusals_ask(w, "POST", VERSIONS_PATH, NULL, bearer.p, body);
}

static void check(struct refusals *w, const char *name, int status, const char *says)
{
	struct span answer = {w->answer, w->answer_len};
	struct rcar_error refusal = {0};

	CHECK_ROW(name, w->status == status, "%d, not %d: " SPAN_FMT, w->status, status,
		SPAN_ARG(answer));
	if (status == 200) {
		CHECK_STR(name, answer, says);
		return;
	}
	if (CHECK_ROW(name, rcar_error_read(&refusal, answer, NULL) == 0, "no refusal"))
		CHECK_ROW(name, strcmp(refusal.reason, says) == 0 && refusal.detail[0],
			"%s: %s, not %s", refusal.reason, refusal.detail, says);
}

static void run(const struct row *row)
{
	static struct refusals w; /* its answers are large */
	struct attack a;

	refusals_init(&a);
	a.profile = FILE_KEY;
	if (refusals_begin(&w, &a)) {
		if (row->change)
			row->change(&w);
		ask(&w, row->token, span_str(row->body));
		check(&w, row->name, row->status, row->says);
	}
	refusals_end(&w);
}

static void test_rows(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		run(&rows[i]);
}

/* So many keys, and one more. */
static void test_most(void)
{
	static struct refusals w;
	struct attack a;

	refusals_init(&a);
	a.profile = FILE_KEY;
	if (refusals_begin(&w, &a)) {
		for (int more = 0; more < 2; more++) {
			_cleanup_buf_ struct buf body = BUF_INIT(VERSIONS_REQUEST_MAX);

			buf_puts(&body, "{\"keys\":[");
			for (int i = 0; i < VERSIONS_MAX + more; i++)
				buf_printf(&body, "%s" PAY, i ? "," : "");
			buf_puts(&body, "]}");
			ask(&w, "agent", buf_view(&body));
			CHECK_ROW(more ? "one more" : "the most", w.status == (more ? 400 : 200),
				"%d", w.status);
		}
	}
	refusals_end(&w);
}

/* Asked again and again it says so, and goes on later. */
static void test_rate(void)
{
	static struct refusals w;
	bool limited = false;
	struct attack a;

	refusals_init(&a);
	a.profile = FILE_KEY;
	if (refusals_begin(&w, &a)) {
		w.desk->o.max_rate = 2;
		for (int i = 0; i < 200 && !limited; i++) {
			ask(&w, "agent", SPAN_LIT(KEYS(PAY)));
			limited = w.status == 429;
		}
		CU_ASSERT(limited);
		check(&w, "too often", 429, "RateLimited");
		w.desk->o.max_rate = 1000;
		for (int i = 0; i < 200 && w.status == 429; i++)
			ask(&w, "agent", SPAN_LIT(KEYS(PAY)));
		check(&w, "later", 200, "{\"versions\":[1]}");
	}
	refusals_end(&w);
}

CU_TestInfo rcar_versions_tests[] = {
	{"what an agent learns, and who learns nothing", test_rows},
	{"no more keys than there may be", test_most},
	{"not too often", test_rate},
	CU_TEST_INFO_NULL,
};
