/* SPDX-License-Identifier: Apache-2.0
 *
 * Whatever is read as a revocation list holds until a time, is sorted, and finds what is on it. */
#include "common/tee/crl.h"

#include <errno.h>
#include <stdlib.h>

#include "common/tee/roots.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check(const struct crl *c)
{
	static struct roots roots;
	struct cert probe = {0};

	if (!roots.intel)
		must(roots_builtin(&roots, NULL) == 0);
	must(c->refs == 1 && strlen(c->issuer) < CERT_NAME_MAX && c->number >= -1);
	for (size_t i = 0; i < c->n_revoked; i++) {
		const struct crl_serial *s = &c->revoked[i];

		must(s->len <= CERT_SERIAL_MAX && (s->len == 0 || s->bytes[0] != 0));
		probe.serial_len = s->len;
		memcpy(probe.serial, s->bytes, s->len);
		must(crl_revokes(c, &probe));
	}
	probe.serial_len = CERT_SERIAL_MAX;
	memset(probe.serial, 0x5a, CERT_SERIAL_MAX);
	crl_revokes(c, &probe);
	crl_check_issued(c, roots.intel, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct crl *c = NULL;
	struct error err = {0};
	int r = crl_parse(&c, (struct span){(const char *)data, size}, &err);

	must(r == 0 || r == -EBADMSG || r == -E2BIG);
	must(r == 0 ? c != NULL : !c && err.code == r && err.message[0]);
	if (c)
		check(c);
	crl_unref(c);
	return 0;
}
