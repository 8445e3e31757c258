/* SPDX-License-Identifier: Apache-2.0
 *
 * open_key: the client's end of releases, for tests. Prints the public half of a fresh key as a
 * JWK, then opens each line of standard input, a JWE, and prints what it holds in base64; "?" and
 * why when it cannot be opened. */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/cleanup.h"
#include "common/kbs/jwe.h"

static void say(const struct buf *line)
{
	puts(line->p);
	fflush(stdout);
}

static void open_line(EVP_PKEY *key, struct span jwe)
{
	_cleanup_buf_ struct buf line = BUF_INIT(2 * JWE_MAX);
	_cleanup_secret_ struct secret plain = {0};
	struct error err = {0};

	if (jwe_open(&plain, jwe, key, &err) < 0)
		buf_printf(&line, "? %s", err.message);
	else
		buf_base64(&line, plain.p, plain.len);
	if (!line.err)
		say(&line);
}

int main(void)
{
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = jwk_generate(JWK_EC_P256);
	_cleanup_buf_ struct buf jwk = BUF_INIT(4096);
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	ssize_t n;

	if (!key || jwk_write(&jwk, key, JWK_ALG_ECDH) < 0 || jwk.err)
		return 1;
	say(&jwk);
	while ((n = getline(&line, &size, stdin)) > 0)
		open_line(key, (struct span){line, (size_t)n});
	return 0;
}
