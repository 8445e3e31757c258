/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/kubelet/plugin.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "common/base/clock.h"
#include "nodeagent/kubelet/deviceplugin.pb-c.h"
#include "tests/unit/fake_kubelet.h"
#include "tests/unit/test.h"

#define A "x.dev/a"
#define B "x.dev/b"

struct fix {
	sd_event *event;
	char root[32], dir[64];
	struct fake_kubelet kubelet;
	struct metrics *metrics;
	struct plugins *plugins;
	struct resource a, b;
	unsigned changes;
	struct resource_request *held; /* by b's pre_start */
	char held_ids[64];
};

static void changed(void *ctx)
{
	struct fix *f = ctx;

	f->changes++;
}

static int allocate(
	void *ctx, const char *const *ids, size_t n, struct allocation *ret_a, struct error *err)
{
	(void)ctx;
	(void)err;
	ret_a->devices[0].container_path = ret_a->devices[0].host_path = n > 1 ? ids[1] : ids[0];
	ret_a->devices[0].permissions = "rw";
	ret_a->n_devices = 1;
	return 0;
}

static void hold(void *ctx, const char *const *ids, size_t n, struct resource_request *rq)
{
	struct fix *f = ctx;

	f->held_ids[0] = '\0';
	for (size_t i = 0; i < n; i++)
		strcat(strcat(f->held_ids, ids[i]), ";");
	f->held = rq;
}

static bool set_up(struct fix *f)
{
	*f = (struct fix){.root = "/tmp/casemate-test-XXXXXX"};
	CU_ASSERT_PTR_NOT_NULL(mkdtemp(f->root));
	snprintf(f->dir, sizeof(f->dir), "%s/device-plugins", f->root);
	CU_ASSERT_EQUAL(mkdir(f->dir, 0750), 0);
	CU_ASSERT_EQUAL(sd_event_new(&f->event), 0);
	f->kubelet.event = f->event;
	f->kubelet.dir = f->dir;
	f->metrics = metrics_new();
	f->a = (struct resource){A, "a-", allocate, NULL, NULL};
	f->b = (struct resource){B, "b-", allocate, hold, f};
	return true;
}

static bool start(struct fix *f)
{
	struct plugins_options o = {f->dir, f->metrics, changed, f};
	struct error err = {0};

	CU_ASSERT_EQUAL(plugins_new(&f->plugins, f->event, &o, &err), 0);
	if (!f->plugins)
		return false;
	CU_ASSERT_EQUAL(plugins_add(f->plugins, &f->a, &err), 0);
	CU_ASSERT_EQUAL(plugins_add(f->plugins, &f->b, &err), 0);
	return true;
}

static void set(struct fix *f, const char *resource, unsigned count, bool healthy, const char *why)
{
	CU_ASSERT_EQUAL(plugins_set(f->plugins, resource, count, healthy, why, NULL), 0);
}

static void tear_down(struct fix *f)
{
	char command[64];

	plugins_free(f->plugins);
	fake_kubelet_stop(&f->kubelet, false);
	sd_event_unref(f->event);
	metrics_free(f->metrics);
	snprintf(command, sizeof(command), "rm -rf %s", f->root);
	CU_ASSERT_EQUAL(system(command), 0);
}

static bool is(const struct fix *f, size_t i, enum plugin_state state)
{
	return plugins_at(f->plugins, i).state == state;
}

static bool says(const struct fix *f, size_t i, const char *what)
{
	return strstr(plugins_at(f->plugins, i).problem, what);
}

static bool is_registered(struct fix *f)
{
	return FAKE_UNTIL(f->event, is(f, 0, PLUGIN_REGISTERED) && is(f, 1, PLUGIN_REGISTERED));
}

/* Two resources, registered with a kubelet that was there before. */
static bool registered(struct fix *f)
{
	set_up(f);
	fake_kubelet_start(&f->kubelet);
	if (!start(f))
		return false;
	set(f, A, 3, true, "");
	set(f, B, 5, true, "");
	return is_registered(f);
}

static bool exists(const struct fix *f, const char *file)
{
	char path[FAKE_PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", f->dir, file);
	return stat(path, &st) == 0;
}

static void test_register(void)
{
	struct fix f;
	struct fake_plugin *a, *b;

	set_up(&f);
	fake_kubelet_start(&f.kubelet);
	if (!start(&f))
		return;
	fake_kubelet_wait(f.event, 20000);
	CU_ASSERT_EQUAL(f.kubelet.registers, 0); /* nothing is advertised that is not there */
	CU_ASSERT(is(&f, 0, PLUGIN_IDLE) && !exists(&f, "casemate-x.dev-a.sock"));
	set(&f, A, 3, true, "");
	set(&f, B, 5, true, "");
	CU_ASSERT(is(&f, 0, PLUGIN_WAITING) && !plugins_connected(f.plugins));
	CU_ASSERT(is_registered(&f));
	CU_ASSERT_EQUAL(f.kubelet.registers, 2);
	CU_ASSERT(plugins_connected(f.plugins) && f.changes > 0);
	CU_ASSERT_STRING_EQUAL(plugins_at(f.plugins, 0).problem, "");
	CU_ASSERT_EQUAL(plugins_count(f.plugins), 2);
	CU_ASSERT(exists(&f, "casemate-x.dev-a.sock"));
	a = fake_kubelet_find(&f.kubelet, A);
	b = fake_kubelet_find(&f.kubelet, B);
	CU_ASSERT(a && b);
	if (a && b && FAKE_UNTIL(f.event, a->lists && b->lists)) {
		CU_ASSERT(a->devices == 3 && a->healthy == 3 && !a->pre_start);
		CU_ASSERT(b->devices == 5 && b->healthy == 5 && b->pre_start);
		CU_ASSERT_STRING_EQUAL(a->last_id, "a-2");
	}
	plugins_free(f.plugins);
	f.plugins = NULL;
	CU_ASSERT(!exists(&f, "casemate-x.dev-a.sock"));
	tear_down(&f);
}

static void test_lists(void)
{
	struct fix f;
	struct fake_plugin *a;
	unsigned changes;

	if (!registered(&f))
		return;
	a = fake_kubelet_find(&f.kubelet, A);
	CU_ASSERT(FAKE_UNTIL(f.event, a->lists == 1));
	set(&f, A, 3, true, "");
	set(&f, A, 3, true, "of no interest while healthy");
	fake_kubelet_wait(f.event, 30000);
	CU_ASSERT_EQUAL(a->lists, 1);
	set(&f, A, 3, false, "rain");
	CU_ASSERT(FAKE_UNTIL(f.event, a->lists == 2));
	CU_ASSERT(a->devices == 3 && a->healthy == 0);
	CU_ASSERT_EQUAL(plugins_at(f.plugins, 0).healthy, 0);
	set(&f, A, 3, false, "snow");
	set(&f, A, 4, true, "");
	CU_ASSERT(FAKE_UNTIL(f.event, a->lists == 3));
	CU_ASSERT(a->devices == 4 && a->healthy == 4);
	/* None left: the kubelet learns it at once, and the registration stays. */
	changes = f.changes;
	set(&f, A, 0, true, "");
	CU_ASSERT(FAKE_UNTIL(f.event, a->lists == 4));
	CU_ASSERT(a->devices == 0 && is(&f, 0, PLUGIN_IDLE) && plugins_connected(f.plugins));
	CU_ASSERT(FAKE_UNTIL(f.event, f.changes > changes));
	set(&f, A, 1, true, "");
	CU_ASSERT(FAKE_UNTIL(f.event, a->lists == 5 && is(&f, 0, PLUGIN_REGISTERED)));
	CU_ASSERT_EQUAL(f.kubelet.registers, 2);
	CU_ASSERT_EQUAL(plugins_set(f.plugins, "x.dev/c", 1, true, "", NULL), -ENOENT);
	CU_ASSERT_EQUAL(
		plugins_set(f.plugins, A, RESOURCE_DEVICES_MAX + 1, true, "", NULL), -ERANGE);
	CU_ASSERT_EQUAL(plugins_add(f.plugins, &f.a, NULL), -EEXIST);
	tear_down(&f);
}

static void test_allocate(void)
{
	static const struct span both = SPAN_LIT("\n\x0a\n\x03"
						 "a-1\n\x03"
						 "a-2");
	struct fix f;
	struct fake_plugin *a;
	struct fake_answer answer;
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 16);
	char *big;

	if (!registered(&f))
		return;
	a = fake_kubelet_find(&f.kubelet, A);
	fake_kubelet_call(a, "Allocate", both, &answer);
	CU_ASSERT_EQUAL(answer.status, GRPC_OK);
	CHECK_STR("device", buf_view(&answer.bytes),
		"\n\x10\x1a\x0e\n\x03"
		"a-2\x12\x03"
		"a-2\x1a\x02rw");
	buf_free(&answer.bytes);
	fake_kubelet_call(a, "Allocate",
		SPAN_LIT("\n\x05\n\x03"
			 "a-9"),
		&answer);
	CU_ASSERT_EQUAL(answer.status, GRPC_NOT_FOUND);
	CU_ASSERT_STRING_EQUAL(
		answer.message, "x.dev/a has no device \"a-9\": its devices are a-0 to a-2");
	set(&f, A, 3, false, "the driver is gone");
	fake_kubelet_call(a, "Allocate", both, &answer);
	CU_ASSERT_EQUAL(answer.status, GRPC_UNAVAILABLE);
	CU_ASSERT_STRING_EQUAL(
		answer.message, "device \"a-1\" of x.dev/a is not healthy: the driver is gone");
	fake_kubelet_call(a, "Allocate", SPAN_LIT("\n\x05\n"), &answer);
	CU_ASSERT_EQUAL(answer.status, GRPC_INVALID_ARGUMENT);
	fake_kubelet_call(a, "GetPreferredAllocation", both, &answer);
	CU_ASSERT_EQUAL(answer.status, GRPC_UNIMPLEMENTED);
	big = calloc(1, 1 << 20);
	fake_kubelet_call(a, "Allocate", (struct span){big, 1 << 20}, &answer);
	CU_ASSERT_EQUAL(answer.status, GRPC_RESOURCE_EXHAUSTED);
	free(big);
	metrics_expose(f.metrics, METRICS_TEXT, &text);
	CU_ASSERT_PTR_NOT_NULL(strstr(text.p,
		"casemate_agent_allocations_total{resource=\"x.dev/a\",result=\"ok\"} 1\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text.p,
		"casemate_agent_allocations_total{resource=\"x.dev/a\",result=\"refused\"} 3\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text.p,
		"casemate_agent_allocation_duration_seconds_count{resource=\"x.dev/a\"} 4\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(
		text.p, "casemate_agent_devices{resource=\"x.dev/a\",health=\"unhealthy\"} 3\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(
		text.p, "casemate_agent_devices{resource=\"x.dev/a\",health=\"healthy\"} 0\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text.p,
		"casemate_agent_registrations_total{resource=\"x.dev/b\",result=\"ok\"} 1\n"));
	CU_ASSERT_PTR_NOT_NULL(strstr(text.p, "casemate_agent_kubelet_connected 1\n"));
	tear_down(&f);
}

static void test_pre_start(void)
{
	static const struct span ids = SPAN_LIT("\n\x03"
						"b-4\n\x03"
						"b-0");
	struct fix f;
	struct fake_plugin *b;
	struct fake_answer answer;
	struct error err = {0};

	if (!registered(&f))
		return;
	b = fake_kubelet_find(&f.kubelet, B);
	fake_kubelet_begin(b, "PreStartContainer", ids, &answer);
	CU_ASSERT(FAKE_UNTIL(f.event, f.held));
	CU_ASSERT_STRING_EQUAL(f.held_ids, "b-4;b-0;");
	resource_pre_start_done(f.held, NULL);
	CU_ASSERT(FAKE_UNTIL(f.event, answer.done) && answer.status == GRPC_OK);
	buf_free(&answer.bytes);
	fake_kubelet_begin(b, "PreStartContainer", ids, &answer);
	f.held = NULL;
	CU_ASSERT(FAKE_UNTIL(f.event, f.held));
	error_set(&err, -EACCES, "no key for you");
	resource_pre_start_done(f.held, &err);
	CU_ASSERT(FAKE_UNTIL(f.event, answer.done) && answer.status == GRPC_PERMISSION_DENIED);
	CU_ASSERT_STRING_EQUAL(answer.message, "no key for you");
	fake_kubelet_call(b, "PreStartContainer",
		SPAN_LIT("\n\x03"
			 "b-5"),
		&answer);
	CU_ASSERT_EQUAL(answer.status, GRPC_NOT_FOUND);
	/* The kubelet waits no longer: the resource may still say that it is done. */
	f.held = NULL;
	grpc_cancel(fake_kubelet_begin(b, "PreStartContainer", ids, &answer));
	fake_kubelet_call(b, "GetDevicePluginOptions", SPAN_NONE, &answer);
	buf_free(&answer.bytes);
	if (f.held)
		resource_pre_start_done(f.held, NULL);
	/* And when the plugin itself has ended. */
	f.held = NULL;
	fake_kubelet_begin(b, "PreStartContainer", ids, &answer);
	CU_ASSERT(FAKE_UNTIL(f.event, f.held));
	plugins_free(f.plugins);
	f.plugins = NULL;
	if (f.held)
		resource_pre_start_done(f.held, &err);
	tear_down(&f);
}

static void test_restarts(void)
{
	struct fix f;

	if (!registered(&f))
		return;
	for (unsigned i = 0; i < 6; i++) {
		unsigned registers = f.kubelet.registers;

		fake_kubelet_stop(&f.kubelet, i % 2);
		CU_ASSERT(FAKE_UNTIL(f.event, !is(&f, 0, PLUGIN_REGISTERED)));
		fake_kubelet_wait(f.event, i > 3 ? 500000 : 20000 * i); /* it takes its time */
		CU_ASSERT(!plugins_connected(f.plugins) && plugins_at(f.plugins, 0).problem[0]);
		fake_kubelet_start(&f.kubelet);
		CU_ASSERT(is_registered(&f));
		fake_kubelet_wait(f.event, 150000);
		CU_ASSERT(is_registered(&f));
		CHECK_ROW("registered once", f.kubelet.registers == registers + 2,
			"restart %u: %u more", i, f.kubelet.registers - registers);
	}
	tear_down(&f);
}

static void test_losses(void)
{
	struct fix f;
	struct fake_plugin *a;
	char path[FAKE_PATH_MAX];

	if (!registered(&f))
		return;
	a = fake_kubelet_find(&f.kubelet, A);
	fake_kubelet_drop(a, false);
	CU_ASSERT(FAKE_UNTIL(f.event, f.kubelet.registers == 3 && is(&f, 0, PLUGIN_REGISTERED)));
	fake_kubelet_drop(a, true);
	CU_ASSERT(FAKE_UNTIL(f.event, f.kubelet.registers == 4 && is(&f, 0, PLUGIN_REGISTERED)));
	snprintf(path, sizeof(path), "%s/casemate-x.dev-a.sock", f.dir);
	CU_ASSERT_EQUAL(unlink(path), 0);
	CU_ASSERT(FAKE_UNTIL(f.event, f.kubelet.registers == 5 && is(&f, 0, PLUGIN_REGISTERED)));
	CU_ASSERT(exists(&f, "casemate-x.dev-a.sock"));
	CU_ASSERT(is(&f, 1, PLUGIN_REGISTERED)); /* untouched by all that */
	fake_kubelet_wait(f.event, 300000);
	CU_ASSERT_EQUAL(f.kubelet.registers, 5);
	/* A kubelet up to 1.36 takes the end of an old list for that of the new one. */
	CU_ASSERT_EQUAL(f.kubelet.overlaps, 0);
	tear_down(&f);
}

static void test_refused(void)
{
	struct fix f;

	set_up(&f);
	f.kubelet.refuse = 2;
	f.kubelet.refusal = "the kubelet does not like you";
	f.kubelet.never_list = true;
	fake_kubelet_start(&f.kubelet);
	if (!start(&f))
		return;
	set(&f, A, 3, true, "");
	CU_ASSERT(FAKE_UNTIL(f.event, f.kubelet.registers == 1 && says(&f, 0, "trying again")));
	CU_ASSERT_STRING_EQUAL(plugins_at(f.plugins, 0).problem,
		"the kubelet does not register x.dev/a: the kubelet does not like you (Unknown); "
		"trying again");
	CU_ASSERT(is(&f, 0, PLUGIN_WAITING));
	CU_ASSERT(FAKE_UNTIL(f.event, f.kubelet.registers == 3));
	CU_ASSERT(FAKE_UNTIL(f.event, says(&f, 0, "has not asked for the devices yet")));
	CU_ASSERT(is(&f, 0, PLUGIN_WAITING) && !plugins_connected(f.plugins));
	tear_down(&f);
}

/* A refusal without end is cut, but not inside of a character. */
static void test_long_refusal(void)
{
	char refusal[601] = "", *problem;
	struct fix f;
	size_t n;

	for (size_t i = 0; i < 600; i += 3)
		strcat(refusal, "\u20ac");
	set_up(&f);
	fake_kubelet_start(&f.kubelet);
	for (unsigned shift = 0; start(&f) && shift < 3; shift++) {
		f.kubelet.refuse = 1;
		f.kubelet.refusal = refusal;
		set(&f, A, 3, true, "");
		CU_ASSERT(FAKE_UNTIL(f.event, says(&f, 0, "\u20ac")));
		problem = strdup(plugins_at(f.plugins, 0).problem);
		n = problem ? strlen(problem) : 0;
		CU_ASSERT(n > 470 && n < 480 && strcmp(problem + n - 3, "\u20ac") == 0);
		free(problem);
		plugins_free(f.plugins);
		f.plugins = NULL;
		memmove(refusal + 1, refusal, sizeof(refusal) - 2);
		refusal[0] = '-';
	}
	tear_down(&f);
}

static void test_folder(void)
{
	struct fix f;
	char old[80];

	set_up(&f);
	CU_ASSERT_EQUAL(rmdir(f.dir), 0);
	if (!start(&f))
		return;
	set(&f, A, 3, true, "");
	set(&f, B, 3, true, "");
	CU_ASSERT(FAKE_UNTIL(f.event, says(&f, 0, "no kubelet: there is no ")));
	CU_ASSERT_EQUAL(mkdir(f.dir, 0750), 0);
	fake_kubelet_wait(f.event, 20000);
	fake_kubelet_start(&f.kubelet);
	CU_ASSERT(is_registered(&f));
	/* Replaced by another, in which a kubelet starts. */
	snprintf(old, sizeof(old), "%s.old", f.dir);
	fake_kubelet_stop(&f.kubelet, true);
	CU_ASSERT_EQUAL(rename(f.dir, old), 0);
	CU_ASSERT_EQUAL(mkdir(f.dir, 0750), 0);
	fake_kubelet_start(&f.kubelet);
	CU_ASSERT(FAKE_UNTIL(f.event, !is(&f, 0, PLUGIN_REGISTERED)));
	CU_ASSERT(is_registered(&f));
	tear_down(&f);
}

static int rival_listen(const struct fix *f, const char *file)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(a.sun_path, sizeof(a.sun_path), "%.70s/%.32s", f->dir, file);
	unlink(a.sun_path);
	CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	CU_ASSERT_EQUAL(listen(fd, 8), 0);
	return fd;
}

static void test_rival(void)
{
	struct fix f;
	int rival;

	if (!registered(&f))
		return;
	/* It comes: we make way, for this resource alone, and close our stream. */
	rival = rival_listen(&f, "x.dev-a.sock");
	CU_ASSERT(FAKE_UNTIL(f.event, is(&f, 0, PLUGIN_FOREIGN)));
	CU_ASSERT(FAKE_UNTIL(f.event, !exists(&f, "casemate-x.dev-a.sock")));
	CU_ASSERT(is(&f, 1, PLUGIN_REGISTERED));
	CU_ASSERT(says(&f, 0, "another device plugin serves x.dev/a (/tmp/"));
	CU_ASSERT(says(&f, 0, "uninstall that one, for example Intel's SGX device plugin"));
	/* A kubelet's restart is no reason to take it. */
	fake_kubelet_stop(&f.kubelet, false);
	fake_kubelet_start(&f.kubelet);
	close(rival);
	rival = rival_listen(&f, "x.dev-a.sock");
	CU_ASSERT(FAKE_UNTIL(f.event, is(&f, 1, PLUGIN_REGISTERED)));
	fake_kubelet_wait(f.event, 1500000);
	CU_ASSERT(is(&f, 0, PLUGIN_FOREIGN));
	CU_ASSERT(fake_kubelet_find(&f.kubelet, A)->list == NULL);
	/* Killed: its socket stays, but nobody is there. When it is taken over is a matter of
	 * registration_test. */
	close(rival);
	CU_ASSERT(FAKE_UNTIL(f.event, is(&f, 0, PLUGIN_WAITING)));
	CU_ASSERT(exists(&f, "x.dev-a.sock"));
	tear_down(&f);
}

static void test_rival_first(void)
{
	struct fix f;
	int rival, other;

	set_up(&f);
	fake_kubelet_start(&f.kubelet);
	rival = rival_listen(&f, "x.dev-a.sock");
	other = rival_listen(&f, "casemate-x.dev-b.sock");
	if (!start(&f))
		return;
	set(&f, A, 3, true, "");
	set(&f, B, 3, true, "");
	CU_ASSERT(FAKE_UNTIL(f.event, is(&f, 0, PLUGIN_FOREIGN) && is(&f, 1, PLUGIN_FOREIGN)));
	CU_ASSERT_EQUAL(f.kubelet.registers, 0);
	CU_ASSERT(says(&f, 1, "another casemate-nodeagent serves x.dev/b"));
	CU_ASSERT(exists(&f, "casemate-x.dev-b.sock"));
	/* Nothing to offer: none of our business any more. */
	set(&f, A, 0, true, "");
	CU_ASSERT(FAKE_UNTIL(f.event, is(&f, 0, PLUGIN_IDLE)));
	close(rival);
	close(other);
	CU_ASSERT(FAKE_UNTIL(f.event, is(&f, 1, PLUGIN_WAITING)));
	/* What an ended one left behind keeps nobody. */
	set(&f, A, 3, true, "");
	CU_ASSERT(FAKE_UNTIL(f.event, is(&f, 0, PLUGIN_REGISTERED)));
	tear_down(&f);
}

static void test_followers(void)
{
	struct fix f;
	struct fake_plugin *a;
	struct fake_answer answers[5];

	if (!registered(&f))
		return;
	a = fake_kubelet_find(&f.kubelet, A);
	for (size_t i = 0; i < 5; i++)
		fake_kubelet_begin(a, "ListAndWatch", SPAN_NONE, &answers[i]);
	CU_ASSERT(FAKE_UNTIL(f.event, answers[3].done && answers[4].done));
	CU_ASSERT_EQUAL(answers[4].status, GRPC_RESOURCE_EXHAUSTED);
	CU_ASSERT(FAKE_UNTIL(f.event, answers[0].bytes.len && answers[2].bytes.len));
	/* The kubelet's own end is not noticed while others follow, nor is harm done. */
	fake_kubelet_drop(a, false);
	fake_kubelet_wait(f.event, 100000);
	CU_ASSERT(is(&f, 0, PLUGIN_REGISTERED));
	fake_kubelet_drop(a, true);
	CU_ASSERT(FAKE_UNTIL(f.event, f.kubelet.registers == 3 && is(&f, 0, PLUGIN_REGISTERED)));
	for (size_t i = 0; i < 5; i++)
		buf_free(&answers[i].bytes);
	tear_down(&f);
}

static void test_names(void)
{
	char dir[128];
	struct plugins_options o = {.dir = dir};
	struct plugins *p = NULL;
	sd_event *event = NULL;
	struct resource r = {
		"a-domain-of-some-length.example.com/a-name", "d-", allocate, NULL, NULL};
	struct error err = {0};

	CU_ASSERT_EQUAL(sd_event_new(&event), 0);
	snprintf(dir, sizeof(dir), "/%0100d", 0);
	CU_ASSERT_EQUAL(plugins_new(&p, event, &o, &err), -ENAMETOOLONG);
	CU_ASSERT_PTR_NOT_NULL(
		strstr(err.message, "at most 107 bytes: choose a shorter kubelet.dir"));
	snprintf(dir, sizeof(dir), "/%070d", 0);
	CU_ASSERT_EQUAL(plugins_new(&p, event, &o, &err), 0);
	if (p)
		CU_ASSERT_EQUAL(plugins_add(p, &r, &err), -ENAMETOOLONG);
	plugins_free(p);
	sd_event_unref(event);
}

CU_TestInfo plugin_tests[] = {
	{"registers, serving before and meanwhile", test_register},
	{"lists, sent on a difference alone", test_lists},
	{"Allocate over the wire, and metrics", test_allocate},
	{"PreStartContainer, answered later", test_pre_start},
	{"the kubelet restarts", test_restarts},
	{"streams, connections, sockets are lost", test_losses},
	{"the kubelet refuses, or asks for nothing", test_refused},
	{"a refusal that is long", test_long_refusal},
	{"the folder comes, and is replaced", test_folder},
	{"another plugin comes and goes", test_rival},
	{"another plugin was there before", test_rival_first},
	{"many follow the list", test_followers},
	{"paths that are too long", test_names},
	CU_TEST_INFO_NULL,
};
