/* SPDX-License-Identifier: Apache-2.0
 *
 * What `key explain` and the other commands of stored keys find in a cluster that a kubeconfig
 * names, with a stand-in for the API server. */
#include "webhook/explain.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"
#include "webhook/key_session.h"

#define PROFILE                                                                                    \
	"{\"metadata\":{\"namespace\":\"shop\",\"name\":\"pay\",\"uid\":\"u2\"},\"spec\":{"        \
	"\"tee\":\"node\",\"attestation\":{\"allowSimulated\":true},\"identities\":[{\"name\":"    \
	"\"dev\",\"simulated\":{}}],\"keys\":[{\"name\":\"k\",\"type\":\"password\",\"size\":24,"  \
	"\"identities\":[\"dev\"],\"grant\":{\"serviceAccounts\":[\"payments\"]},"                 \
	"\"allowSimulated\":true}]}}"
#define POD(account)                                                                               \
	"{\"metadata\":{\"namespace\":\"shop\",\"name\":\"p\",\"uid\":\"u3\",\"annotations\":{"    \
	"\"casemate.dev/profile\":\"pay\"}},\"spec\":{\"nodeName\":\"n1\","                        \
	"\"serviceAccountName\":\"" account                                                        \
	"\",\"containers\":[{\"name\":\"app\",\"image\":\"i\","                                    \
	"\"resources\":{\"limits\":{\"casemate.dev/keys\":\"1\"}}}]}}"
#define RECORD(verdict, until)                                                                     \
	"{\"status\":{\"nodeUID\":\"u4\",\"platform\":\"simulated\",\"platformID\":\"0102\","      \
	"\"verdict\":\"" verdict "\",\"reason\":\"Ok\",\"message\":\"\",\"validUntil\":\"" until   \
	"\",\"measurements\":{\"mrtd\":\"0a0b\",\"odd\":\"0\",\"none\":\"zz\"}}}"
#define GOOD RECORD("Simulated", "2036-01-01T00:00:00Z")

struct world {
	struct kube_fix kube;
	const char *pod, *record, *denied; /* NULL: there is none */
	bool enabled;
	char config[80];
};

static void give(struct fake_reply *reply, const char *body)
{
	if (body)
		fake_respond(reply, 200, NULL, body);
	else
		fake_respond(reply, 404, NULL, "{\"kind\":\"Status\",\"reason\":\"NotFound\"}");
}

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	const struct world *w = ctx;

	(void)n;
	if (strstr(request, "GET /api/v1/namespaces/shop/pods/p "))
		give(reply, w->pod);
	else if (strstr(request, "GET /api/v1/namespaces/shop "))
		give(reply, w->enabled ? "{\"metadata\":{\"uid\":\"u1\",\"labels\":{\"casemate.dev/"
					 "confidential\":\"enabled\"}}}"
				       : "{\"metadata\":{\"uid\":\"u1\"}}");
	else if (strstr(request, "/namespaces/shop/enclaveprofiles "))
		give(reply, "{\"items\":[" PROFILE "]}");
	else if (strstr(request, "/namespaces/shop/enclaveprofiles/pay "))
		give(reply, PROFILE);
	else if (strstr(request, "/nodeattestations/n1 "))
		give(reply, w->record);
	else if (strstr(request, "/namespaces/sys/configmaps/casemate-denied "))
		give(reply, w->denied);
	else if (strstr(request, "GET /api/v1/namespaces/sys/secrets?") &&
		 !strstr(request, "watch="))
		give(reply, "{\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[]}");
	else if (strstr(request, "GET /api/v1/namespaces/sys/secrets?"))
		give(reply, "");
	else
		give(reply, NULL);
}

static bool begin(struct world *w)
{
	*w = (struct world){.pod = POD("payments"), .record = GOOD, .enabled = true};
	if (!kube_fix_begin(&w->kube, answer, w))
		return false;
	snprintf(w->config, sizeof(w->config), "%s/webhook.yaml", w->kube.dir);
	write_text(w->config, "allowSimulated: true\n");
	return true;
}

static void end(struct world *w)
{
	unlink(w->config);
	kube_fix_end(&w->kube);
}

/* The finding of that rule. */
static const struct grant_finding *of(const struct explanation *x, const char *rule)
{
	for (size_t i = 0; i < x->n; i++)
		if (strstr(x->v[i].rule, rule))
			return &x->v[i];
	return NULL;
}

static void test_pods(void)
{
	static const struct {
		const char *name, *pod, *record, *denied, *config, *key;
		bool disabled;
		int r;
		enum reason reason;  /* the first that fails */
		const char *rule;    /* of it */
		const char *message; /* part of it */
	} rows[] = {
		/* All but what this pod's profile does not say: what may run. */
		{"no workload", POD("payments"), GOOD, NULL, "x", "shop/pay/k", false, 0,
			REASON_PodUnknown, NULL, NULL},
		{"another service account", POD("other"), GOOD, NULL, "x", "shop/pay/k", false, 0,
			REASON_ServiceAccountNotAllowed, "granted", "lacks other"},
		{"a node that nobody judged", POD("payments"), NULL, NULL, "x", "shop/pay/k", false,
			0, REASON_NotAttested, "node is attested", "NodeAttestation"},
		{"a verdict that is over", POD("payments"),
			RECORD("Simulated", "2020-01-01T00:00:00Z"), NULL, "x", "shop/pay/k", false,
			0, REASON_VerdictExpired, "node is attested", "n1"},
		{"without configuration's consent", POD("payments"), GOOD, NULL, "", "shop/pay/k",
			false, 0, REASON_ProfileInvalid, "such a profile", "allowSimulated"},
		{"a denied key", POD("payments"), GOOD, "{\"data\":{\"keys\":\"shop/pay/k\"}}", "x",
			"shop/pay/k", false, 0, REASON_KeyRevoked, "denied", ""},
		{"a denied node", POD("payments"), GOOD, "{\"data\":{\"nodes\":\"# why\\n n1\"}}",
			"x", "shop/pay/k", false, 0, REASON_NodeDenied, "denied", ""},
		{"no such key", POD("payments"), GOOD, NULL, "x", "shop/pay/j", false, 0,
			REASON_KeyNotFound, "has the key", "no key j"},
		{"no such profile", POD("payments"), GOOD, NULL, "x", "shop/pays/k", false, 0,
			REASON_KeyNotFound, "such a profile", "pays"},
		{"a namespace that is not enabled", POD("payments"), GOOD, NULL, "x", "shop/pay/k",
			true, 0, REASON_NamespaceNotAllowed, "namespace is enabled", "shop"},
		{"no such pod", NULL, GOOD, NULL, "x", "shop/pay/k", false, -ENOENT, REASON_Ok,
			NULL, "pod shop/p"},
		{"no key's name", POD("payments"), GOOD, NULL, "x", "shop", false, -EINVAL,
			REASON_Ok, NULL, ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct explanation x = {.arena = ARENA_INIT(64 << 20), .file = EVIDENCE_FILE_INIT};
		const struct grant_finding *f;
		struct error err = {0};
		struct world w;
		int r;

		if (!begin(&w)) {
			end(&w);
			return;
		}
		w.pod = rows[i].pod;
		w.record = rows[i].record;
		w.denied = rows[i].denied;
		w.enabled = !rows[i].disabled;
		r = explain(&x,
			&(struct explain_options){
				.file = {.evidence = "", .time = "", .policy = ""},
				.config = *rows[i].config ? w.config : "",
				.profiles_dir = "",
				.kubeconfig = w.kube.config,
				.namespace_ = "sys",
				.pod = "shop/p",
				.container = "",
				.service_account = "",
			},
			rows[i].key, &err);
		CHECK_ROW(rows[i].name, r == rows[i].r, "%d %s", r, err.message);
		if (r < 0)
			CHECK_ROW(rows[i].name,
				rows[i].message && strstr(err.message, rows[i].message), "%s",
				err.message);
		f = r == 0 && rows[i].rule ? of(&x, rows[i].rule) : NULL;
		if (f)
			CHECK_ROW(rows[i].name,
				f->state == GRANT_FAILS && f->reason == rows[i].reason &&
					explanation_reason(&x) == rows[i].reason &&
					strstr(f->message, rows[i].message),
				"%s: %s (first: %s)", reason_name(f->reason), f->message,
				reason_name(explanation_reason(&x)));
		else if (r == 0)
			CHECK_ROW(rows[i].name,
				!rows[i].rule && explanation_reason(&x) != REASON_Ok && x.n > 10,
				"%zu findings, %s", x.n, reason_name(explanation_reason(&x)));
		explanation_free(&x);
		end(&w);
	}
}

/* `key list`, `import`, `rotate` and so on, by --kubeconfig. */
static void test_kubeconfig(void)
{
	static const struct setting table[] = {
		KEK_SETTINGS("kek", offsetof(struct key_session_options, kek))};
	static const struct {
		const char *name, *keys, *namespace_, *kek, *owner;
		int r, owner_r;
	} rows[] = {
		{"a cluster", "", "sys", "kek", "shop/pay", 0, 0},
		{"no such profile", "", "sys", "kek", "shop/other", 0, -ENOENT},
		{"no name", "", "sys", "kek", "shop", 0, -EINVAL},
		{"a folder and a cluster", "/tmp", "sys", "kek", "shop/pay", -EINVAL, 0},
		{"no key-encryption key", "", "sys", "", "shop/pay", -EINVAL, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_arena_ struct arena a = ARENA_INIT(1 << 16);
		struct key_session_options o = {0};
		struct key_session s = {0};
		struct key_owner owner = {0};
		struct json_val keys = {0};
		struct error err = {0};
		char kek[96];
		struct world w;
		int r;

		if (!begin(&w)) {
			end(&w);
			return;
		}
		snprintf(kek, sizeof(kek), "%s/kek", w.kube.dir);
		write_text(kek, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n");
		chmod(kek, 0400);
		/* what no flag says */
		CU_ASSERT_EQUAL(settings_read(&(struct settings_input){.table = table,
						      .n = ARRAY_SIZE(table)},
					&o, &a, NULL, NULL),
			0);
		o.keys = rows[i].keys;
		o.profiles_dir = "";
		o.kubeconfig = w.kube.config;
		o.namespace_ = rows[i].namespace_;
		o.kek_file = *rows[i].kek ? kek : "";
		r = key_session_open(&s, &o, &err);
		CHECK_ROW(rows[i].name, r == rows[i].r, "%d %s", r, err.message);
		if (r == 0) {
			r = key_session_owner(&s, rows[i].owner, &owner, &keys, &err);
			CHECK_ROW(rows[i].name, r == rows[i].owner_r, "%d %s", r, err.message);
		}
		if (r == 0 && rows[i].r == 0)
			CHECK_ROW(rows[i].name,
				strcmp(owner.namespace_uid, "u1") == 0 &&
					strcmp(owner.profile_uid, "u2") == 0 &&
					json_count(keys) == 1,
				"%s %s", owner.namespace_uid, owner.profile_uid);
		key_session_close(&s);
		unlink(kek);
		end(&w);
	}
}

const CU_TestInfo explain_tests[] = {
	{"pods of a cluster", test_pods},
	{"stored keys by kubeconfig", test_kubeconfig},
	CU_TEST_INFO_NULL,
};
