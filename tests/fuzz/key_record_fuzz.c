/* SPDX-License-Identifier: Apache-2.0
 *
 * Stored records of keys, behind their seal. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "webhook/broker/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_record_ struct key_record rec = {0};
	_cleanup_keks_ struct kek_ring keks = {0};
	_cleanup_buf_ struct buf text = BUF_INIT(4 * KEY_RECORD_BYTES_MAX);
	struct span body = {(const char *)data, size};

	if (kek_ring_parse(&keks, body, NULL) == 0 && keks.n == 0)
		abort();
	if (key_record_read_body(&rec, body, NULL) < 0)
		return 0;
	if (rec.n > KEY_RECORD_KEYS_MAX)
		abort();
	if (keks.n == 0 &&
		kek_ring_parse(&keks, SPAN_LIT("0123456789abcdef0123456789abcdef"), NULL) < 0)
		abort();
	/* What can be read can be written and read again. */
	memcpy(rec.kek, keks.v[0].id, sizeof(rec.kek));
	if (key_record_write(&text, &rec, &keks, NULL) == 0) {
		_cleanup_record_ struct key_record again = {0};

		if (key_record_read(&again, buf_view(&text), &keks, NULL) < 0 || again.n != rec.n)
			abort();
	}
	return 0;
}
