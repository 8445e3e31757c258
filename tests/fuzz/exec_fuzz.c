/* SPDX-License-Identifier: Apache-2.0
 *
 * What an agent, or who passes for it, answers casemate-exec: the first byte says how many keys
 * were asked for. What is accepted is bounded and harmless to print; what is refused leaves no
 * answer. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nodeagent/exec/exchange.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct exec_answer a = {.status = "same"};
	struct error err = {0};
	size_t n;
	int r;

	if (size == 0)
		return 0;
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
