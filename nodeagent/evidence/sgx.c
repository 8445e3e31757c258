/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/evidence/sgx.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nodeagent/enclave/report.h"
#include "nodeagent/evidence/aesm_client.h"

struct reporting {
	const struct sgx_source *source;
	const unsigned char *report_data;
};

static int report(void *ctx, const unsigned char target_info[AESM_TARGET_INFO],
	unsigned char ret_report[AESM_REPORT], struct error *err)
{
	const struct reporting *r = ctx;
	const struct sgx_source *s = r->source;

	return (s->report ? s->report : evidence_enclave_report)(
		s->device, target_info, r->report_data, ret_report, err);
}

static void set(char *ret, size_t size, const char *sysroot, const char *path)
{
	int n = *path ? snprintf(ret, size, "%s%s", sysroot, path) : 0;

	if (n <= 0 || (size_t)n >= size)
		*ret = '\0';
}

void sgx_source_set(
	struct sgx_source *ret, const char *sysroot, const char *socket, const char *device)
{
	*ret = (struct sgx_source){0};
	if (!sysroot || strcmp(sysroot, "/") == 0)
		sysroot = "";
	set(ret->socket, sizeof(ret->socket), sysroot, socket);
	set(ret->device, sizeof(ret->device), sysroot, device);
}

int sgx_evidence(const struct sgx_source *s,
	const unsigned char report_data[EXCHANGE_REPORT_DATA_SIZE], struct buf *ret,
	struct error *err)
{
	struct reporting r = {s, report_data};
	const struct aesm_client c = {.socket = s->socket, .report = report, .ctx = &r};

	if (!*s->socket)
		return error_set(err, -ENOTSUP,
			"quotes come from AESM, and none is configured: set aesm.socket to where "
			"aesmd listens");
	return aesm_quote(&c, ret, err);
}
