/* SPDX-License-Identifier: Apache-2.0
 *
 * What an agent, or who passes for it, answers casemate-exec: the first byte says how many keys
 * were asked for. What is accepted is bounded and harmless to print; what is refused leaves no
 * answer. The same bytes as the header of a guest's REST API. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nodeagent/exec/guest.h"

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
	struct exec_guest_head h = {.status = -1};
	struct error err = {0};
	int r = exec_guest_head_read(&h, head, &err);

	must(r == 0 || (r == -EBADMSG && h.status == -1 && *err.message));
	must(r < 0 || (h.status >= 0 && h.status <= 999 && h.length <= DELIVERY_KEY_MAX));
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
