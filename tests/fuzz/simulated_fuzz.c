/* SPDX-License-Identifier: Apache-2.0
 *
 * The simulated TEE's document, whole, or as the body of one (what behind its signature nobody
 * would reach). What was read can be written, and is then read as the same. */
#include <openssl/ec.h>
#include <stdlib.h>

#include "common/tee/simulated.h"

static void again(const struct simulated *s)
{
	static EVP_PKEY *key;
	_cleanup_buf_ struct buf out = BUF_INIT(4 * SIMULATED_MAX);
	struct simulated twice;
	enum reason reason;

	if (!key)
		key = EVP_EC_gen("P-256");
	if (simulated_make(&out, s, key, SPAN_LIT("pem"), NULL) < 0 ||
		simulated_parse(&twice, buf_view(&out), &reason, NULL) < 0)
		abort();
	if (strcmp(s->node_uid, twice.node_uid) != 0 || s->svn != twice.svn ||
		memcmp(s->measurements, twice.measurements, sizeof(s->measurements)) != 0 ||
		memcmp(s->report_data, twice.report_data, sizeof(s->report_data)) != 0)
		abort();
	simulated_free(&twice);
}

static void one(struct span text)
{
	struct error err = {0};
	enum reason reason = REASON_Ok;
	struct simulated s;
	int r = simulated_parse(&s, text, &reason, &err);

	if (r < 0 && (reason == REASON_Ok || !err.message[0]))
		abort();
	if (r < 0)
		return;
	again(&s);
	simulated_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_buf_ struct buf wrapped = BUF_INIT(4 * SIMULATED_MAX);
	struct span text = {(const char *)data, size};

	one(text);
	for (size_t i = 0; i < size; i++) {
		if (data[i] < ' ' || data[i] > '~')
			return 0; /* nothing that buf_json_string() may be given */
	}
	buf_puts(&wrapped, "{\"casemateSimulated\":1,\"certificate\":\"\",\"signature\":\"");
	for (int i = 0; i < 128; i++)
		buf_putc(&wrapped, '0');
	buf_puts(&wrapped, "\",\"body\":");
	buf_json_string(&wrapped, text);
	buf_putc(&wrapped, '}');
	one(buf_view(&wrapped));
	return 0;
}
