/* SPDX-License-Identifier: Apache-2.0
 *
 * Wrapped key-encryption keys, as they are stored. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "webhook/broker/kek_lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_buf_ struct buf out = BUF_INIT(2 * KEK_LINES_BYTES_MAX);
	struct span text = {(const char *)data, size};
	struct kek_lines lines = {0};

	if (kek_lines_read(&lines, text, NULL) < 0)
		return 0;
	/* There is one way to write what can be read. */
	if (kek_lines_write(&out, &lines) < 0 || !span_equal(buf_view(&out), text))
		abort();
	return 0;
}
