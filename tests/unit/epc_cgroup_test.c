/* SPDX-License-Identifier: Apache-2.0
 *
 * EPC by cgroup on made-up hierarchies. */
#include "nodeagent/platform/epc_cgroup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/test.h"
#include "tests/unit/tree.h"

#define UID  "0f1e2d3c-aaaa-bbbb-cccc-1234567890ab"
#define UID_ "0f1e2d3c_aaaa_bbbb_cccc_1234567890ab"
#define ID   "8d2a5f0c1b"
#define A40  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG A40 A40 A40 A40

static const struct {
	const char *name, *path;
} layouts[] = {
	{"systemd, guaranteed, containerd",
		"/kubepods.slice/kubepods-pod" UID_ ".slice/cri-containerd-" ID ".scope"},
	{"systemd, burstable, CRI-O",
		"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
		".slice/crio-" ID ".scope"},
	{"systemd, best effort, cri-dockerd",
		"/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" UID_
		".slice/docker-" ID ".scope"},
	{"systemd below /kubelet",
		"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/"
		"kubelet-kubepods-burstable-pod" UID_ ".slice/cri-containerd-" ID ".scope"},
	{"systemd below /kubelet, guaranteed",
		"/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" UID_
		".slice/cri-containerd-" ID ".scope"},
	{"cgroupfs, guaranteed", "/kubepods/pod" UID "/" ID},
	{"cgroupfs, burstable", "/kubepods/burstable/pod" UID "/" ID},
	{"cgroupfs, best effort", "/kubepods/besteffort/pod" UID "/" ID},
	{"cgroupfs below /kubelet", "/kubelet/kubepods/burstable/pod" UID "/" ID},
};

static const char *const base[] = {"f /misc.capacity sev 5\nsgx_epc 1048576\n",
	"f /misc.current sev 0\nsgx_epc 8192\n", "f /misc.peak sev 0\nsgx_epc 65536\n", NULL};

static bool begin(struct tree *t, struct epc_cgroup **c, const char *const *steps)
{
	struct error err = {0};
	int r;

	if (!tree_new(t))
		return false;
	tree_steps(t, base);
	tree_steps(t, steps);
	r = epc_cgroup_new(c, t->root, &err);
	return CHECK_ROW("new", r == 0, "%d: %s", r, err.message);
}

static void end(struct tree *t, struct epc_cgroup *c)
{
	epc_cgroup_free(c);
	tree_free(t);
}

static void test_layouts(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
		struct epc_cgroup *c = NULL;
		struct error err = {0};
		char step[512], path[EPC_CGROUP_PATH_MAX];
		struct tree t;
		int r;

		if (!begin(&t, &c, NULL))
			return;
		CU_ASSERT_EQUAL(epc_cgroup_find(c, UID, ID, path, &err), -ENOENT);
		/* what else is among a pod's folders */
		snprintf(step, sizeof(step), "d %.*s/crio-conmon-" ID ".scope",
			(int)(strrchr(layouts[i].path, '/') - layouts[i].path), layouts[i].path);
		tree_step(&t, step);
		snprintf(step, sizeof(step), "d %s0", layouts[i].path);
		tree_step(&t, step);
		CU_ASSERT_EQUAL(epc_cgroup_find(c, UID, ID, path, &err), -ENOENT);
		CU_ASSERT_PTR_NOT_NULL(strstr(err.message, ID));
		snprintf(step, sizeof(step), "d %s", layouts[i].path);
		tree_step(&t, step);
		r = epc_cgroup_find(c, UID, ID, path, &err);
		if (CHECK_ROW(layouts[i].name, r == 0, "%d: %s", r, err.message))
			CHECK_STR(layouts[i].name, span_str(path), layouts[i].path);
		CU_ASSERT_EQUAL(epc_cgroup_find(c, UID, "8d2a5f0c", path, &err), -ENOENT);
		CU_ASSERT_EQUAL(epc_cgroup_find(c, "0f1e2d3c", ID, path, &err), -ENOENT);
		end(&t, c);
	}
}

static void test_bad_names(void)
{
	static const char *const names[] = {
		"", ".", "..", "a/b", "../x", "a.b", "a b", "a\n", LONG};
	struct epc_cgroup *c = NULL;
	char path[EPC_CGROUP_PATH_MAX];
	struct tree t;

	if (!begin(&t, &c, NULL))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		CHECK_ROW(names[i], epc_cgroup_find(c, names[i], ID, path, NULL) == -EINVAL, "UID");
		CHECK_ROW(names[i], epc_cgroup_find(c, UID, names[i], path, NULL) == -EINVAL, "id");
	}
	end(&t, c);
}

static void test_limit(void)
{
	static const char *const steps[] = {"f /a/misc.max sev max\nsgx_epc max\n",
		"f /b/misc.max sgx_epc 4096\n", "d /off", "d /folder/misc.max", "p /fifo/misc.max",
		NULL};
	static const struct {
		const char *path;
		uint64_t bytes;
		int want;
		const char *content, *message;
	} limits[] = {
		{"/a", 1048576, 0, "sgx_epc 1048576\n", ""},
		{"/a", EPC_UNLIMITED, 0, "sgx_epc max\n", ""},
		{"/a", 0, 0, "sgx_epc 0\n", ""},
		{"/b", 4096, 0, "sgx_epc 4096\n", ""},
		{"/off", 4096, -ENOENT, "", "/off: the misc controller is not enabled here"},
		{"/gone", 4096, -ENOENT, "", "/gone/misc.max: No such file"},
		{"/folder", 4096, -EINVAL, "", "/folder/misc.max: Invalid"},
		{"/fifo", 4096, -EINVAL, "", "/fifo/misc.max: Invalid"},
	};
	struct epc_cgroup *c = NULL;
	struct tree t;
	char file[64];

	if (!begin(&t, &c, steps))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		struct error err = {0};
		int r = epc_cgroup_limit(c, limits[i].path, limits[i].bytes, &err);

		CHECK_ROW(limits[i].path,
			r == limits[i].want && strstr(err.message, limits[i].message), "%d: %s", r,
			err.message);
		snprintf(file, sizeof(file), "%s/misc.max", limits[i].path);
		if (r == 0)
			CHECK_STR(limits[i].path, span_str(tree_text(&t, file)), limits[i].content);
	}
	end(&t, c);
}

static void test_read(void)
{
	static const char *const steps[] = {"f /all/misc.current sgx_epc 8192\n",
		"f /all/misc.max sgx_epc 12288\n", "f /all/misc.peak sgx_epc 16384\n",
		"f /all/misc.events sgx_epc.max 7\n", "f /old/misc.current sgx_epc 4096\n",
		"f /old/misc.max sgx_epc max\n", "f /none/misc.current sev 1\n",
		"f /cut/misc.current sgx_epc 40", "d /off", NULL};
	static const struct {
		const char *path;
		int want;
		struct epc_usage usage;
	} reads[] = {
		{"/", 0, {8192, EPC_UNLIMITED, true, 65536, false, 0}},
		{"/all", 0, {8192, 12288, true, 16384, true, 7}},
		{"/old", 0, {4096, EPC_UNLIMITED, false, 0, false, 0}},
		{"/none", -EBADMSG, {0}},
		{"/cut", -EBADMSG, {0}},
		{"/off", -ENOENT, {0}},
		{"/gone", -ENOENT, {0}},
	};
	struct epc_cgroup *c = NULL;
	struct tree t;

	if (!begin(&t, &c, steps))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(reads); i++) {
		const struct epc_usage *want = &reads[i].usage;
		struct epc_usage u = {0};
		struct error err = {0};
		int r = epc_cgroup_read(c, reads[i].path, &u, &err);

		CHECK_ROW(reads[i].path,
			r == reads[i].want && u.current == want->current && u.max == want->max &&
				u.has_peak == want->has_peak && u.peak == want->peak &&
				u.has_events == want->has_events &&
				u.max_events == want->max_events && (r == 0) == !err.message[0],
			"%d: %s", r, err.message);
	}
	end(&t, c);
}

static void test_absent(void)
{
	static const struct {
		const char *name, *step;
		int want;
	} rows[] = {
		{"no misc controller", "- /misc.capacity", -EOPNOTSUPP},
		{"no sgx_epc", "f /misc.capacity sev 3\n", -EOPNOTSUPP},
		{"none of it", "f /misc.capacity sgx_epc 0\n", -EOPNOTSUPP},
		{"a FIFO", "p /misc.capacity", -EOPNOTSUPP},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct epc_cgroup *c = NULL;
		struct error err = {0};
		struct tree t;
		int r;

		if (!tree_new(&t))
			return;
		tree_step(&t, rows[i].step);
		r = epc_cgroup_new(&c, t.root, &err);
		CHECK_ROW(rows[i].name, r == rows[i].want && !c && strstr(err.message, "sgx_epc"),
			"%d: %s", r, err.message);
		tree_free(&t);
		r = epc_cgroup_new(&c, t.root, &err);
		CHECK_ROW(rows[i].name, r == -EOPNOTSUPP && !c, "%d: %s", r, err.message);
	}
}

CU_TestInfo epc_cgroup_tests[] = {
	{"layouts", test_layouts},
	{"bad names", test_bad_names},
	{"limit", test_limit},
	{"read", test_read},
	{"absent", test_absent},
	CU_TEST_INFO_NULL,
};
