/* SPDX-License-Identifier: Apache-2.0
 *
 * Whatever is read as a certificate is exactly the bytes that came, keeps within its bounds, and
 * was issued by one root at most. */
#include "common/tee/cert.h"

#include <errno.h>
#include <stdlib.h>

#include "common/tee/pck.h"
#include "common/tee/roots.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static struct roots *roots(void)
{
	static struct roots r;

	if (!r.intel)
		must(roots_builtin(&r, NULL) == 0);
	return &r;
}

static void check(struct cert *c)
{
	struct cert *again = NULL;
	struct error err = {0};
	struct pck pck;

	must(c->refs == 1 && c->serial_len <= CERT_SERIAL_MAX);
	must(c->serial_len == 0 || c->serial[0] != 0);
	must(strlen(c->subject) < CERT_NAME_MAX && strlen(c->issuer) < CERT_NAME_MAX);
	must(!c->signs_certs || c->ca);
	must(cert_parse_der(&again, cert_der(c), &err) == 0 && cert_same(c, again));
	must(cert_same_owner(c, again));
	cert_unref(again);
	if (pck_read(&pck, c, &err) == 0)
		must(!c->ca && pck.sgx_type <= 2);
	must(cert_check_issued(c, roots()->intel, NULL) < 0 ||
		cert_check_issued(c, roots()->ark[SNP_MILAN], NULL) < 0);
	cert_key(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = {(const char *)data, size};
	struct cert *c[3] = {0};
	struct error err = {0};
	int n = cert_parse_der(c, text, &err);

	must(n == 0 || n == -EBADMSG || n == -E2BIG);
	must(n == 0 ? c[0] != NULL : !c[0] && err.code == n && err.message[0]);
	if (n == 0) {
		must(span_equal(cert_der(c[0]), text));
		check(c[0]);
		cert_unref(c[0]);
		c[0] = NULL;
	}
	n = cert_parse_pem(c, 3, text, &err);
	must((n > 0 && n <= 3) || n == -EBADMSG || n == -E2BIG);
	for (int i = 0; i < n; i++) {
		check(c[i]);
		cert_unref(c[i]);
	}
	return 0;
}
