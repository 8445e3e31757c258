/* SPDX-License-Identifier: Apache-2.0
 *
 * What clients of the key broker send, and what its answers look like to agents: messages, JWE,
 * JWS, canonical JSON (which must be a fixed point), names of keys, init-data; and what stands in
 * pods of confidential VMs: packed init-data, sealed secrets. */
#include <stdint.h>
#include <stdlib.h>

#include "common/base/codec.h"
#include "common/base/gzip.h"
#include "common/kbs/init_data.h"
#include "common/kbs/jcs.h"
#include "common/kbs/jwe.h"
#include "common/kbs/jws.h"
#include "common/kbs/key_id.h"
#include "common/kbs/rcar.h"
#include "common/kbs/sealed.h"
#include "common/kbs/versions.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void canonical(struct span in)
{
	static const struct json_limits limits = {1 << 20, 10000, 60};
	_cleanup_buf_ struct buf once = BUF_INIT(1 << 22), twice = BUF_INIT(1 << 22);
	_cleanup_json_ struct json a = {0}, b = {0};

	if (json_parse(&a, in, &limits, NULL) < 0 || jcs_write(&once, json_root(&a)) < 0)
		return;
	if (json_parse(&b, buf_view(&once), &limits, NULL) < 0 ||
		jcs_write(&twice, json_root(&b)) < 0 ||
		!span_equal(buf_view(&once), buf_view(&twice)))
		abort();
}

static void versions(struct span in)
{
	static struct key_id ids[VERSIONS_MAX], again[VERSIONS_MAX];
	_cleanup_buf_ struct buf out = BUF_INIT(VERSIONS_REQUEST_MAX);
	unsigned numbers[4];
	int n = versions_ask_read(ids, in, NULL);

	versions_answer_read(numbers, 4, in, NULL);
	if (n < 0)
		return;
	if (versions_ask_write(&out, ids, (size_t)n) < 0 ||
		versions_ask_read(again, buf_view(&out), NULL) != n)
		abort();
}

static void messages(struct span in)
{
	_cleanup_buf_ struct buf out = BUF_INIT(1 << 20);
	char tee[RCAR_TEE_MAX], nonce[RCAR_NONCE_TEXT];
	unsigned char report_data[RCAR_REPORT_DATA];
	struct rcar_attest a;
	struct rcar_error e;
	struct jwk k = {0};

	rcar_auth_read(tee, in, NULL);
	rcar_challenge_read(nonce, in, NULL);
	rcar_error_read(&e, in, NULL);
	if (rcar_attest_read(&a, in, NULL) == 0) {
		rcar_additional_write(&out, &a.who);
		rcar_report_data(report_data, a.nonce, a.tee_pubkey, a.additional);
		if (jwk_read(&k, a.tee_pubkey, NULL) == 0)
			jwk_free(&k);
	}
	rcar_attest_free(&a);
}

/* What is unpacked stays below its bound; what is packed comes back. */
static void init_data(struct span in)
{
	_cleanup_buf_ struct buf text = BUF_INIT(1 << 16), packed = BUF_INIT(1 << 22);
	_cleanup_buf_ struct buf back = BUF_INIT(1 << 20);
	unsigned char digest[INIT_DATA_DIGEST_MAX];

	init_data_digest(digest, in, NULL);
	init_data_unpack(&text, in);
	gzip_read(&text, in);
	if (in.len > 1 << 16)
		return;
	if (text.len > text.max || init_data_pack(&packed, in) < 0 ||
		init_data_unpack(&back, buf_view(&packed)) < 0 || !span_equal(buf_view(&back), in))
		abort();
}

/* With the prefix in front, and without. */
static void sealed(struct span in)
{
	_cleanup_buf_ struct buf text = BUF_INIT(SEALED_MAX), again = BUF_INIT(SEALED_MAX);
	struct key_id id;
	struct sealed s;

	if (sealed_read(&s, in, NULL) == 0 && !sealed_is(in))
		abort();
	if (buf_puts(&text, "sealed.a.") == 0 && codec_base64url(&text, in.p, in.len) == 0 &&
		buf_puts(&text, ".b") == 0)
		sealed_read(&s, buf_view(&text), NULL);
	if (key_id_parse(&id, in, "own", NULL) < 0)
		return;
	if (sealed_write(&again, &id) < 0 || sealed_read(&s, buf_view(&again), NULL) < 0 ||
		!s.vault || key_id_parse(&id, span_str(s.name), NULL, NULL) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static EVP_PKEY *key;
	const struct span in = {(const char *)data, size};
	_cleanup_buf_ struct buf payload = BUF_INIT(JWS_MAX);
	struct secret plain = {0};
	struct key_id id;

	if (!key)
		key = jwk_generate(JWK_EC_P256);
	canonical(in);
	messages(in);
	versions(in);
	if (jwe_open(&plain, in, key, NULL) == 0)
		abort();
	if (jws_verify_es256(in, key, &payload, NULL) == 0)
		abort();
	key_id_parse(&id, in, "own", NULL);
	init_data(in);
	sealed(in);
	return 0;
}
