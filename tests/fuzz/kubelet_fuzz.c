/* SPDX-License-Identifier: Apache-2.0
 *
 * Whatever comes from the kubelet, or from who passes for it: the first byte picks the message.
 * What is accepted names devices that there are, and each once; what is refused says why in plain
 * text, and nothing has been asked of the resource. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nodeagent/kubelet/deviceplugin.pb-c.h"
#include "nodeagent/kubelet/devices.h"
#include "nodeagent/kubelet/holdings.h"
#include "nodeagent/kubelet/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { COUNT = 12 };

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void must_be_plain(const char *text)
{
	must(text[0]);
	for (; *text; text++)
		must(*text >= ' ' && *text < 0x7f);
}

static bool is_device(const char *id)
{
	char known[DEVICE_ID_MAX + 1];

	for (unsigned i = 0; i < COUNT; i++) {
		snprintf(known, sizeof(known), "d-%u", i);
		if (strcmp(known, id) == 0)
			return true;
	}
	return false;
}

static void must_be_devices(const char *const *ids, size_t n)
{
	must(n >= 1 && n <= COUNT);
	for (size_t i = 0; i < n; i++) {
		must(is_device(ids[i]));
		for (size_t k = 0; k < i; k++)
			must(strcmp(ids[i], ids[k]) != 0);
	}
}

static int allocate(
	void *ctx, const char *const *ids, size_t n, struct allocation *ret_a, struct error *err)
{
	(void)err;
	must_be_devices(ids, n);
	++*(size_t *)ctx;
	for (size_t i = 0; i < n; i++) {
		ret_a->env[i].name = ids[i];
		ret_a->env[i].value = "";
	}
	ret_a->n_env = n;
	return 0;
}

static void fuzz_allocate(const struct devices *d, struct span message, const size_t *asked)
{
	_cleanup_buf_ struct buf out = BUF_INIT(DEVICES_REPLY_MAX);
	_cleanup_arena_ struct arena a = ARENA_INIT(DEVICES_MEMORY_MAX);
	ProtobufCMessage *m = NULL;
	struct error err = {0};
	int r = devices_allocate(d, message, &out, &err);

	if (r < 0) {
		must(err.code == r);
		must_be_plain(err.message);
		must(*asked == 0);
		return;
	}
	r = message_unpack(&m, &a, &v1beta1__allocate_response__descriptor, buf_view(&out), NULL);
	must(r == 0 && *asked >= 1 &&
		((V1beta1__AllocateResponse *)m)->n_container_responses == *asked);
}

static void fuzz_pre_start(const struct devices *d, struct span message)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(DEVICES_MEMORY_MAX);
	const char *const *ids = NULL;
	struct error err = {0};
	size_t n = 0;

	if (devices_pre_start(d, message, &a, &ids, &n, &err) < 0) {
		must(!ids && n == 0);
		must_be_plain(err.message);
		return;
	}
	must_be_devices(ids, n);
}

static void fuzz_holdings(struct span message)
{
	static const char *const prefixes[] = {"sgx.intel.com/", "casemate.dev/", NULL};
	_cleanup_arena_ struct arena a = ARENA_INIT(HOLDINGS_MEMORY_MAX);
	struct holdings h = {0};
	struct error err = {0};

	if (holdings_read(&h, &a, message, prefixes, &err) < 0) {
		must(!h.v);
		must_be_plain(err.message);
		return;
	}
	must(h.n <= POD_RESOURCES_MAX && (!h.cut || h.n == POD_RESOURCES_MAX));
	for (size_t i = 0; i < h.n; i++) {
		must_be_plain(h.v[i].namespace_);
		must_be_plain(h.v[i].pod);
		must_be_plain(h.v[i].container);
		must(strncmp(h.v[i].resource, "sgx.intel.com/", 14) == 0 ||
			strncmp(h.v[i].resource, "casemate.dev/", 13) == 0);
		for (size_t k = 0; k < h.v[i].n_ids; k++)
			must_be_plain(h.v[i].ids[k]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t asked = 0;
	struct resource resource = {"x.dev/d", "d-", allocate, NULL, &asked};
	struct devices d = {&resource, COUNT, true, ""};
	struct span message = {(const char *)data + 1, size - 1};

	if (size == 0 || size > HOLDINGS_MESSAGE_MAX)
		return 0;
	if (data[0] % 3 == 0)
		fuzz_allocate(&d, message, &asked);
	else if (data[0] % 3 == 1)
		fuzz_pre_start(&d, message);
	else
		fuzz_holdings(message);
	return 0;
}
