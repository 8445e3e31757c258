/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/roots.h"

#include <stdio.h>

#include "common/tee/pem.h"
#include "common/tee/roots_data.h"

#define INTEL_ROOT_NAME "Intel SGX Root CA"

const char *snp_product_name(enum snp_product p)
{
	static const char *const names[] = {"Milan", "Genoa", "Turin"};

	return names[p];
}

static bool is_ark_of(const struct cert *c, enum snp_product product)
{
	char name[CERT_NAME_MAX];

	snprintf(name, sizeof(name), "ARK-%s", snp_product_name(product));
	return strcmp(c->subject, name) == 0;
}

static bool is_ark(const struct cert *c)
{
	for (enum snp_product p = 0; p < SNP_PRODUCT_N; p++)
		if (is_ark_of(c, p))
			return true;
	return false;
}

int roots_builtin(struct roots *ret, struct error *err)
{
	struct roots roots = {0};
	int r = cert_parse_der(&roots.intel, roots_data_intel, err);

	for (enum snp_product p = 0; r == 0 && p < SNP_PRODUCT_N; p++)
		r = cert_parse_der(&roots.ark[p], roots_data_ark[p], err);
	if (r < 0) {
		roots_free(&roots);
		return r;
	}
	*ret = roots;
	return 0;
}

static int parse(struct cert **ret, struct span pem_or_der, struct error *err)
{
	if (!pem_is(pem_or_der))
		return cert_parse_der(ret, pem_or_der, err);
	return cert_parse_pem(ret, 1, pem_or_der, err);
}

int roots_add(struct roots *r, struct span pem_or_der, struct error *err)
{
	_cleanup_(cert_unref_p) struct cert *c = NULL;
	int e = parse(&c, pem_or_der, err);

	if (e < 0)
		return error_prefix(err, e, "a trusted root");
	if (!c->signs_certs)
		return error_set(err, -EBADMSG,
			"a trusted root: certificate \"%s\" may not sign certificates; give the "
			"root of the chain",
			c->subject);
	if (strcmp(c->subject, SIMULATED_ROOT_NAME) == 0) {
		cert_unref(r->simulated);
		r->simulated = TAKE_PTR(c);
		return 0;
	}
	if (strcmp(c->subject, INTEL_ROOT_NAME) != 0 && !is_ark(c))
		return error_set(err, -EBADMSG,
			"a trusted root is named \"%s\", which is none of \"" INTEL_ROOT_NAME
			"\", \"ARK-Milan\", \"ARK-Genoa\", \"ARK-Turin\", \"" SIMULATED_ROOT_NAME
			"\"",
			c->subject);
	if (r->n_extra == ROOTS_EXTRA_MAX)
		return error_set(
			err, -E2BIG, "there are more than %d trusted roots", ROOTS_EXTRA_MAX);
	r->extra[r->n_extra++] = TAKE_PTR(c);
	return 0;
}

void roots_free(struct roots *r)
{
	cert_unref(r->intel);
	for (enum snp_product p = 0; p < SNP_PRODUCT_N; p++)
		cert_unref(r->ark[p]);
	for (size_t i = 0; i < r->n_extra; i++)
		cert_unref(r->extra[i]);
	cert_unref(r->simulated);
	*r = (struct roots){0};
}

struct cert *roots_find_intel(const struct roots *r, const struct cert *c)
{
	if (r->intel && cert_same_owner(r->intel, c))
		return r->intel;
	for (size_t i = 0; i < r->n_extra; i++)
		if (strcmp(r->extra[i]->subject, INTEL_ROOT_NAME) == 0 &&
			cert_same_owner(r->extra[i], c))
			return r->extra[i];
	return NULL;
}

struct cert *roots_ark(const struct roots *r, enum snp_product product, size_t n)
{
	if (r->ark[product] && n-- == 0)
		return r->ark[product];
	for (size_t i = 0; i < r->n_extra; i++)
		if (is_ark_of(r->extra[i], product) && n-- == 0)
			return r->extra[i];
	return NULL;
}
