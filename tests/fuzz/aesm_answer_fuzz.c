/* SPDX-License-Identifier: Apache-2.0
 *
 * What AESM, or who passes for it, answers: the first byte picks the request. What is accepted has
 * the sizes that the client relies on; what is refused says why in plain text and leaves no answer.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/tee/quote.h"
#include "nodeagent/aesm/frame.h"
#include "nodeagent/evidence/aesm_message.h"

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

static void must_fit(const struct aesm_answer *a, enum aesm_step step)
{
	if (a->code) {
		struct error err = {0};

		must(!a->number && !a->bytes.len);
		must(aesm_code_error(&err, step, a->code) < 0);
		must_be_plain(err.message);
		return;
	}
	must(step != AESM_KEY_ID_NUM || (a->number >= 1 && a->number <= AESM_KEY_IDS_MAX));
	must(step != AESM_QUOTE_SIZE || (a->number >= 1 && a->number <= QUOTE_MAX));
	must(step != AESM_INIT_QUOTE || a->bytes.len == AESM_TARGET_INFO);
	must(step != AESM_QUOTE || a->bytes.len > 0);
	if (step == AESM_KEY_IDS) {
		struct span key = aesm_ecdsa_key(a->bytes);

		must(a->bytes.len > 0 && a->bytes.len % AESM_KEY_ID == 0);
		must(!key.p || (key.len == AESM_KEY_ID && key.p >= a->bytes.p &&
				       key.p + key.len <= a->bytes.p + a->bytes.len));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena m = ARENA_INIT(AESM_ANSWER_MEMORY);
	struct aesm_answer a = {.number = 77};
	struct error err = {0};
	enum aesm_step step;
	int r;

	if (size == 0 || size > AESM_ANSWER_MAX)
		return 0;
	step = (enum aesm_step)(data[0] % AESM_STEP_N);
	r = aesm_answer_read(&a, &m, step, (struct span){(const char *)data + 1, size - 1}, &err);
	if (r == 0) {
		must_fit(&a, step);
		return 0;
	}
	must(r == -EBADMSG || r == -EOPNOTSUPP || r == -ENOMEM);
	must(err.code == r && a.number == 77);
	must_be_plain(err.message);
	return 0;
}
