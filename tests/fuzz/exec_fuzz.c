/* SPDX-License-Identifier: Apache-2.0
 *
 * What an agent, or who passes for it, answers casemate-exec: the first byte says how many keys
 * were asked for. What is accepted is bounded and harmless to print; what is refused leaves no
 * answer. The same bytes as the header of an answer over HTTP, as an enclave's settings, and as its
 * quote. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nodeagent/exec/exchange.h"
#include "nodeagent/exec/http_head.h"
#include "nodeagent/exec/sgx/broker.h"
#include "nodeagent/exec/sgx/device.h"

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void must_print(const char *text)
{
	for (; *text; text++)
		must((unsigned char)*text >= ' ' && *text != 0x7f);
}

static void try_head(struct span head)
{
	struct exec_http_head h = {.status = -1};
	struct error err = {0};
	int r = exec_http_head_read(&h, head, DELIVERY_KEY_MAX, &err);

	must(r == 0 || (r == -EBADMSG && h.status == -1 && *err.message));
	if (r < 0)
		return;
	must(h.status >= 0 && h.status <= 999 && h.length <= DELIVERY_KEY_MAX);
	for (size_t i = 0; i < h.cookie.len; i++)
		must(h.cookie.p[i] > ' ' && h.cookie.p[i] < 0x7f && h.cookie.p[i] != ';');
}

/* What goes into requests and paths is printable; the URL is https. */
static void try_broker(struct span json)
{
	struct sgx_broker b = {.host = "same"};
	struct error err = {0};
	int r = sgx_broker_read(&b, json, &err);

	if (r < 0) {
		must(r == -EBADMSG && *err.message && strcmp(b.host, "same") == 0);
		return;
	}
	must(span_starts(span_str(b.url), "https://") && *b.host && *b.ca == '/');
	must_print(b.url);
	must_print(b.ca);
	must_print(b.token);
	must(strcspn(b.host, " /@?#[]\\") == strlen(b.host));
	must(strtoul(b.port, NULL, 10) >= 1 && strtoul(b.port, NULL, 10) <= 65535);
}

static void try_quote(struct span quote)
{
	static const unsigned char report_data[SGX_DEVICE_REPORT_DATA];
	struct error err = {0};
	int r = sgx_device_check(quote, report_data, &err);

	must(r == 0 || (r == -EBADMSG && *err.message));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct exec_answer a = {.status = "same"};
	struct error err = {0};
	size_t n;
	int r;

	if (size == 0)
		return 0;
	try_head((struct span){(const char *)data, size});
	try_broker((struct span){(const char *)data, size});
	try_quote((struct span){(const char *)data, size});
	n = data[0] % (DELIVERY_KEYS_MAX + 1);
	r = exec_answer_read(&a, (struct span){(const char *)data + 1, size - 1}, n, &err);
	if (r < 0) {
		must(r == -EBADMSG && err.code == r && *err.message);
		must(strcmp(a.status, "same") == 0);
		return 0;
	}
	must_print(a.reason);
	must_print(a.message);
	must_print(a.key);
	for (size_t i = 0; i < n; i++)
		must(a.lengths[i] <= DELIVERY_KEY_MAX);
	return 0;
}
