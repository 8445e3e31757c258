/* SPDX-License-Identifier: Apache-2.0
 *
 * The monitor on real folders and a real socket in AESM's place. */
#include "nodeagent/platform/monitor.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "nodeagent/platform/parse.h"
#include "tests/unit/test.h"
#include "tests/unit/tree.h"

#define AESM "/var/run/aesmd/aesm.socket"

static uint64_t clock_msec(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* A monitor and what it has said. */
struct bench {
	struct tree t;
	sd_event *event;
	struct platform_monitor *m;
	int calls;
	bool free_in_call;
};

static void count(void *ctx)
{
	struct bench *b = ctx;

	b->calls++;
	if (b->free_in_call) {
		platform_monitor_free(b->m);
		b->m = NULL;
	}
}

static bool bench_new(struct bench *b, const char *const *steps, const char *const *extra)
{
	struct platform_source src = {.aesm_socket = AESM};
	struct error err = {0};
	int r;

	*b = (struct bench){0};
	if (!tree_new(&b->t) || sd_event_new(&b->event) < 0)
		return false;
	tree_steps(&b->t, steps);
	src.sysroot = b->t.root;
	r = platform_monitor_new(&b->m, b->event, &src, extra, count, b, &err);
	return CHECK_ROW("new", r == 0, "%d: %s", r, err.message);
}

static void bench_free(struct bench *b)
{
	platform_monitor_free(b->m);
	sd_event_unref(b->event);
	tree_free(&b->t);
}

/* Turns the loop for so long; how many calls came. */
static int turn(struct bench *b, uint64_t msec)
{
	uint64_t end = clock_msec() + msec, at;
	int before = b->calls;

	while ((at = clock_msec()) < end)
		sd_event_run(b->event, (end - at) * 1000);
	return b->calls - before;
}

/* Turns until a call comes, for a minute at most; then until it has been quiet. The milliseconds that
 * the first took. */
static uint64_t await(struct bench *b, const char *row)
{
	uint64_t start = clock_msec(), took;
	int before = b->calls;

	while (b->calls == before && clock_msec() < start + 60000)
		sd_event_run(b->event, 100000);
	took = clock_msec() - start;
	CHECK_ROW(row, b->calls > before, "nothing was noticed");
	CHECK_ROW(row, took < 10000, "noticed after %llu ms", (unsigned long long)took);
	while (turn(b, 210) > 0 && clock_msec() < start + 60000)
		;
	return took;
}

/* Each step is noticed; AESM's folder comes from nothing, is moved away and comes back. */
static void test_noticed(void)
{
	static const char *const base[] = {"c /dev/sgx_enclave 0666", "c /dev/sgx_provision 0666",
		"d /run", "l /var/run /run", "d /etc/containerd", NULL};
	static const char *const steps[] = {
		"- /dev/sgx_enclave",
		"c /dev/sgx_enclave 0666",
		"f /dev/sev x",
		"m /dev/sgx_provision /dev/other",
		"d /run/aesmd",
		"s /run/aesmd/aesm.socket",
		"k /",
		"- /run/aesmd/aesm.socket",
		"s /run/aesmd/aesm.socket",
		"- /run/aesmd",
		"s /run/aesmd/aesm.socket",
		"m /run/aesmd /run/aesmd.old",
		"s /run/aesmd/aesm.socket",
		"m /dev /dev.old",
		"d /dev",
		"f /dev/sgx_enclave x",
		"f /etc/containerd/config.toml x",
		"f /etc/containerd/config.toml y",
		"f /opt/kata/containerd/config.d/a.toml x",
		"f /etc/crio/crio.conf.d/99-kata x",
	};
	struct bench b;

	if (!bench_new(&b, base, NULL))
		return;
	if (!b.t.unprivileged) {
		CU_ASSERT_EQUAL(turn(&b, 100), 0);
		for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
			tree_step(&b.t, steps[i]);
			await(&b, steps[i]);
		}
	}
	bench_free(&b);
}

static void test_not_noticed(void)
{
	static const char *const base[] = {
		"d /dev", "d /run/aesmd", "l /var/run /run", "d /etc/containerd", NULL};
	static const char *const steps[] = {"f /dev/loop7 x", "f /dev/zero x", "d /run/other",
		"f /run/aesmd.pid x", "f /etc/passwd x", "d /opt/other", "f /tmp/sgx_enclave x",
		"d /etc/containerd2", NULL};
	struct bench b;

	if (!bench_new(&b, base, NULL))
		return;
	tree_steps(&b.t, steps);
	CU_ASSERT_EQUAL(turn(&b, 150), 0);
	bench_free(&b);
}

static void test_soon_and_rarely(void)
{
	static const char *const base[] = {"d /dev", NULL};
	struct bench b;
	uint64_t start, took;
	int calls;

	if (!bench_new(&b, base, NULL))
		return;
	tree_step(&b.t, "f /dev/sgx_enclave x");
	took = await(&b, "first");
	CHECK_ROW("first", took >= 40 && took < 10000, "after %llu ms", (unsigned long long)took);
	/* without a pause: five times a second at most, and to the end */
	start = clock_msec();
	calls = b.calls;
	for (int i = 0; clock_msec() < start + 1000; i++) {
		tree_step(&b.t, i % 2 ? "- /dev/sgx_enclave" : "f /dev/sgx_enclave x");
		sd_event_run(b.event, 1000);
	}
	calls = b.calls - calls;
	CHECK_ROW("steady", calls >= 3 && calls <= 6, "%d calls in a second", calls);
	bench_free(&b);
}

/* 10,000 changes at once, more than inotify's queue takes: the one that matters is lost. */
static void test_flood(void)
{
	static const char *const base[] = {"d /dev", NULL};
	char path[128];
	struct bench b;
	int calls, turns = 0;
	uint64_t start;

	if (!bench_new(&b, base, NULL))
		return;
	for (int i = 0; i < 10000; i++) {
		int fd;

		snprintf(path, sizeof(path), "%s/dev/loop%d", b.t.root, i);
		fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		if (fd >= 0)
			close(fd);
		unlink(path);
	}
	tree_step(&b.t, "f /dev/sgx_provision x");
	start = clock_msec();
	while (clock_msec() < start + 500) {
		sd_event_run(b.event, 100000);
		turns++;
	}
	calls = b.calls;
	CHECK_ROW("flood", calls >= 1 && calls <= 4, "%d calls", calls);
	CHECK_ROW("flood", turns < 100, "%d turns of the loop", turns);
	CU_ASSERT_EQUAL(turn(&b, 210), 0);
	/* and it still works */
	tree_step(&b.t, "f /dev/sgx_enclave x");
	await(&b, "after the flood");
	bench_free(&b);
}

/* Bound first, listening later, as every server does. */
static void test_listens_late(void)
{
	static const char *const base[] = {"d /run/aesmd", "l /var/run /run", NULL};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct bench b;
	int fd, before;

	if (!bench_new(&b, base, NULL))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s/run/aesmd/aesm.socket", b.t.root);
	CU_ASSERT_EQUAL(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	await(&b, "bound");
	before = b.calls;
	CU_ASSERT_EQUAL(listen(fd, 8), 0);
	await(&b, "listens");
	CU_ASSERT_EQUAL(b.calls, before + 1);
	/* killed: the file stays, the connection goes */
	close(fd);
	await(&b, "killed");
	CU_ASSERT_EQUAL(turn(&b, 300), 0);
	bench_free(&b);
}

/* A server that closes at once is not called for ever; a new socket is. */
static void test_closes_at_once(void)
{
	static const char *const base[] = {"l /var/run /run", "s /run/aesmd/aesm.socket", NULL};
	struct bench b;
	uint64_t start = clock_msec();
	int accepted = 0, fd;

	if (!bench_new(&b, base, NULL))
		return;
	while (clock_msec() < start + 1000) {
		fd = accept4(b.t.sockets[0], NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0) {
			accepted++;
			close(fd);
		}
		sd_event_run(b.event, 10000);
	}
	CHECK_ROW("closes at once", accepted >= 1 && accepted <= 4, "%d connections", accepted);
	CU_ASSERT_EQUAL(turn(&b, 250), 0);
	tree_step(&b.t, "- /run/aesmd/aesm.socket");
	tree_step(&b.t, "s /run/aesmd/aesm.socket");
	await(&b, "a new one");
	bench_free(&b);
}

/* aesmd restarts, and with it goes the folder that is mounted here: first the socket, and a moment
 * later, which nobody tells, the folder. */
static void test_folder_removed(void)
{
	static const char *const base[] = {
		"l /var/run /run", "d /aesmd", "b /run/aesmd /aesmd", "s /aesmd/aesm.socket", NULL};
	struct bench b;
	int before;

	if (!bench_new(&b, base, NULL))
		return;
	if (!b.t.unprivileged) {
		tree_step(&b.t, "k /");
		await(&b, "killed");
		tree_step(&b.t, "- /aesmd/aesm.socket");
		await(&b, "socket");
		before = b.calls;
		tree_step(&b.t, "- /aesmd");
		for (int i = 0; i < 5 && b.calls == before; i++)
			turn(&b, 1000);
		CHECK_ROW("folder", b.calls > before, "no call");
		while (turn(&b, 250))
			; /* a busy machine may look twice */
		/* the one that is made in its place is out of sight */
		tree_step(&b.t, "s /aesmd/aesm.socket");
		CU_ASSERT_EQUAL(turn(&b, 1000), 0);
	}
	bench_free(&b);
}

static void test_extra(void)
{
	static const char *const base[] = {"d /dev", NULL};
	struct tree other;
	char dev[128];
	const char *const extra[] = {dev, NULL};
	const char *const many[] = {dev, dev, dev, dev, dev, NULL};
	const char *const relative[] = {"dev", NULL};
	struct platform_source src = {.sysroot = "/"};
	struct platform_monitor *m = NULL;
	struct error err = {0};
	struct bench b;

	if (!tree_new(&other))
		return;
	snprintf(dev, sizeof(dev), "%s/sim/dev", other.root);
	if (bench_new(&b, base, extra)) {
		tree_step(&other, "d /sim/dev");
		await(&b, "folder");
		tree_step(&other, "f /sim/dev/anything x");
		await(&b, "file");
		CU_ASSERT_EQUAL(
			platform_monitor_new(&m, b.event, &src, many, count, &b, &err), -EINVAL);
		CU_ASSERT_EQUAL(platform_monitor_new(&m, b.event, &src, relative, count, &b, &err),
			-EINVAL);
		src.sysroot = "/nonexistent";
		CU_ASSERT_EQUAL(
			platform_monitor_new(&m, b.event, &src, NULL, count, &b, &err), -ENOENT);
		CU_ASSERT_PTR_NULL(m);
		bench_free(&b);
	}
	tree_free(&other);
}

static void test_free_in_call(void)
{
	static const char *const base[] = {"d /dev", NULL};
	struct bench b;

	if (!bench_new(&b, base, NULL))
		return;
	b.free_in_call = true;
	tree_step(&b.t, "f /dev/sgx_enclave x");
	await(&b, "freed");
	CU_ASSERT_EQUAL(b.calls, 1);
	bench_free(&b);
}

#define EVENT(devpath, rest) "add@" devpath "\0ACTION=add\0DEVPATH=" devpath "\0" rest "\0SEQNUM=7"

static void test_uevent_text(void)
{
	static const struct {
		const char *name;
		struct span text;
		bool want;
	} events[] = {
		{"enclave",
			SPAN_LIT(EVENT("/devices/virtual/misc/sgx_enclave",
				"SUBSYSTEM=misc\0MAJOR=10\0DEVNAME=sgx_enclave\0")),
			true},
		{"guest",
			SPAN_LIT(EVENT("/devices/virtual/misc/tdx_guest",
				"SUBSYSTEM=misc\0DEVNAME=tdx_guest\0")),
			true},
		{"kvm", SPAN_LIT(EVENT("/x", "SUBSYSTEM=misc\0DEVNAME=kvm\0")), true},
		{"another", SPAN_LIT(EVENT("/x", "SUBSYSTEM=misc\0DEVNAME=fuse\0")), false},
		{"another subsystem",
			SPAN_LIT(EVENT("/x", "SUBSYSTEM=block\0DEVNAME=sgx_enclave\0")), false},
		{"module", SPAN_LIT(EVENT("/module/kvm_intel", "SUBSYSTEM=module\0")), true},
		{"another module", SPAN_LIT(EVENT("/module/kvm", "SUBSYSTEM=module\0")), false},
		{"udevd's", SPAN_LIT("libudev\0SUBSYSTEM=misc\0DEVNAME=kvm\0"), false},
		{"empty", SPAN_LIT(""), false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		CHECK_ROW(events[i].name, parse_uevent(events[i].text) == events[i].want, "wrong");
}

/* A uevent that the kernel is asked to repeat, where this machine lets us. */
static void test_uevent(void)
{
	static const char *const base[] = {"d /dev", NULL};
	int fd = open("/sys/class/misc/kvm/uevent", O_WRONLY | O_CLOEXEC);
	struct bench b;

	if (fd < 0)
		return;
	if (bench_new(&b, base, NULL)) {
		CU_ASSERT_EQUAL(write(fd, "change", 6), 6);
		await(&b, "uevent");
		bench_free(&b);
	}
	close(fd);
}

CU_TestInfo monitor_tests[] = {
	{"noticed", test_noticed},
	{"not noticed", test_not_noticed},
	{"soon and rarely", test_soon_and_rarely},
	{"flood", test_flood},
	{"listens late", test_listens_late},
	{"closes at once", test_closes_at_once},
	{"folder removed", test_folder_removed},
	{"extra folders", test_extra},
	{"freed in its call", test_free_in_call},
	{"uevent text", test_uevent_text},
	{"uevent", test_uevent},
	CU_TEST_INFO_NULL,
};
