/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/kubelet/holdings.h"

#include <errno.h>
#include <stdio.h>

#include "nodeagent/kubelet/message.h"
#include "nodeagent/kubelet/podresources.pb-c.h"
#include "tests/unit/test.h"

static const char *const prefixes[] = {"sgx.intel.com/", "casemate.dev/", NULL};

/* One pod, "app" of "shop", whose container "main" holds ids of a resource. */
static void pack_pod(struct buf *out, struct span pod, struct span container, struct span resource,
	const struct span *ids, size_t n)
{
	V1__ListPodResourcesResponse m = V1__LIST_POD_RESOURCES_RESPONSE__INIT;
	V1__PodResources p = V1__POD_RESOURCES__INIT;
	V1__ContainerResources c = V1__CONTAINER_RESOURCES__INIT;
	V1__ContainerDevices d = V1__CONTAINER_DEVICES__INIT;
	ProtobufCBinaryData data[4];

#define BYTES(s) ((ProtobufCBinaryData){(s).len, (uint8_t *)(s).p})
	for (size_t i = 0; i < n; i++)
		data[i] = BYTES(ids[i]);
	d.resource_name = BYTES(resource);
	d.device_ids = data;
	d.n_device_ids = n;
	c.name = BYTES(container);
	c.devices = (V1__ContainerDevices *[]){&d};
	c.n_devices = 1;
	p.name = BYTES(pod);
	p.namespace_ = (ProtobufCBinaryData){4, (uint8_t *)"shop"};
	p.containers = (V1__ContainerResources *[]){&c};
	p.n_containers = 1;
	m.pod_resources = (V1__PodResources *[]){&p};
	m.n_pod_resources = 1;
	message_pack(out, &m.base);
#undef BYTES
}

static void test_read(void)
{
	const struct span ids[] = {SPAN_LIT("sgx-enclave-1"), SPAN_LIT("sgx-enclave-7")};
	const struct span key = SPAN_LIT("key-0"), gpu = SPAN_LIT("GPU \xff");
	_cleanup_buf_ struct buf m = BUF_INIT(4096);
	_cleanup_arena_ struct arena a = ARENA_INIT(HOLDINGS_MEMORY_MAX);
	struct holdings h = {0};
	struct error err = {0};

	pack_pod(&m, SPAN_LIT("app"), SPAN_LIT("main"), SPAN_LIT("sgx.intel.com/enclave"), ids, 2);
	/* Others' resources are none of our business, whatever they call their devices. */
	pack_pod(&m, SPAN_LIT("gpu"), SPAN_LIT("main"), SPAN_LIT("nvidia.com/gpu"), &gpu, 1);
	pack_pod(&m, SPAN_LIT("app"), SPAN_LIT("side"), SPAN_LIT("casemate.dev/keys"), &key, 1);
	/* A pod with cpu_ids and memory, as kubelets from 1.37 on send it, and fields to come. */
	buf_add(&m, "\x0a\x0e\x0a\x01p\x12\x01n\x22\x02\x01\x02\x2a\x02\x0a\x00", 16);
	CU_ASSERT_EQUAL(holdings_read(&h, &a, buf_view(&m), prefixes, &err), 0);
	CU_ASSERT_EQUAL(h.n, 2);
	CU_ASSERT(!h.cut);
	if (h.n != 2)
		return;
	CU_ASSERT_STRING_EQUAL(h.v[0].namespace_, "shop");
	CU_ASSERT_STRING_EQUAL(h.v[0].pod, "app");
	CU_ASSERT_STRING_EQUAL(h.v[0].container, "main");
	CU_ASSERT_STRING_EQUAL(h.v[0].resource, "sgx.intel.com/enclave");
	CU_ASSERT_EQUAL(h.v[0].n_ids, 2);
	CU_ASSERT_STRING_EQUAL(h.v[0].ids[1], "sgx-enclave-7");
	CU_ASSERT_STRING_EQUAL(h.v[1].container, "side");
	CU_ASSERT_STRING_EQUAL(h.v[1].ids[0], "key-0");
}

static const struct {
	const char *name;
	struct span pod, container, resource, id;
	const char *want;
} bad[] = {
	{"NUL in an id", SPAN_LIT("p"), SPAN_LIT("c"), SPAN_LIT("casemate.dev/keys"),
		SPAN_LIT("key-0\0"), "pod resources: \"key-0\\x00\" is no device id"},
	{"an empty id", SPAN_LIT("p"), SPAN_LIT("c"), SPAN_LIT("casemate.dev/keys"), SPAN_LIT(""),
		"pod resources: \"\" is no device id"},
	{"a pod's name", SPAN_LIT("p\xc3\xa4"), SPAN_LIT("c"), SPAN_LIT("casemate.dev/keys"),
		SPAN_LIT("i"), "pod resources: \"p\\xc3\\xa4\" is no pod's name"},
	{"a container's name", SPAN_LIT("p"), SPAN_LIT("c c"), SPAN_LIT("casemate.dev/keys"),
		SPAN_LIT("i"), "pod resources: \"c\\x20c\" is no container's name"},
	{"a resource", SPAN_LIT("p"), SPAN_LIT("c"), SPAN_LIT("casemate.dev/\n"), SPAN_LIT("i"),
		"pod resources: \"casemate.dev/\\x0a\" is no resource"},
};

static void test_bad(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_buf_ struct buf m = BUF_INIT(4096);
		_cleanup_arena_ struct arena a = ARENA_INIT(HOLDINGS_MEMORY_MAX);
		struct holdings h;
		struct error err = {0};

		pack_pod(&m, bad[i].pod, bad[i].container, bad[i].resource, &bad[i].id, 1);
		CU_ASSERT_EQUAL(holdings_read(&h, &a, buf_view(&m), prefixes, &err), -EBADMSG);
		CHECK_STR(bad[i].name, span_str(err.message), bad[i].want);
	}
}

static void test_many(void)
{
	const struct span id = SPAN_LIT("i");
	_cleanup_buf_ struct buf m = BUF_INIT(1 << 20);
	_cleanup_arena_ struct arena a = ARENA_INIT(HOLDINGS_MEMORY_MAX);
	struct holdings h = {0};

	CU_ASSERT_EQUAL(holdings_read(&h, &a, SPAN_NONE, prefixes, NULL), 0);
	CU_ASSERT_EQUAL(h.n, 0);
	for (int i = 0; i < POD_RESOURCES_MAX; i++)
		pack_pod(&m, SPAN_LIT("p"), SPAN_LIT("c"), SPAN_LIT("casemate.dev/keys"), &id, 1);
	CU_ASSERT_EQUAL(holdings_read(&h, &a, buf_view(&m), prefixes, NULL), 0);
	CU_ASSERT(h.n == POD_RESOURCES_MAX && !h.cut);
	pack_pod(&m, SPAN_LIT("p"), SPAN_LIT("c"), SPAN_LIT("casemate.dev/keys"), &id, 1);
	CU_ASSERT_EQUAL(holdings_read(&h, &a, buf_view(&m), prefixes, NULL), 0);
	CU_ASSERT(h.n == POD_RESOURCES_MAX && h.cut);
}

/* Kubelets have an entry for each device of a container, in any order; some one for all. */
static void test_merged(void)
{
	static const struct span m = SPAN_LIT("\n\x5d\n\x01p\x12\x01n\x1a\x55\n\x01"
					      "c"
					      "\x12\x10\n\x09sgx.dev/b\x12\x03"
					      "b-1"
					      "\x12\x10\n\x09sgx.dev/a\x12\x03"
					      "a-2"
					      "\x12\x15\n\x09sgx.dev/b\x12\x03"
					      "b-3\x12\x03"
					      "b-0"
					      "\x12\x15\n\x09sgx.dev/b\x12\x03"
					      "b-2\x12\x03"
					      "b-4");
	static const char *const all[] = {"sgx.dev/", NULL};
	_cleanup_arena_ struct arena a = ARENA_INIT(HOLDINGS_MEMORY_MAX);
	struct holdings h = {0};
	struct error err = {0};

	CU_ASSERT_EQUAL(holdings_read(&h, &a, m, all, &err), 0);
	CHECK_STR("no error", span_str(err.message), "");
	CU_ASSERT_EQUAL(h.n, 2);
	if (h.n != 2)
		return;
	CU_ASSERT_STRING_EQUAL(h.v[0].resource, "sgx.dev/b");
	CU_ASSERT_EQUAL(h.v[0].n_ids, 5);
	for (size_t i = 0; i < h.v[0].n_ids; i++)
		CU_ASSERT_EQUAL(h.v[0].ids[i][2], "13024"[i]);
	CU_ASSERT(h.v[1].n_ids == 1 && strcmp(h.v[1].ids[0], "a-2") == 0);
	CU_ASSERT_STRING_EQUAL(h.v[1].container, "c");
}

static void test_many_resources(void)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(HOLDINGS_MEMORY_MAX);
	_cleanup_buf_ struct buf container = BUF_INIT(4096), pod = BUF_INIT(4096);
	struct holdings h = {0};
	struct error err = {0};

	buf_puts(&container, "\n\x01"
			     "c");
	for (int i = 0; i <= HOLDINGS_RESOURCES_MAX; i++)
		buf_printf(&container,
			"\x12\x14\n\x0f"
			"casemate.dev/%02d\x12\x01i",
			i);
	buf_printf(&pod, "\n\x01p\x12\x01n\x1a%c%c", (int)((container.len & 0x7f) | 0x80),
		(int)(container.len >> 7));
	buf_span(&pod, buf_view(&container));
	buf_reset(&container);
	buf_printf(&container, "\n%c%c", (int)((pod.len & 0x7f) | 0x80), (int)(pod.len >> 7));
	buf_span(&container, buf_view(&pod));
	CU_ASSERT_EQUAL(holdings_read(&h, &a, buf_view(&container), prefixes, &err), -EBADMSG);
	CHECK_STR("many resources", span_str(err.message),
		"pod resources: n/p: more than 32 resources of ours for one container");
}

static void test_truncations(void)
{
	const struct span ids[] = {SPAN_LIT("key-1"), SPAN_LIT("key-2")};
	_cleanup_buf_ struct buf m = BUF_INIT(4096);

	pack_pod(&m, SPAN_LIT("app"), SPAN_LIT("main"), SPAN_LIT("casemate.dev/keys"), ids, 2);
	for (size_t n = 1; n < m.len; n++) {
		_cleanup_free_ char *copy = malloc(n);
		_cleanup_arena_ struct arena a = ARENA_INIT(HOLDINGS_MEMORY_MAX);
		struct error err = {0};
		struct holdings h;

		memcpy(copy, m.p, n);
		CU_ASSERT_EQUAL(
			holdings_read(&h, &a, (struct span){copy, n}, prefixes, &err), -EBADMSG);
		CU_ASSERT(err.message[0]);
	}
}

CU_TestInfo holdings_tests[] = {
	{"who holds what", test_read},
	{"names that are none", test_bad},
	{"more than there is room for", test_many},
	{"a container's devices together", test_merged},
	{"a container of many resources", test_many_resources},
	{"answers cut short", test_truncations},
	CU_TEST_INFO_NULL,
};
