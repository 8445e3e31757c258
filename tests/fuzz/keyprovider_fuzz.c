/* SPDX-License-Identifier: Apache-2.0
 *
 * Requests to the key provider, and the packets of layers: what is read is within its limits, and
 * what is sealed opens. */
#include "common/kbs/keyprovider.h"

#include <stdint.h>
#include <stdlib.h>

#include "common/kbs/packet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void packet(struct span text)
{
	static const char kek[PACKET_KEK];
	const struct span key = {kek, sizeof(kek)};
	_cleanup_packet_ struct packet p = {0}, again = {0};
	_cleanup_secret_ struct secret plain = {0}, same = {0};
	_cleanup_buf_ struct buf sealed = BUF_INIT(PACKET_MAX);

	if (packet_read(&p, text, NULL) < 0)
		return;
	must(p.wrapped.len <= PACKET_WRAPPED_MAX);
	if (packet_open(&plain, &p, key, NULL) < 0 ||
		packet_seal(&sealed, p.kid, key, secret_view(&plain), NULL) < 0)
		return;
	must(packet_read(&again, buf_view(&sealed), NULL) == 0);
	must(packet_open(&same, &again, key, NULL) == 0);
	must(span_equal(secret_view(&same), secret_view(&plain)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_keyprovider_request_ struct keyprovider_request q = {0};
	struct span text = {(const char *)data, size}, json = text;

	packet(text);
	if (keyprovider_unframe(&json, text, NULL) < 0)
		json = text;
	if (keyprovider_read(&q, json, NULL) < 0)
		return 0;
	must(q.op == KEYPROVIDER_UNWRAP ? q.annotation.len > 0 : q.options.len > 0 && *q.recipient);
	packet(buf_view(&q.annotation));
	return 0;
}
