/* SPDX-License-Identifier: Apache-2.0
 *
 * A certificate of RA-TLS, or (after the byte 0) the CBOR in it: what is read points into what came
 * and is about the certificate's key. Signatures are right, so that what lies behind them is met.
 */
#include "webhook/provision/ra_tls.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>

#include "common/tee/cert.h"
#include "webhook/provision/dice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int __wrap_EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sig, size_t siglen,
	const unsigned char *data, size_t len);

int __wrap_EVP_DigestVerify(EVP_MD_CTX *ctx, const unsigned char *sig, size_t siglen,
	const unsigned char *data, size_t len)
{
	return ctx && sig && siglen && data && len;
}

static void must(bool ok)
{
	if (!ok)
		abort();
}

static bool inside(struct span part, struct span whole)
{
	return part.p >= whole.p && part.len <= whole.len &&
	       (size_t)(part.p - whole.p) <= whole.len - part.len;
}

static void check_dice(struct span cbor)
{
	struct error err = {0};
	struct dice d;
	int r = dice_read(&d, cbor, &err);

	must(r == 0 || (r == -EBADMSG && err.message[0]));
	if (r == 0)
		must(inside(d.evidence, cbor) && inside(d.claims, cbor) &&
			inside(d.hash, d.claims));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {(const char *)data, size};
	enum reason reason = REASON_Ok;
	struct error err = {0};
	struct ra_tls c;
	int r;

	if (size && data[0] == 0) {
		check_dice((struct span){text.p + 1, size - 1});
		return 0;
	}
	r = ra_tls_read(&c, text, 1800000000, &reason, &err);
	must(r == 0 || r == -EBADMSG || r == -EACCES);
	if (r < 0) {
		must(reason != REASON_Ok && err.message[0]);
		return 0;
	}
	must(c.cert && c.quote.p);
	for (size_t i = 32; i < RA_TLS_REPORT_DATA; i++)
		must(c.report_data[i] == 0);
	ra_tls_free(&c);
	return 0;
}
