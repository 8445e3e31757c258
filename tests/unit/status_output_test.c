/* SPDX-License-Identifier: Apache-2.0
 *
 * The outputs of made-up nodes: JSON read back and compared field by field, text as a whole, HTML
 * for its form and for what must not be in it. */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "nodeagent/status/page_style.h"
#include "tests/unit/status_fixture.h"
#include "tests/unit/test.h"

enum { OUTPUT_MAX = 4 << 20, OPEN_MAX = 32 };

static const struct json_limits limits = {OUTPUT_MAX, 1 << 20, 8};

/* What path ("epc.numa.1.node") leads to, as written. */
static struct span at(const struct json *doc, const char *path)
{
	struct json_val v = json_root(doc);

	while (*path) {
		size_t n = strcspn(path, ".");

		v = json_is_array(v) ? json_at(v, strtoul(path, NULL, 10))
				     : json_get_span(v, (struct span){path, n});
		path += n + (path[n] == '.');
	}
	return json_raw(v);
}

static void test_json_fields(void)
{
	static const struct {
		const char *node, *path, *want;
	} rows[] = {
		{"sgx", "node", "\"worker-1\""},
		{"sgx", "nodeUID", "\"6d3d7a4c-7f5e-4a53-9a7c-0d8c2b1f9e10\""},
		{"sgx", "version", "\"0.1.0\""},
		{"sgx", "source", "\"agent\""},
		{"sgx", "time", "\"2026-05-01T12:00:03Z\""},
		{"sgx", "startedAt", "\"2026-04-28T08:00:03Z\""},
		{"sgx", "healthy", "true"},
		{"sgx", "problems", "[]"},
		{"sgx", "simulated", "false"},
		{"sgx", "tees.0", "{\"name\":\"sgx\",\"state\":\"Ready\"}"},
		{"sgx", "tees.1", "{\"name\":\"tdx-host\",\"state\":\"Missing\"}"},
		{"sgx", "tees.4.name", "\"snp\""},
		{"sgx", "findings.0.check", "\"sgx-cpu\""},
		{"sgx", "findings.0.state", "\"Ready\""},
		{"sgx", "findings.0.message", "\"SGX1 and SGX2 (EDMM)\""},
		{"sgx", "findings.15.check", "\"snp-guest\""},
		{"sgx", "epc.totalBytes", "134217728"},
		{"sgx", "epc.reservedBytes", "8388608"},
		{"sgx", "epc.publishedBytes", "125829120"},
		{"sgx", "epc.requestedBytes", "69730304"},
		{"sgx", "epc.freeBytes", "56098816"},
		{"sgx", "epc.numa.1", "{\"node\":1,\"totalBytes\":33554432}"},
		{"sgx", "capacity.state", "\"Published\""},
		{"sgx", "capacity.problem", "\"\""},
		{"sgx", "capacity.resources.0",
			"{\"resource\":\"sgx.intel.com/epc\",\"published\":125829120,"
			"\"allocatable\":125829120}"},
		{"sgx", "devices.2",
			"{\"resource\":\"casemate.dev/aesm\",\"state\":\"Registered\","
			"\"problem\":\"\",\"devices\":110,\"healthy\":110}"},
		{"sgx", "connections.kubelet", "{\"state\":\"Connected\",\"problem\":\"\"}"},
		{"sgx", "connections.apiServer", "{\"state\":\"Connected\",\"problem\":\"\"}"},
		{"sgx", "containers.0.namespace", "\"shop\""},
		{"sgx", "containers.0.pod", "\"payments-6c9f7d5b8-x2x7k\""},
		{"sgx", "containers.0.container", "\"app\""},
		{"sgx", "containers.0.devices.0",
			"{\"resource\":\"sgx.intel.com/enclave\",\"ids\":[\"sgx-enclave-12\"]}"},
		{"sgx", "containers.0.devices.1.resource", "\"casemate.dev/aesm\""},
		{"sgx", "containers.0.epcBytes", "67108864"},
		{"sgx", "containers.0.epcUsedBytes", "null"},
		{"sgx", "containers.1.epcUsedBytes", "1048576"},
		{"sgx", "containersCut", "false"},
		{"sgx", "containersProblem", "\"\""},
		{"sgx", "attestation",
			"{\"state\":\"NotConfigured\",\"reason\":\"\",\"message\":\"\","
			"\"phase\":\"Resting\",\"problem\":\"\",\"validUntil\":null,"
			"\"platform\":\"\",\"source\":\"none\"}"},
		{"simulated", "simulated", "true"},
		{"simulated", "attestation.state", "\"Simulated\""},
		{"simulated", "attestation.validUntil", "\"2026-05-01T13:00:03Z\""},
		{"simulated", "attestation.platform", "\"simulated\""},
		{"broken", "attestation.source", "\"aesm\""},
		{"broken", "healthy", "false"},
		{"broken", "problems.0.what", "\"sgx-driver\""},
		{"broken", "problems.0.state", "\"Misconfigured\""},
		{"broken", "problems.2.message",
			"\"10.96.0.1:443: connection refused; trying again\""},
		{"broken", "tees.0.state", "\"Misconfigured\""},
		{"broken", "epc.freeBytes", "0"},
		{"broken", "devices.1.state", "\"Foreign\""},
		{"broken", "connections.apiServer.state", "\"Disconnected\""},
		{"bare", "epc.numa", "[]"},
		{"bare", "epc.publishedBytes", "null"},
		{"bare", "containers", "[]"},
		{"discovered", "source", "\"discovery\""},
		{"discovered", "startedAt", "null"},
		{"discovered", "epc.requestedBytes", "null"},
		{"discovered", "epc.freeBytes", "null"},
		{"discovered", "connections.kubelet.state", "\"NotConfigured\""},
		{"many", "containersCut", "true"},
		{"many", "containers.299.container", "\"main\""},
		{"many", "epc.numa.7.totalBytes", "68719476736"},
	};
	static struct status_fixture f;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(OUTPUT_MAX);
		_cleanup_json_ struct json doc = {0};

		status_fixture(&f, rows[i].node);
		CU_ASSERT_EQUAL(status_json(&f.status, &b), 0);
		CU_ASSERT_EQUAL(json_parse(&doc, buf_view(&b), &limits, NULL), 0);
		CHECK_STR(rows[i].path, at(&doc, rows[i].path), rows[i].want);
	}
}

/* All nodes have the same members, so that scripts need not ask whether one is there. */
static void test_json_members(void)
{
	static const char *const members[] = {"node", "nodeUID", "version", "source", "time",
		"startedAt", "healthy", "problems", "simulated", "tees", "findings", "epc",
		"capacity", "devices", "connections", "containers", "containersCut",
		"containersProblem", "attestation", "keys"};
	static struct status_fixture f;

	for (const char *const *name = status_fixture_names; *name; name++) {
		_cleanup_buf_ struct buf b = BUF_INIT(OUTPUT_MAX);
		_cleanup_json_ struct json doc = {0};
		struct error err = {0};

		CU_ASSERT(status_fixture(&f, *name));
		CU_ASSERT_EQUAL(status_json(&f.status, &b), 0);
		CHECK_ROW(*name, json_parse(&doc, buf_view(&b), &limits, &err) == 0, "%s",
			err.message);
		CU_ASSERT_EQUAL(json_count(json_root(&doc)), ARRAY_SIZE(members));
		for (size_t i = 0; i < ARRAY_SIZE(members); i++)
			CHECK_ROW(*name, json_exists(json_get(json_root(&doc), members[i])),
				"no %s", members[i]);
	}
}

static void test_text(void)
{
	static const char want[] =
		"worker-1: 8 things to fix (SGX, TDX host)\n"
		"\n"
		"To fix\n"
		"  sgx-driver               Misconfigured  the kernel has no SGX driver: install "
		"one "
		"with CONFIG_X86_SGX=y (5.11 or newer)\n"
		"  sgx-dev-exec             Misconfigured  /dev is mounted noexec: enclaves cannot "
		"be "
		"mapped; remount it without noexec\n"
		"  api-server               Disconnected   10.96.0.1:443: connection refused; "
		"trying "
		"again\n"
		"  sgx.intel.com/enclave    Unhealthy      the kubelet gives none of these devices "
		"to "
		"new pods; the platform checks say why\n"
		"  sgx.intel.com/provision  Foreign        Intel's device plugin serves this "
		"resource: "
		"remove its DaemonSet, or set provisionLimit=0 here\n"
		"  casemate.dev/aesm        Waiting        the kubelet answered Unimplemented\n"
		"  epc                      Overcommitted  pods request more EPC than this node "
		"offers, "
		"so that enclaves are paged: move pods away, or lower epc.reserve\n"
		"  attestation              Refused        update the BIOS to 2026.1 "
		"(INTEL-SA-01234)\n"
		"\n"
		"Agent\n"
		"  version      0.1.0, up 3 d 4 h\n"
		"  kubelet      Connected\n"
		"  API server   Disconnected: 10.96.0.1:443: connection refused; trying again\n"
		"  capacity     Published\n"
		"  attestation  Refused: update the BIOS to 2026.1 (INTEL-SA-01234)\n"
		"  evidence     sgx: aesm\n"
		"\n"
		"EPC (enclave memory)\n"
		"  total          128 MiB\n"
		"    NUMA node 0  96 MiB\n"
		"    NUMA node 1  32 MiB\n"
		"  reserved       8 MiB\n"
		"  requested      200 MiB\n"
		"  free           0 B\n"
		"\n"
		"Devices\n"
		"  RESOURCE                 HEALTHY     STATE\n"
		"  sgx.intel.com/enclave    0 of 110    Registered\n"
		"  sgx.intel.com/provision  0 of 0      Foreign     Intel's device plugin serves "
		"this "
		"resource: remove its DaemonSet, or set provisionLimit=0 here\n"
		"  casemate.dev/aesm        110 of 110  Waiting     the kubelet answered "
		"Unimplemented\n"
		"\n"
		"Pods with devices\n"
		"  not up to date: the kubelet's pod-resources socket does not answer\n"
		"  POD                            CONTAINER  EPC      DEVICES\n"
		"  shop/payments-6c9f7d5b8-x2x7k  app        64 MiB   sgx.intel.com/enclave, "
		"casemate.dev/aesm\n"
		"  shop/vault-0                   vault      2.5 MiB  sgx.intel.com/enclave x6\n"
		"\n"
		"Platform\n"
		"  sgx-cpu               Ready          SGX1 and SGX2 (EDMM)\n";
	static struct status_fixture f;
	_cleanup_buf_ struct buf b = BUF_INIT(OUTPUT_MAX);

	status_fixture(&f, "broken");
	CU_ASSERT_EQUAL(status_text(&f.status, &b), 0);
	CHECK_STR("broken", ((struct span){b.p, b.len < sizeof(want) ? b.len : sizeof(want) - 1}),
		want);
}

/* What else a text says, and what it does not. */
static void test_text_parts(void)
{
	static const struct {
		const char *node, *part;
		bool there;
	} rows[] = {
		{"sgx", "To fix", false},
		{"sgx", "SIMULATED", false},
		{"simulated", "\nSIMULATED: nothing on this node protects anything", true},
		{"bare", "EPC", false},
		{"bare", "Devices", false},
		{"bare", "\nPods with devices\n  none\n", true},
		{"discovered", "Agent", false},
		{"discovered", "Pods", false},
		{"discovered", "  total          128 MiB\n", true},
		{"discovered", "free", false},
		{"many", "  and more, see --json\n", true},
		{"broken", "  snp-host              Missing        not on this machine\n", true},
		{"broken", "kata-snp", false},
	};
	static struct status_fixture f;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(OUTPUT_MAX);

		status_fixture(&f, rows[i].node);
		CU_ASSERT_EQUAL(status_text(&f.status, &b), 0);
		CHECK_ROW(
			rows[i].part, !strstr(b.p, rows[i].part) == !rows[i].there, "in:\n%s", b.p);
	}
}

/* Nothing that a terminal obeys, and lines end with a word. */
static void test_text_safe(void)
{
	static struct status_fixture f;

	for (const char *const *name = status_fixture_names; *name; name++) {
		_cleanup_buf_ struct buf b = BUF_INIT(OUTPUT_MAX);
		unsigned controls = 0;

		status_fixture(&f, *name);
		CU_ASSERT_EQUAL(status_text(&f.status, &b), 0);
		for (size_t i = 0; i < b.len; i++)
			controls +=
				((unsigned char)b.p[i] < 0x20 && b.p[i] != '\n') || b.p[i] == 0x7f;
		CHECK_ROW(*name, controls == 0, "%u", controls);
		CHECK_ROW(*name, !strstr(b.p, " \n"), "%s", b.p);
	}
}

/* The open elements of a document, outermost first. */
struct elements {
	struct span names[OPEN_MAX];
	size_t n;
};

/* Steps over the attributes of a tag, each name="value" without '<' in it; NULL when they are
 * not. */
static const char *skip_attributes(const char *p)
{
	while (*p == ' ') {
		p += 1 + strspn(p + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-");
		if (p[0] != '=' || p[1] != '"')
			return NULL;
		p += 2 + strcspn(p + 2, "\"<");
		if (*p++ != '"')
			return NULL;
	}
	return p;
}

static bool is_void(struct span name)
{
	return span_is(name, "meta") || span_is(name, "link") || span_is(name, "br");
}

/* One tag at p ('<'); what follows it, or NULL. */
static const char *step(struct elements *e, const char *p)
{
	bool end = p[1] == '/';
	const char *start = p + 1 + end;
	struct span name = {start, strspn(start, "abcdefghijklmnopqrstuvwxyz0123456789")};

	p = start + name.len;
	if (name.len == 0)
		return NULL;
	if (end)
		return *p == '>' && e->n && span_equal(e->names[--e->n], name) ? p + 1 : NULL;
	p = skip_attributes(p);
	if (!p || (*p != '>' && strncmp(p, "/>", 2) != 0))
		return NULL;
	if (*p == '>' && !is_void(name)) {
		if (e->n == OPEN_MAX)
			return NULL;
		e->names[e->n++] = name;
	}
	return p + (*p == '>' ? 1 : 2);
}

/* Every tag is closed, in order, every attribute quoted, every '&' an entity's. Returns where this
 * is not so, or NULL. */
static const char *malformed(const char *html)
{
	static const char *const entities[] = {
		"&amp;", "&lt;", "&gt;", "&quot;", "&#39;", "&ndash;"};
	struct elements e = {.n = 0};
	const char *p = span_after(span_str(html), "<!DOCTYPE html>\n").p;

	while (p && *p) {
		const char *at = p;
		bool known = *p != '&';

		for (size_t i = 0; !known && i < ARRAY_SIZE(entities); i++)
			known = strncmp(p, entities[i], strlen(entities[i])) == 0;
		p = !known ? NULL : *p == '<' ? step(&e, p) : p + 1;
		if (!p)
			return at;
	}
	return !p || e.n ? html : NULL;
}

static void test_page_form(void)
{
	static struct status_fixture f;

	for (const char *const *name = status_fixture_names; *name; name++) {
		_cleanup_buf_ struct buf b = BUF_INIT(OUTPUT_MAX);
		const char *bad;

		status_fixture(&f, *name);
		CU_ASSERT_EQUAL(status_page(&f.status, &b), 0);
		bad = malformed(b.p);
		CHECK_ROW(*name, !bad, "at: %.200s", bad);
		CHECK_ROW(*name, !strstr(b.p, "<script"), "a script");
		CHECK_ROW(*name, !strstr(b.p, " style=\""), "a style that the policy forbids");
	}
	/* The checker itself sees what it is for. */
	CU_ASSERT_PTR_NULL(malformed("<!DOCTYPE html>\n<p a=\"b\">x<br>&amp;</p>"));
	CU_ASSERT_PTR_NOT_NULL(malformed("<!DOCTYPE html>\n<p>"));
	CU_ASSERT_PTR_NOT_NULL(malformed("<!DOCTYPE html>\n<p><b></p></b>"));
	CU_ASSERT_PTR_NOT_NULL(malformed("<!DOCTYPE html>\n<p>a & b</p>"));
	CU_ASSERT_PTR_NOT_NULL(malformed("<!DOCTYPE html>\n<p a=\"b\" onerror='x'>y</p>"));
}

static void test_page_parts(void)
{
	static const struct {
		const char *node, *part;
		bool there;
	} rows[] = {
		{"sgx", "<html lang=\"en\">", true},
		{"sgx", "<title>worker-1: all is well | Casemate</title>", true},
		{"sgx", "<section class=\"verdict ok\"", true},
		{"sgx", "class=\"banner\"", false},
		{"sgx", "What to fix", false},
		{"sgx",
			"role=\"img\" aria-label=\"128 MiB in all, 8 MiB reserved, 66.5 MiB "
			"requested by pods, 53.5 MiB free\"",
			true},
		{"sgx", "<rect class=\"requested\" x=\"62\" width=\"519\"", true},
		{"sgx", "<span>NUMA node 1</span>", true},
		{"sgx", "shop/payments-6c9f7d5b8-x2x7k<span", true},
		{"sgx", "sgx-enclave-3 and 2 more", true},
		{"sgx", "Not on this node: TDX host", true},
		{"sgx", "<span class=\"badge idle\">Not configured</span>", true},
		{"simulated", "<title>worker-1: works, but simulated (simulated) |", true},
		{"simulated", "class=\"banner\"", true},
		{"simulated", "<section class=\"verdict warn\"", true},
		{"simulated", "Simulated; valid until 2026-05-01 13:00:03 UTC", true},
		{"broken", "<section class=\"verdict bad\"", true},
		{"broken",
			"<h3>Kernel driver <span class=\"badge bad\">Misconfigured</span></h3>\n"
			"<p>the kernel has no SGX driver",
			true},
		{"broken", "<span class=\"badge bad\">0 of 110</span>", true},
		{"broken", "<rect class=\"requested\" x=\"62\" width=\"938\"", true},
		{"bare", "<section class=\"verdict idle\"", true},
		{"bare", "<svg class=\"bar\"", false},
		{"bare", "Nothing confidential here", true},
		{"many", "There are more; <a href=\"api/v1/status\">the JSON</a>", true},
	};
	static struct status_fixture f;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_buf_ struct buf b = BUF_INIT(OUTPUT_MAX);

		status_fixture(&f, rows[i].node);
		CU_ASSERT_EQUAL(status_page(&f.status, &b), 0);
		CHECK_ROW(rows[i].part, !strstr(b.p, rows[i].part) == !rows[i].there, "node %s",
			rows[i].node);
	}
}

/* The policy lets in the style sheet that the page has. */
static void test_page_policy(void)
{
	static struct status_fixture f;
	_cleanup_buf_ struct buf b = BUF_INIT(OUTPUT_MAX), want = BUF_INIT(100);
	unsigned char hash[32];
	size_t n;

	CU_ASSERT_EQUAL(
		EVP_Q_digest(NULL, "SHA256", NULL, page_style, strlen(page_style), hash, &n), 1);
	buf_base64(&want, hash, sizeof(hash));
	CHECK_STR("page_style_hash", span_str(page_style_hash), want.p);
	CU_ASSERT_PTR_NULL(strchr(page_style, '<'));
	status_fixture(&f, "sgx");
	status_page(&f.status, &b);
	buf_reset(&want);
	buf_printf(&want,
		"content=\"default-src 'none'; style-src 'sha256-%s'; img-src data:; base-uri "
		"'none'; form-action 'none'\"",
		page_style_hash);
	CU_ASSERT_PTR_NOT_NULL(strstr(b.p, want.p));
}

CU_TestInfo status_output_tests[] = {
	{"JSON, field by field", test_json_fields},
	{"JSON has the same members always", test_json_members},
	{"text", test_text},
	{"text, what it says and not", test_text_parts},
	{"text is safe for terminals", test_text_safe},
	{"the page is well-formed", test_page_form},
	{"the page, what it says and not", test_page_parts},
	{"the page's policy", test_page_policy},
	CU_TEST_INFO_NULL,
};
