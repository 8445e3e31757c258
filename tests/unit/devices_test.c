/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/kubelet/devices.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nodeagent/kubelet/deviceplugin.pb-c.h"
#include "nodeagent/kubelet/message.h"
#include "nodeagent/kubelet/sgx.h"
#include "tests/unit/oom.h"
#include "tests/unit/test.h"

/* A resource that remembers what it was asked, and gives of everything something. */
struct asked {
	unsigned calls;
	char ids[256]; /* of all calls: "a,b;c;" */
	int fail;      /* at this call, from 1 */
};

static int allocate(
	void *ctx, const char *const *ids, size_t n, struct allocation *ret_a, struct error *err)
{
	struct asked *a = ctx;

	for (size_t i = 0; i < n; i++) {
		strcat(a->ids, ids[i]);
		strcat(a->ids, i + 1 < n ? "," : ";");
	}
	if (++a->calls == (unsigned)a->fail)
		return error_set(err, -ENODEV, "the cupboard is bare");
	ret_a->devices[0].container_path = "/dev/c";
	ret_a->devices[0].host_path = "/dev/h";
	ret_a->devices[0].permissions = "rw";
	ret_a->n_devices = 1;
	ret_a->mounts[0].container_path = "/m";
	ret_a->mounts[0].host_path = ids[0];
	ret_a->mounts[0].read_only = true;
	ret_a->n_mounts = 1;
	for (int i = 0; i < 2; i++) {
		ret_a->env[i].name = i ? "B" : "A";
		ret_a->env[i].value = i ? "" : "1";
	}
	ret_a->n_env = 2;
	return 0;
}

static void pre_start(void *ctx, const char *const *ids, size_t n, struct resource_request *rq)
{
	(void)ctx;
	(void)ids;
	(void)n;
	(void)rq;
}

/* "a,b;c" as an AllocateRequest of two containers; "\0" stands for a NUL. */
static void pack_request(struct buf *out, struct span text)
{
	const char *p = text.p, *end = text.p + text.len;

	for (bool more = text.len > 0; more;) {
		V1beta1__AllocateRequest q = V1BETA1__ALLOCATE_REQUEST__INIT;
		V1beta1__ContainerAllocateRequest c = V1BETA1__CONTAINER_ALLOCATE_REQUEST__INIT;
		ProtobufCBinaryData ids[16];
		const char *stop = memchr(p, ';', (size_t)(end - p));

		more = stop && stop + 1 < end;
		if (!stop)
			stop = end;
		while (p < stop) {
			const char *comma = memchr(p, ',', (size_t)(stop - p));
			const char *to = comma ? comma : stop;

			ids[c.n_devices_ids++] =
				(ProtobufCBinaryData){(size_t)(to - p), (uint8_t *)p};
			p = comma ? comma + 1 : stop;
		}
		p = more ? stop + 1 : end;
		c.devices_ids = ids;
		q.container_requests = (V1beta1__ContainerAllocateRequest *[]){&c};
		q.n_container_requests = 1;
		message_pack(out, &q.base);
	}
}

static const struct {
	const char *name;
	struct span request;
	unsigned count;
	bool healthy;
	int fail;
	int want;
	const char *want_text; /* the error, or what the resource was asked */
} allocations[] = {
	{"one", SPAN_LIT("d-0;"), 3, true, 0, 0, "d-0;"},
	{"the last", SPAN_LIT("d-2;"), 3, true, 0, 0, "d-2;"},
	{"several ids", SPAN_LIT("d-2,d-0,d-1;"), 3, true, 0, 0, "d-2,d-0,d-1;"},
	{"several containers", SPAN_LIT("d-2;d-0,d-1;"), 3, true, 0, 0, "d-2;d-0,d-1;"},
	{"unknown", SPAN_LIT("d-3;"), 3, true, 0, -ENOENT,
		"x.dev/d has no device \"d-3\": its devices are d-0 to d-2"},
	{"unknown beside known", SPAN_LIT("d-1;d-9;"), 3, true, 0, -ENOENT,
		"x.dev/d has no device \"d-9\": its devices are d-0 to d-2"},
	{"of none", SPAN_LIT("d-0;"), 0, true, 0, -ENOENT,
		"x.dev/d has no device \"d-0\": it has none at all now"},
	{"another's", SPAN_LIT("e-0;"), 3, true, 0, -ENOENT,
		"x.dev/d has no device \"e-0\": its devices are d-0 to d-2"},
	{"zeros before", SPAN_LIT("d-01;"), 3, true, 0, -ENOENT,
		"x.dev/d has no device \"d-01\": its devices are d-0 to d-2"},
	{"no number", SPAN_LIT("d-;"), 3, true, 0, -ENOENT,
		"x.dev/d has no device \"d-\": its devices are d-0 to d-2"},
	{"letters", SPAN_LIT("d-0x;"), 3, true, 0, -ENOENT,
		"x.dev/d has no device \"d-0x\": its devices are d-0 to d-2"},
	{"a number without end", SPAN_LIT("d-99999999999999999999;"), 3, true, 0, -ENOENT,
		"x.dev/d has no device \"d-99999999999999999999\": its devices are d-0 to d-2"},
	{"NUL inside", SPAN_LIT("d-0\0;"), 3, true, 0, -ENOENT,
		"x.dev/d has no device \"d-0\\x00\": its devices are d-0 to d-2"},
	{"not UTF-8", SPAN_LIT("d-\xff;"), 3, true, 0, -ENOENT,
		"x.dev/d has no device \"d-\\xff\": its devices are d-0 to d-2"},
	{"very long",
		SPAN_LIT("d-"
			 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa;"),
		3, true, 0, -ENOENT,
		"x.dev/d has no device "
		"\"d-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaa...\": its devices are d-0 to d-2"},
	{"twice", SPAN_LIT("d-1,d-1;"), 3, true, 0, -EBADMSG,
		"x.dev/d: device \"d-1\" twice for one container"},
	{"no ids", SPAN_LIT(";"), 3, true, 0, -EBADMSG, "x.dev/d: a container with no device ids"},
	{"no containers", SPAN_LIT(""), 3, true, 0, -EBADMSG,
		"x.dev/d: a request for 0 containers; 1 to 64 are answered"},
	{"not healthy", SPAN_LIT("d-1;"), 3, false, 0, -EADDRNOTAVAIL,
		"device \"d-1\" of x.dev/d is not healthy: it rained"},
	{"refused", SPAN_LIT("d-1;"), 3, true, 1, -ENODEV, "x.dev/d: the cupboard is bare"},
	{"the second refused", SPAN_LIT("d-1;d-2;"), 3, true, 2, -ENODEV,
		"x.dev/d: the cupboard is bare"},
};

static void test_allocate(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(allocations); i++) {
		struct asked asked = {.fail = allocations[i].fail};
		struct resource res = {"x.dev/d", "d-", allocate, NULL, &asked};
		struct devices d = {
			&res, allocations[i].count, allocations[i].healthy, "it rained"};
		_cleanup_buf_ struct buf request = BUF_INIT(4096), out = BUF_INIT(4096);
		struct error err = {0};
		int r;

		pack_request(&request, allocations[i].request);
		r = devices_allocate(&d, buf_view(&request), &out, &err);
		CHECK_ROW(allocations[i].name, r == allocations[i].want && err.code == r, "got %d",
			r);
		CHECK_STR(allocations[i].name, span_str(r < 0 ? err.message : asked.ids),
			allocations[i].want_text);
		/* The resource is not asked for one container when another is refused. */
		CHECK_ROW(allocations[i].name, r == 0 || asked.fail || asked.calls == 0, "%u calls",
			asked.calls);
	}
}

static void test_answer(void)
{
	struct asked asked = {0};
	struct resource res = {"x.dev/d", "d-", allocate, NULL, &asked};
	struct devices d = {&res, 3, true, ""};
	_cleanup_buf_ struct buf request = BUF_INIT(4096), out = BUF_INIT(4096);
	_cleanup_arena_ struct arena a = ARENA_INIT(1 << 16);
	ProtobufCMessage *unpacked = NULL;
	V1beta1__AllocateResponse *m;
	V1beta1__ContainerAllocateResponse *c;

	pack_request(&request, SPAN_LIT("d-1;d-2;"));
	CU_ASSERT_EQUAL(devices_allocate(&d, buf_view(&request), &out, NULL), 0);
	message_unpack(
		&unpacked, &a, &v1beta1__allocate_response__descriptor, buf_view(&out), NULL);
	m = (V1beta1__AllocateResponse *)unpacked;
	CU_ASSERT(m && m->n_container_responses == 2);
	if (!m || m->n_container_responses != 2)
		return;
	c = m->container_responses[1];
	CU_ASSERT(c->n_devices == 1 && c->n_mounts == 1 && c->n_envs == 2);
	if (c->n_devices != 1 || c->n_mounts != 1 || c->n_envs != 2)
		return;
	CU_ASSERT_STRING_EQUAL(c->devices[0]->container_path, "/dev/c");
	CU_ASSERT_STRING_EQUAL(c->devices[0]->host_path, "/dev/h");
	CU_ASSERT_STRING_EQUAL(c->devices[0]->permissions, "rw");
	CU_ASSERT_STRING_EQUAL(c->mounts[0]->container_path, "/m");
	CU_ASSERT_STRING_EQUAL(c->mounts[0]->host_path, "d-2");
	CU_ASSERT(c->mounts[0]->read_only);
	CU_ASSERT_STRING_EQUAL(c->envs[0]->key, "A");
	CU_ASSERT_STRING_EQUAL(c->envs[0]->value, "1");
	CU_ASSERT_STRING_EQUAL(c->envs[1]->key, "B");
	CU_ASSERT_STRING_EQUAL(c->envs[1]->value, "");
}

/* The bytes of messages whose encoding is known, by the field numbers of the API. */
static void test_bytes(void)
{
	struct resource res = {"x.dev/d", "d-", allocate, NULL, NULL};
	struct devices d = {&res, 2, true, ""};
	_cleanup_buf_ struct buf out = BUF_INIT(4096);

	devices_list(&d, &out);
	CHECK_STR("list", buf_view(&out),
		"\n\x0e\n\x03"
		"d-0\x12\x07Healthy\n\x0e\n\x03"
		"d-1\x12\x07Healthy");
	buf_reset(&out);
	d.healthy = false;
	d.count = 1;
	devices_list(&d, &out);
	CHECK_STR("unhealthy", buf_view(&out),
		"\n\x10\n\x03"
		"d-0\x12\x09Unhealthy");
	buf_reset(&out);
	d.count = 0;
	CU_ASSERT_EQUAL(devices_list(&d, &out), 0);
	CU_ASSERT_EQUAL(out.len, 0);
	CU_ASSERT_EQUAL(devices_options(&d, &out), 0);
	CU_ASSERT_EQUAL(out.len, 0);
	res.pre_start = pre_start;
	devices_options(&d, &out);
	CHECK_STR("options", buf_view(&out), "\x08\x01");
	buf_reset(&out);
	devices_register(&d, "s.sock", &out);
	CHECK_STR("register", buf_view(&out),
		"\n\x07v1beta1\x12\x06s.sock\x1a\x07x.dev/d\"\x02\x08\x01");
}

/* The longest list there can be stays far below what the kubelet takes (4 MiB). */
static void test_long_list(void)
{
	char prefix[DEVICE_ID_MAX + 1] = "";
	struct resource res = {"x.dev/d", prefix, allocate, NULL, NULL};
	struct devices d = {&res, RESOURCE_DEVICES_MAX, false, ""};
	_cleanup_buf_ struct buf out = BUF_INIT(DEVICES_REPLY_MAX), request = BUF_INIT(1 << 20);
	_cleanup_arena_ struct arena a = ARENA_INIT(DEVICES_MEMORY_MAX);
	ProtobufCMessage *unpacked = NULL;
	V1beta1__ListAndWatchResponse *list;
	V1beta1__PreStartContainerRequest q = V1BETA1__PRE_START_CONTAINER_REQUEST__INIT;
	const char *const *ids;
	size_t n = 0;

	memset(prefix, 'p', DEVICE_ID_MAX - 4);
	CU_ASSERT_EQUAL(devices_check(&res, NULL), 0);
	CU_ASSERT_EQUAL(devices_list(&d, &out), 0);
	CU_ASSERT(out.len < 512 << 10);
	message_unpack(
		&unpacked, &a, &v1beta1__list_and_watch_response__descriptor, buf_view(&out), NULL);
	list = (V1beta1__ListAndWatchResponse *)unpacked;
	CU_ASSERT(list && list->n_devices == RESOURCE_DEVICES_MAX);
	if (!list)
		return;
	CU_ASSERT(strlen(list->devices[4095]->id) == DEVICE_ID_MAX);
	/* And a container may hold them all. */
	q.n_devices_ids = list->n_devices;
	q.devices_ids = calloc(q.n_devices_ids, sizeof(*q.devices_ids));
	for (size_t i = 0; i < q.n_devices_ids; i++)
		q.devices_ids[i] = (ProtobufCBinaryData){
			strlen(list->devices[i]->id), (uint8_t *)list->devices[i]->id};
	message_pack(&request, &q.base);
	free(q.devices_ids);
	CU_ASSERT(request.len <= DEVICES_REQUEST_MAX);
	arena_free(&a);
	CU_ASSERT_EQUAL(devices_pre_start(&d, buf_view(&request), &a, &ids, &n, NULL), 0);
	CU_ASSERT_EQUAL(n, RESOURCE_DEVICES_MAX);
}

static void test_check(void)
{
	static const struct {
		const char *name, *prefix, *want;
	} rows[] = {
		{"x.dev/d", "d-", ""},
		{"d", "d-",
			"resource 'd': must be DOMAIN/NAME, at most 100 bytes, and not of "
			"kubernetes.io"},
		{"/d", "d-",
			"resource '/d': must be DOMAIN/NAME, at most 100 bytes, and not of "
			"kubernetes.io"},
		{"x/", "d-",
			"resource 'x/': must be DOMAIN/NAME, at most 100 bytes, and not of "
			"kubernetes.io"},
		{"x/y/z", "d-",
			"resource 'x/y/z': must be DOMAIN/NAME, at most 100 bytes, and not of "
			"kubernetes.io"},
		{"a.kubernetes.io/z", "d-",
			"resource 'a.kubernetes.io/z': must be DOMAIN/NAME, at most 100 bytes, and "
			"not of "
			"kubernetes.io"},
		{"x/y", "", "resource 'x/y': its ids' prefix must have 1 to 59 bytes"},
		{"x/y", "123456789012345678901234567890123456789012345678901234567890",
			"resource 'x/y': its ids' prefix must have 1 to 59 bytes"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct resource r = {rows[i].name, rows[i].prefix, allocate, NULL, NULL};
		struct error err = {0};

		CU_ASSERT_EQUAL(devices_check(&r, &err), rows[i].want[0] ? -EINVAL : 0);
		CHECK_STR(rows[i].name, span_str(err.message), rows[i].want);
	}
}

/* Each truncation of a request either is another valid one, of less, or is refused; never does one
 * read beyond, and never is anything asked of the resource that was refused. */
static void test_truncations(void)
{
	struct asked asked = {0};
	struct resource res = {"x.dev/d", "d-", allocate, NULL, &asked};
	struct devices d = {&res, 110, true, ""};
	_cleanup_buf_ struct buf request = BUF_INIT(4096);

	pack_request(&request, SPAN_LIT("d-101,d-2;d-3;"));
	for (size_t n = 0; n < request.len; n++) {
		_cleanup_free_ char *copy = malloc(n ? n : 1);
		_cleanup_buf_ struct buf out = BUF_INIT(4096);
		_cleanup_arena_ struct arena a = ARENA_INIT(DEVICES_MEMORY_MAX);
		const char *const *ids;
		struct error err = {0};
		size_t n_ids;
		int r;

		memcpy(copy, request.p, n);
		asked = (struct asked){0};
		r = devices_allocate(&d, (struct span){copy, n}, &out, &err);
		/* Whole at the end of the first container alone. */
		CU_ASSERT_EQUAL(r == 0, n == request.len - 7);
		CU_ASSERT_EQUAL(asked.calls, r == 0 ? 1 : 0);
		CU_ASSERT(r == 0 || err.message[0]);
		CU_ASSERT(
			devices_pre_start(&d, (struct span){copy, n}, &a, &ids, &n_ids, &err) < 0);
	}
}

/* Small messages that want much memory are refused, and say so. */
static void test_memory(void)
{
	struct asked asked = {0};
	struct resource res = {"x.dev/d", "d-", allocate, NULL, &asked};
	struct devices d = {&res, 110, true, ""};
	_cleanup_buf_ struct buf request = BUF_INIT(DEVICES_REQUEST_MAX), out = BUF_INIT(4096);
	struct error err = {0};

	while (buf_add(&request, "\x0a\x00", 2) == 0)
		;
	CU_ASSERT_EQUAL(devices_allocate(&d, buf_view(&request), &out, &err), -EBADMSG);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "takes more than 1048576 bytes of memory"));
	CU_ASSERT_EQUAL(asked.calls, 0);
}

static void test_pre_start(void)
{
	struct resource res = {"x.dev/d", "d-", allocate, pre_start, NULL};
	struct devices d = {&res, 3, false, ""};
	_cleanup_arena_ struct arena a = ARENA_INIT(DEVICES_MEMORY_MAX);
	const char *const *ids = NULL;
	struct error err = {0};
	size_t n = 0;

	CU_ASSERT_EQUAL(devices_pre_start(&d,
				SPAN_LIT("\n\x03"
					 "d-1\n\x03"
					 "d-0"),
				&a, &ids, &n, &err),
		0);
	CU_ASSERT(n == 2 && strcmp(ids[0], "d-1") == 0 && strcmp(ids[1], "d-0") == 0);
	CU_ASSERT_EQUAL(devices_pre_start(&d,
				SPAN_LIT("\n\x03"
					 "d-3"),
				&a, &ids, &n, &err),
		-ENOENT);
	CU_ASSERT_EQUAL(devices_pre_start(&d, SPAN_LIT(""), &a, &ids, &n, &err), -EBADMSG);
	CU_ASSERT_EQUAL(devices_pre_start(&d,
				SPAN_LIT("\n\x05"
					 "d-3"),
				&a, &ids, &n, &err),
		-EBADMSG);
	CU_ASSERT_STRING_EQUAL(
		err.message, "PreStartContainerRequest of 5 bytes is no valid protobuf message");
}

static void test_sgx(void)
{
	static struct platform p; /* large */
	struct resource enclave = sgx_enclave_resource(&p), provision = sgx_provision_resource(&p);
	const char *ids[] = {"sgx-enclave-0", "sgx-enclave-1"};
	struct allocation a = {0}, b = {0};
	struct error err = {0};

	CU_ASSERT_EQUAL(devices_check(&enclave, NULL), 0);
	CU_ASSERT_EQUAL(devices_check(&provision, NULL), 0);
	CU_ASSERT_STRING_EQUAL(enclave.name, "sgx.intel.com/enclave");
	CU_ASSERT_STRING_EQUAL(provision.name, "sgx.intel.com/provision");
	CU_ASSERT_EQUAL(enclave.allocate(enclave.ctx, ids, 2, &a, &err), -ENODEV);
	CU_ASSERT_PTR_NOT_NULL(strstr(err.message, "/dev/sgx_enclave is not there"));
	strcpy(p.enclave_device, "/dev/sgx_enclave");
	strcpy(p.provision_device, "/var/lib/casemate/simulated/dev/sgx_provision");
	CU_ASSERT_EQUAL(enclave.allocate(enclave.ctx, ids, 2, &a, &err), 0);
	CU_ASSERT(a.n_devices == 1 && a.n_mounts == 0 && a.n_env == 0);
	CU_ASSERT_STRING_EQUAL(a.devices[0].host_path, "/dev/sgx_enclave");
	CU_ASSERT_STRING_EQUAL(a.devices[0].permissions, "rw");
	CU_ASSERT_EQUAL(provision.allocate(provision.ctx, ids, 1, &b, &err), 0);
	CU_ASSERT(b.n_devices == 1);
	CU_ASSERT_STRING_EQUAL(b.devices[0].container_path, "/dev/sgx_provision");
	CU_ASSERT_STRING_EQUAL(
		b.devices[0].host_path, "/var/lib/casemate/simulated/dev/sgx_provision");
}

static void test_no_memory(void)
{
	struct asked asked;
	struct resource res = {"x.dev/d", "d-", allocate, NULL, &asked};
	struct devices d = {&res, 3, true, ""};
	_cleanup_buf_ struct buf request = BUF_INIT(4096);
	struct oom o = {0};

	pack_request(&request, SPAN_LIT("d-2;d-0,d-1;"));
	while (oom_next(&o)) {
		_cleanup_buf_ struct buf out = BUF_INIT(4096);
		struct error err = {0};
		int r;

		asked = (struct asked){0};
		oom_begin(&o);
		r = devices_allocate(&d, buf_view(&request), &out, &err);
		oom_end(&o);
		CHECK_ROW(o.row, r == (o.failed ? -ENOMEM : 0) && err.code == r, "%d: %s", r,
			err.message);
	}
}

CU_TestInfo devices_tests[] = {
	{"what Allocate gives and refuses", test_allocate},
	{"its answer", test_answer},
	{"messages by their bytes", test_bytes},
	{"the longest list", test_long_list},
	{"resources that cannot be offered", test_check},
	{"requests cut short", test_truncations},
	{"requests that want much memory", test_memory},
	{"no memory", test_no_memory},
	{"PreStartContainer's ids", test_pre_start},
	{"the SGX devices", test_sgx},
	CU_TEST_INFO_NULL,
};
