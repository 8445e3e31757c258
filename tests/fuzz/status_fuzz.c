/* SPDX-License-Identifier: Apache-2.0
 *
 * Whatever others call their things: the page keeps its structure, JSON is JSON, and no control
 * reaches a terminal. NULs separate the strings: node, message, resource, id, pod, problem. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "nodeagent/status/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { OUTPUT_MAX = 16 << 20, STRINGS = 6, INPUT_MAX = 4096 };

static void require(bool ok)
{
	if (!ok)
		abort();
}

/* A node with problems of all kinds that calls everything as given. */
static void render(
	const char *const strings[STRINGS], struct buf *page, struct buf *json, struct buf *text)
{
	static struct platform p;
	const struct plugin_info plugin = {strings[2], PLUGIN_FOREIGN, strings[5], 2, 1};
	const struct status_devices devices = {strings[2], &strings[3], 1};
	const struct status_container container = {
		strings[4], strings[4], strings[4], &devices, 1, 4096, -1};
	const struct status s = {
		.node = strings[0],
		.version = strings[0],
		.platform = &p,
		.plugins = &plugin,
		.n_plugins = 1,
		.kubelet = {STATUS_DISCONNECTED, strings[5]},
		.api_server = {STATUS_DISCONNECTED, strings[5]},
		.node_uid = strings[0],
		.capacity_problem = strings[5],
		.epc = {0, -1, 4096},
		.containers = &container,
		.n_containers = 1,
		.containers_problem = strings[5],
		.attestation = {ATTEST_REFUSED, ATTEST_PHASE_PROVING, strings[5], strings[1],
			strings[0], 1, "tdx", "tsm"},
		.keys = {strings[0], 1, 2, 3, 4, 5, strings[5]},
	};

	p.epc_bytes = 8192;
	for (size_t i = 0; i < PLATFORM_CHECK_N; i++) {
		p.findings[i].state = FINDING_MISCONFIGURED;
		snprintf(p.findings[i].message, PLATFORM_MESSAGE_MAX, "%s", strings[1]);
	}
	require(status_page(&s, page) == 0 && status_json(&s, json) == 0 &&
		status_text(&s, text) == 0);
}

static size_t count(const struct buf *b, const char *set)
{
	size_t n = 0;

	for (size_t i = 0; i < b->len; i++)
		n += strchr(set, b->p[i]) && b->p[i];
	return n;
}

static bool has_control(const struct buf *b)
{
	for (size_t i = 0; i < b->len; i++)
		if (((unsigned char)b->p[i] < 0x20 && b->p[i] != '\n') || b->p[i] == 0x7f)
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const plain[STRINGS] = {"x", "x", "x", "x", "x", "x"};
	const struct json_limits limits = {OUTPUT_MAX, 1 << 16, 8};
	struct buf out[3] = {BUF_INIT(OUTPUT_MAX), BUF_INIT(OUTPUT_MAX), BUF_INIT(OUTPUT_MAX)};
	struct buf want[3] = {BUF_INIT(OUTPUT_MAX), BUF_INIT(OUTPUT_MAX), BUF_INIT(OUTPUT_MAX)};
	const char *strings[STRINGS];
	char copy[INPUT_MAX + STRINGS + 1];
	struct json doc = {0};
	size_t at = 0;

	if (size > INPUT_MAX)
		return 0;
	memset(copy, 0, sizeof(copy));
	if (size)
		memcpy(copy, data, size);
	/* Never empty: an empty problem is none, which changes the structure. */
	for (size_t i = 0; i < STRINGS; i++) {
		strings[i] = copy[at] ? copy + at : "x";
		at += at < size ? strlen(copy + at) + 1 : 0;
	}
	render(strings, &out[0], &out[1], &out[2]);
	render(plain, &want[0], &want[1], &want[2]);
	require(count(&out[0], "<>\"'") == count(&want[0], "<>\"'"));
	require(!has_control(&out[0]) && !has_control(&out[2]));
	require(json_parse(&doc, buf_view(&out[1]), &limits, NULL) == 0);
	require(count(&out[2], "\n") == count(&want[2], "\n"));
	json_free(&doc);
	for (size_t i = 0; i < 3; i++) {
		buf_free(&out[i]);
		buf_free(&want[i]);
	}
	return 0;
}
