/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/settings.h"

#include <errno.h>

#include "tests/unit/test.h"

struct target {
	const char *listen, *config, *free_text;
	bool leader, dry;
	int64_t workers, v, offset_n;
	int64_t timeout, body;
	int version;
	struct strings roles, none;
	int64_t rules; /* what the custom parser counted */
};

static int parse_rules(const struct settings_source *src, struct json_val v, void *field,
	struct arena *a, struct error *err)
{
	(void)a;
	if (!json_is_array(v))
		return settings_error(src, v, err, "rules: expected a list");
	*(int64_t *)field = (int64_t)json_count(v);
	return 0;
}

#define AT(field) .offset = offsetof(struct target, field)
static const char *const versions[] = {"1.2", "1.3", NULL};
static const struct setting table[] = {
	{.name = "listenAddress",
		.type = SETTING_STRING,
		AT(listen),
		.def = ":8443",
		.help = "Where to listen",
		.meta = "ADDR:PORT"},
	{.name = "config",
		.type = SETTING_STRING,
		AT(config),
		.no_file = true,
		.meta = "FILE",
		.help = "The file"},
	{.name = "freeText", .type = SETTING_STRING, AT(free_text)},
	{.name = "leaderElect", .type = SETTING_BOOL, AT(leader), .def = "true", .help = "Elect"},
	{.name = "dryRun", .type = SETTING_BOOL, AT(dry)},
	{.name = "limits.workers",
		.type = SETTING_INT,
		AT(workers),
		.def = "2",
		.min = 1,
		.max = 64,
		.help = "Threads"},
	{.name = "v", .type = SETTING_INT, AT(v), .def = "2", .min = 0, .max = 10, .help = "Level"},
	{.name = "offset", .type = SETTING_INT, AT(offset_n), .min = INT64_MIN},
	{.name = "limits.timeout",
		.type = SETTING_DURATION,
		AT(timeout),
		.def = "10s",
		.min = 1000000,
		.max = 3600000000,
		.help = "Longest review"},
	{.name = "limits.bodySize",
		.type = SETTING_QUANTITY,
		AT(body),
		.def = "3Mi",
		.min = 1024,
		.max = 64 << 20,
		.help = "Largest body"},
	{.name = "tls.minVersion",
		.type = SETTING_ENUM,
		AT(version),
		.def = "1.2",
		.choices = versions,
		.help = "Lowest TLS"},
	{.name = "roles",
		.type = SETTING_STRINGS,
		AT(roles),
		.def = "admission",
		.help = "What to do"},
	{.name = "none", .type = SETTING_STRINGS, AT(none), .file_only = true, .help = "Nothing"},
	{.name = "rules", .type = SETTING_CUSTOM, AT(rules), .parse = parse_rules, .help = "Rules"},
};

struct row {
	const char *file; /* NULL: none */
	const char *env[4];
	const char *flags[7];
	const char *want; /* print() of the target, or the message */
};

static void put_list(struct buf *b, const char *name, struct strings list)
{
	buf_printf(b, " %s=", name);
	for (size_t i = 0; i < list.n; i++)
		buf_printf(b, "%s%s", i ? "|" : "", list.v[i]);
}

/* Only what differs from the defaults. */
static void print(struct buf *b, const struct target *t, struct strings rest)
{
	if (strcmp(t->listen, ":8443") != 0)
		buf_printf(b, " listen=%s", t->listen);
	if (*t->config)
		buf_printf(b, " config=%s", t->config);
	if (*t->free_text)
		buf_printf(b, " free=%s", t->free_text);
	if (!t->leader)
		buf_puts(b, " noleader");
	if (t->dry)
		buf_puts(b, " dry");
	if (t->workers != 2)
		buf_printf(b, " workers=%d", (int)t->workers);
	if (t->v != 2)
		buf_printf(b, " v=%d", (int)t->v);
	if (t->offset_n)
		buf_printf(b, " offset=%lld", (long long)t->offset_n);
	if (t->timeout != 10 * 1000000)
		buf_printf(b, " timeout=%lld", (long long)t->timeout);
	if (t->body != 3 << 20)
		buf_printf(b, " body=%lld", (long long)t->body);
	if (t->version)
		buf_printf(b, " version=%s", versions[t->version]);
	if (t->roles.n != 1 || strcmp(t->roles.v[0], "admission") != 0)
		put_list(b, "roles", t->roles);
	if (t->none.n)
		put_list(b, "none", t->none);
	if (t->rules)
		buf_printf(b, " rules=%d", (int)t->rules);
	if (rest.n)
		put_list(b, "rest", rest);
}

static void check_row(const struct row *row, bool take_rest)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);
	_cleanup_buf_ struct buf got = BUF_INIT(4096);
	struct settings_input in = {.table = table,
		.n = ARRAY_SIZE(table),
		.file = row->file ? "f" : NULL,
		.text = span_str(row->file),
		.environment = (char *const *)row->env,
		.argv = (char *const *)row->flags};
	struct strings rest = {NULL, 0};
	struct error err = {0};
	struct target t;
	int r;

	memset(&t, 0xff, sizeof(t)); /* settings_read must not rely on zeroes */
	t.rules = 0;
	while (row->flags[in.argc])
		in.argc++;
	r = settings_read(&in, &t, &a, take_rest ? &rest : NULL, &err);
	buf_puts(&got, "");
	if (r < 0)
		buf_puts(&got, err.message);
	else
		print(&got, &t, rest);
	CHECK_STR(row->file       ? row->file
		  : row->flags[0] ? row->flags[0]
				  : "none",
		buf_view(&got), row->want);
	if (r < 0)
		CU_ASSERT(r == -EINVAL || r == -EBADMSG || r == -E2BIG);
}

static void test_values(void)
{
	static const struct row rows[] = {
		{NULL, {NULL}, {NULL}, ""},
		{"", {NULL}, {NULL}, ""},
		{"# all defaults\n", {NULL}, {NULL}, ""},
		{"{}", {NULL}, {NULL}, ""},
		{"limits:\n  # workers: 4\ntls:\n", {NULL}, {NULL}, ""},
		/* precedence */
		{"limits: {workers: 3}", {NULL}, {NULL}, " workers=3"},
		{"limits: {workers: 3}", {"CASEMATE_LIMITS_WORKERS=4"}, {NULL}, " workers=4"},
		{"limits: {workers: 3}", {"CASEMATE_LIMITS_WORKERS=4"}, {"--limits-workers=5"},
			" workers=5"},
		{NULL, {"CASEMATE_LIMITS_WORKERS=4"}, {NULL}, " workers=4"},
		{"limits: {workers: 3}", {"CASEMATE_LIMITS_WORKERS="}, {NULL}, " workers=3"},
		{"limits: {workers: 3}",
			{"XCASEMATE_LIMITS_WORKERS=4", "CASEMATE_LIMITS=1",
				"CASEMATE_LIMITS_WORKERS2=4"},
			{NULL}, " workers=3"},
		/* the file */
		{"listenAddress: \"0.0.0.0:1\"\nfreeText: a b\nleaderElect: no\ndryRun: on\nv: "
		 "0x4\n"
		 "offset: -7\nlimits:\n  timeout: 1m30s\n  bodySize: 1Mi\n  workers: 64\n"
		 "tls: {minVersion: \"1.3\"}\nroles: [a, b]\nnone: [c]\nrules: [1, {}]\n",
			{NULL}, {NULL},
			" listen=0.0.0.0:1 free=a b noleader dry workers=64 v=4 offset=-7 "
			"timeout=90000000 body=1048576 version=1.3 roles=a|b none=c rules=2"},
		{"limits: {bodySize: 4096}\nroles: []\n", {NULL}, {NULL}, " body=4096 roles="},
		{"{\"limits\":{\"bodySize\":\"2k\"}}", {NULL}, {NULL}, " body=2000"},
		/* the environment */
		{NULL,
			{"CASEMATE_TLS_MIN_VERSION=1.3", "CASEMATE_DRY_RUN=true",
				"CASEMATE_ROLES=a, b"},
			{NULL}, " dry version=1.3 roles=a|b"},
		{"roles: [x]", {"CASEMATE_ROLES=a"}, {NULL}, " roles=a"},
		{NULL, {"CASEMATE_NONE=a", "CASEMATE_RULES=1"}, {NULL}, ""},
		/* flags */
		{NULL, {NULL}, {"--dry-run", "--no-leader-elect"}, " noleader dry"},
		{NULL, {NULL}, {"--dry-run=true", "--leader-elect=false"}, " noleader dry"},
		{NULL, {"CASEMATE_DRY_RUN=true"}, {"--no-dry-run"}, ""},
		{NULL, {NULL}, {"--listen-address", "x:1", "--free-text="}, " listen=x:1"},
		{NULL, {NULL}, {"-v", "4"}, " v=4"},
		{NULL, {NULL}, {"-v=5", "--v", "6"}, " v=6"},
		{NULL, {NULL}, {"--offset", "-5"}, " offset=-5"},
		{NULL, {"CASEMATE_ROLES=x"}, {"--roles=a,b", "--roles", "c"}, " roles=a|b|c"},
		{NULL, {NULL}, {"--roles="}, " roles="},
		{NULL, {NULL}, {"--config", "f.yaml", "a", "-", "--", "--dry-run"},
			" config=f.yaml rest=a|-|--dry-run"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(&rows[i], true);
}

static void test_refused(void)
{
	static const struct row rows[] = {
		/* the file */
		{"- a\n", {NULL}, {NULL}, "f:1:1: expected a mapping of settings (name: value)"},
		{"a: [\n", {NULL}, {NULL},
			"f:2:1: did not find expected node content while parsing a flow node"},
		{"v: 1\n---\nv: 2\n", {NULL}, {NULL}, "f:3:1: more than 1 documents"},
		{"v: 1\nv: 2\n", {NULL}, {NULL}, "f:2:1: duplicate key \"v\", first at 1:1"},
		{"limits:\n  wokers: 1\n", {NULL}, {NULL},
			"f:2:3: unknown setting \"limits.wokers\"; did you mean limits.workers?"},
		{"listenaddress: x\n", {NULL}, {NULL},
			"f:1:1: unknown setting \"listenaddress\"; did you mean listenAddress?"},
		{"limits.workers: 1\n", {NULL}, {NULL},
			"f:1:1: unknown setting \"limits.workers\"; did you mean limits.workers?"},
		{"somethingElse: 1\n", {NULL}, {NULL}, "f:1:1: unknown setting \"somethingElse\""},
		{"config: x\n", {NULL}, {NULL}, "f:1:1: unknown setting \"config\""},
		{"limits: 3\n", {NULL}, {NULL}, "f:1:9: limits: expected a mapping of settings"},
		{"limits: {workers: 0}\n", {NULL}, {NULL},
			"f:1:19: limits.workers: expected a whole number from 1 to 64; found "
			"\"0\""},
		{"limits: {workers: 65}\n", {NULL}, {NULL},
			"f:1:19: limits.workers: expected a whole number from 1 to 64; found "
			"\"65\""},
		{"limits: {workers: \"3\"}\n", {NULL}, {NULL},
			"f:1:19: limits.workers: expected a whole number from 1 to 64; found "
			"\"3\""},
		{"limits: {workers: 1.5}\n", {NULL}, {NULL},
			"f:1:19: limits.workers: expected a whole number from 1 to 64; found "
			"\"1.5\""},
		{"limits: {timeout: 10}\n", {NULL}, {NULL},
			"f:1:19: limits.timeout: expected a duration such as 90s or 1h30m from 1s "
			"to "
			"1h; found 10: put it in quotes"},
		{"limits: {timeout: 2h}\n", {NULL}, {NULL},
			"f:1:19: limits.timeout: expected a duration such as 90s or 1h30m from 1s "
			"to "
			"1h; found \"2h\""},
		{"limits: {bodySize: 100m}\n", {NULL}, {NULL},
			"f:1:20: limits.bodySize: expected a whole quantity such as 64Mi from 1Ki "
			"to "
			"64Mi; found \"100m\""},
		{"leaderElect: \"true\"\n", {NULL}, {NULL},
			"f:1:14: leaderElect: expected true or false; found \"true\""},
		{"tls:\n  minVersion: 1.3\n", {NULL}, {NULL},
			"f:2:15: tls.minVersion: expected one of 1.2, 1.3; found 1.3: put it in "
			"quotes"},
		{"tls:\n  minVersion: \"1.1\"\n", {NULL}, {NULL},
			"f:2:15: tls.minVersion: expected one of 1.2, 1.3; found \"1.1\""},
		{"freeText:\n", {NULL}, {NULL},
			"f:1:10: freeText: expected text; found nothing: leave the key out to get "
			"the default"},
		{"freeText: yes\n", {NULL}, {NULL},
			"f:1:11: freeText: expected text; found true: put it in quotes"},
		{"freeText: {a: 1}\n", {NULL}, {NULL},
			"f:1:11: freeText: expected text; found a mapping"},
		{"roles: a\n", {NULL}, {NULL},
			"f:1:8: roles: expected a list of texts, none of them empty; found \"a\""},
		{"roles: [a, 1]\n", {NULL}, {NULL},
			"f:1:8: roles: expected a list of texts, none of them empty; found 1: put "
			"it in quotes"},
		{"rules: 1\n", {NULL}, {NULL}, "f:1:8: rules: expected a list"},
		/* the environment */
		{NULL, {"CASEMATE_LIMITS_WORKERS=x"}, {NULL},
			"CASEMATE_LIMITS_WORKERS: expected a whole number from 1 to 64; found "
			"\"x\""},
		{NULL, {"CASEMATE_V=\n"}, {NULL},
			"CASEMATE_V: expected a whole number from 0 to 10; found \"?\""},
		{NULL, {"CASEMATE_ROLES=a,,b"}, {NULL},
			"CASEMATE_ROLES: expected a list of texts, none of them empty; found an "
			"empty one"},
		/* flags */
		{NULL, {NULL}, {"--limits-workers=99999999999999999999"},
			"--limits-workers: expected a whole number from 1 to 64; found "
			"\"99999999999999999999\""},
		{NULL, {NULL}, {"--offset=9223372036854775808"},
			"--offset: expected a whole number, at least -9223372036854775808; found "
			"\"9223372036854775808\""},
		{NULL, {NULL}, {"--limit-workers=1"},
			"unknown flag --limit-workers; did you mean --limits-workers?"},
		{NULL, {NULL}, {"--rules=1"}, "unknown flag --rules; did you mean --roles?"},
		{NULL, {NULL}, {"--none=1"}, "unknown flag --none"},
		{NULL, {NULL}, {"--no-roles"}, "unknown flag --no-roles"},
		{NULL, {NULL}, {"--no-dry-run=true"}, "unknown flag --no-dry-run"},
		{NULL, {NULL}, {"-dry-run"}, "unknown flag -dry-run; did you mean --dry-run?"},
		{NULL, {NULL}, {"--=1"}, "unknown flag --; did you mean --v?"},
		{NULL, {NULL}, {"--dry-run=maybe"},
			"--dry-run: expected true or false; found \"maybe\""},
		{NULL, {NULL}, {"--listen-address"}, "--listen-address: needs a value"},
		{NULL, {NULL}, {"a"}, "unexpected argument \"a\""},
		{NULL, {NULL}, {"--", "--dry-run"}, "unexpected argument \"--dry-run\""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check_row(&rows[i], false);
}

static void test_bad_default(void)
{
	static const struct setting bad[] = {
		{.name = "v", .type = SETTING_INT, AT(v), .def = "11", .max = 10}};
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);
	struct settings_input in = {.table = bad, .n = 1};
	struct error err = {0};
	struct target t;

	CU_ASSERT_EQUAL(settings_read(&in, &t, &a, NULL, &err), -EINVAL);
	CU_ASSERT_STRING_EQUAL(
		err.message, "default of v: expected a whole number from 0 to 10; found \"11\"");
	CU_ASSERT_EQUAL(settings_read(&in, &t, &a, NULL, NULL), -EINVAL);
}

static void test_no_memory(void)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(8);
	struct settings_input in = {.table = table, .n = ARRAY_SIZE(table)};
	struct target t;

	CU_ASSERT_EQUAL(settings_read(&in, &t, &a, NULL, NULL), -ENOMEM);
}

static void test_help(void)
{
	_cleanup_buf_ struct buf b = BUF_INIT(4096);

	CU_ASSERT_EQUAL(settings_help(&b, table, ARRAY_SIZE(table)), 0);
	CHECK_STR("help", buf_view(&b),
		"  --listen-address ADDR:PORT\n        Where to listen [:8443]\n"
		"  --config FILE\n        The file\n"
		"  --[no-]leader-elect\n        Elect [true]\n"
		"  --limits-workers NUMBER\n        Threads [2]\n"
		"  -v NUMBER\n        Level [2]\n"
		"  --limits-timeout DURATION\n        Longest review [10s]\n"
		"  --limits-body-size QUANTITY\n        Largest body [3Mi]\n"
		"  --tls-min-version CHOICE\n        Lowest TLS (1.2, 1.3) [1.2]\n"
		"  --roles A,B\n        What to do [admission]\n"
		"  none (in the file)\n        Nothing\n"
		"  rules (in the file)\n        Rules\n");
}

/* Two of one part and a whole other, which lies behind them. */
static void test_parts(void)
{
	static const struct setting own[] = {
		{.name = "first", .type = SETTING_INT, .offset = 0, .def = "1"},
		{.name = "second", .type = SETTING_INT, .offset = sizeof(int64_t), .def = "2"},
	};
	struct {
		int64_t first, second;
		struct target other;
	} target = {0};
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 20);
	static const char *const argv[] = {"--v=7", "--second=5"};
	struct settings_table t = {0};
	struct settings_input in = {.table = t.v, .argc = 2, .argv = (char *const *)argv};
	struct error err = {0};

	settings_add(&t, own, ARRAY_SIZE(own), 0);
	settings_add(&t, table, ARRAY_SIZE(table), 2 * sizeof(int64_t));
	CU_ASSERT_EQUAL(t.n, ARRAY_SIZE(own) + ARRAY_SIZE(table));
	in.n = t.n;
	CHECK_ROW("parts", settings_read(&in, &target, &a, NULL, &err) == 0, "%s", err.message);
	CU_ASSERT_EQUAL(target.first, 1);
	CU_ASSERT_EQUAL(target.second, 5);
	CU_ASSERT_EQUAL(target.other.v, 7);
	CU_ASSERT_EQUAL(target.other.workers, 2);
	CU_ASSERT_EQUAL(table[0].offset, offsetof(struct target, listen)); /* untouched */
}

CU_TestInfo settings_tests[] = {
	{"values and precedence", test_values},
	{"refusals say where and why", test_refused},
	{"a default is checked too", test_bad_default},
	{"no memory", test_no_memory},
	{"help", test_help},
	{"a table of several parts", test_parts},
	CU_TEST_INFO_NULL,
};
