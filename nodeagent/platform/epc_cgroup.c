/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/platform/epc_cgroup.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nodeagent/platform/parse.h"
#include "nodeagent/platform/root.h"

enum {
	NAME_MAX_ = 128, /* of a pod's UID and a container's id */
	MISC_MAX = 4096, /* bytes of a misc file */
};

struct epc_cgroup {
	struct root root;
	char dir[EPC_CGROUP_PATH_MAX]; /* for messages */
};

/* One misc.* file of a folder. */
static int read_misc(const struct epc_cgroup *c, const char *path, const char *file,
	char buf[MISC_MAX], struct span *ret_text)
{
	char full[EPC_CGROUP_PATH_MAX + 32];

	snprintf(full, sizeof(full), "%s/%s", path, file);
	return root_read_span(&c->root, full, buf, MISC_MAX, ret_text);
}

int epc_cgroup_new(struct epc_cgroup **ret_c, const char *dir, struct error *err)
{
	_cleanup_(epc_cgroup_free_p) struct epc_cgroup *c = calloc(1, sizeof(*c));
	char buf[MISC_MAX];
	struct span text;
	uint64_t capacity;
	int r;

	if (!c)
		return error_oom(err);
	c->root.fd = -1;
	r = root_init(&c->root, dir);
	if (r == -ENOENT)
		return error_set(err, -EOPNOTSUPP, "%s: there are no cgroups", dir);
	if (r < 0)
		return error_set(err, r, "%s: cannot be opened: %s", dir, strerror(-r));
	snprintf(c->dir, sizeof(c->dir), "%s", dir);
	r = read_misc(c, "", "misc.capacity", buf, &text);
	if (r < 0 || !parse_misc(text, "sgx_epc", &capacity) || capacity == 0)
		return error_set(err, -EOPNOTSUPP,
			"%s/misc.capacity has no sgx_epc: this kernel does not limit EPC by cgroup",
			dir);
	*ret_c = TAKE_PTR(c);
	return 0;
}

void epc_cgroup_free(struct epc_cgroup *c)
{
	if (!c)
		return;
	root_done(&c->root);
	free(c);
}

/* ---- finding --------------------------------------------------------------------------------- */

/* Letters, digits and '-': what becomes part of a path cannot leave it. */
static bool good_name(const char *s)
{
	size_t n = strlen(s);

	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '-')
			return false;
	return n > 0 && n < NAME_MAX_;
}

/* Where a kubelet may keep its pods: top is --cgroup-root. The QoS class "" is Guaranteed. */
static void systemd_folder(char *out, size_t cap, const char *top, const char *qos, const char *uid)
{
	char under[NAME_MAX_]; /* a '-' would be a slice below */
	const char *dash = top[0] ? "-" : "", *qos_dash = qos[0] ? "-" : "";
	char above[NAME_MAX_] = "", of_class[NAME_MAX_] = "";

	snprintf(under, sizeof(under), "%s", uid);
	for (char *p = under; *p; p++)
		if (*p == '-')
			*p = '_';
	if (top[0])
		snprintf(above, sizeof(above), "/%s.slice", top);
	if (qos[0])
		snprintf(of_class, sizeof(of_class), "/%s%skubepods-%s.slice", top, dash, qos);
	snprintf(out, cap, "%s/%s%skubepods.slice%s/%s%skubepods%s%s-pod%s.slice", above, top, dash,
		of_class, top, dash, qos_dash, qos, under);
}

static void cgroupfs_folder(
	char *out, size_t cap, const char *top, const char *qos, const char *uid)
{
	snprintf(out, cap, "%s%s/kubepods%s%s/pod%s", top[0] ? "/" : "", top, qos[0] ? "/" : "",
		qos, uid);
}

/* A container's folder among those of a pod. */
struct container_scan {
	const struct root *root;
	const char *pod, *id;
	char *path; /* EPC_CGROUP_PATH_MAX; "" until found */
};

/* "ID", or "cri-containerd-ID.scope", "crio-ID.scope", "docker-ID.scope"; not CRI-O's
 * "crio-conmon-ID.scope", which is the monitor's. */
static bool is_container(const char *name, const char *id)
{
	struct span rest = span_str(name), prefix;
	size_t len = strlen(id);

	if (span_is(rest, id))
		return true;
	if (rest.len <= len + sizeof("-.scope") - 1 ||
		strcmp(name + rest.len - (sizeof(".scope") - 1), ".scope") != 0)
		return false;
	prefix = (struct span){name, rest.len - len - (sizeof("-.scope") - 1)};
	return name[prefix.len] == '-' && memcmp(name + prefix.len + 1, id, len) == 0 &&
	       !memmem(prefix.p, prefix.len, "conmon", 6);
}

static bool read_container(void *ctx, const char *name)
{
	struct container_scan *scan = ctx;
	char path[EPC_CGROUP_PATH_MAX];
	struct stat st;

	if (!is_container(name, scan->id) ||
		(size_t)snprintf(path, sizeof(path), "%s/%s", scan->pod, name) >= sizeof(path) ||
		root_stat(scan->root, path, &st) < 0 || !S_ISDIR(st.st_mode))
		return true;
	memcpy(scan->path, path, sizeof(path));
	return false;
}

int epc_cgroup_find(const struct epc_cgroup *c, const char *pod_uid, const char *container_id,
	char ret_path[EPC_CGROUP_PATH_MAX], struct error *err)
{
	static const char *const tops[] = {"", "kubelet"};
	static const char *const classes[] = {"", "burstable", "besteffort"};
	static void (*const folders[])(char *, size_t, const char *, const char *, const char *) = {
		systemd_folder, cgroupfs_folder};
	char path[EPC_CGROUP_PATH_MAX] = "", pod[EPC_CGROUP_PATH_MAX];

	if (!good_name(pod_uid) || !good_name(container_id))
		return error_set(err, -EINVAL,
			"'%.64s', '%.64s': no UID of a pod and id of a container", pod_uid,
			container_id);
	for (size_t i = 0; i < ARRAY_SIZE(tops) * ARRAY_SIZE(classes) * ARRAY_SIZE(folders); i++) {
		struct container_scan scan = {&c->root, pod, container_id, path};

		folders[i % 2](pod, sizeof(pod), tops[i / 2 / ARRAY_SIZE(classes)],
			classes[i / 2 % ARRAY_SIZE(classes)], pod_uid);
		root_each_entry(&c->root, pod, read_container, &scan);
		if (!path[0])
			continue;
		memcpy(ret_path, path, sizeof(path));
		return 0;
	}
	return error_set(err, -ENOENT, "container %s of pod %s has no cgroup below %s",
		container_id, pod_uid, c->dir);
}

/* ---- files ----------------------------------------------------------------------------------- */

static int no_file(
	const struct epc_cgroup *c, const char *path, const char *file, int r, struct error *err)
{
	struct stat st;

	if (r == -ENOENT && root_stat(&c->root, path, &st) == 0)
		return error_set(err, r,
			"%s%s: the misc controller is not enabled here (no %s): the container's "
			"runtime "
			"enables what the controllers above delegate; add +misc to their "
			"cgroup.subtree_control",
			c->dir, path, file);
	return error_set(err, r, "%s%s/%s: %s", c->dir, path, file, strerror(-r));
}

int epc_cgroup_limit(
	const struct epc_cgroup *c, const char *path, uint64_t bytes, struct error *err)
{
	char buf[MISC_MAX], full[EPC_CGROUP_PATH_MAX + 32], line[64];
	struct span text;
	uint64_t now;
	int r = read_misc(c, path, "misc.max", buf, &text);

	if (r < 0)
		return no_file(c, path, "misc.max", r, err);
	if (parse_misc(text, "sgx_epc", &now) && now == bytes)
		return 0;
	if (bytes == EPC_UNLIMITED)
		snprintf(line, sizeof(line), "sgx_epc max\n");
	else
		snprintf(line, sizeof(line), "sgx_epc %" PRIu64 "\n", bytes);
	snprintf(full, sizeof(full), "%s/misc.max", path);
	r = root_write(&c->root, full, line);
	return r < 0 ? no_file(c, path, "misc.max", r, err) : 0;
}

int epc_cgroup_read(
	const struct epc_cgroup *c, const char *path, struct epc_usage *ret_u, struct error *err)
{
	struct epc_usage u = {.max = EPC_UNLIMITED};
	char buf[MISC_MAX];
	struct span text;
	int r = read_misc(c, path, "misc.current", buf, &text);

	if (r < 0)
		return no_file(c, path, "misc.current", r, err);
	if (!parse_misc(text, "sgx_epc", &u.current))
		return error_set(
			err, -EBADMSG, "%s%s/misc.current tells nothing of sgx_epc", c->dir, path);
	if (read_misc(c, path, "misc.max", buf, &text) >= 0)
		parse_misc(text, "sgx_epc", &u.max);
	u.has_peak = read_misc(c, path, "misc.peak", buf, &text) >= 0 &&
		     parse_misc(text, "sgx_epc", &u.peak);
	u.has_events = read_misc(c, path, "misc.events", buf, &text) >= 0 &&
		       parse_misc(text, "sgx_epc.max", &u.max_events);
	*ret_u = u;
	return 0;
}
