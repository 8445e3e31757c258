/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/proven.h"

#include <errno.h>

enum { PCR_LEN = 32 }; /* SHA-256 */

static void add(struct proven *p, const char *name, const unsigned char *value, size_t len)
{
	struct measurement *m = &p->registers[p->n_registers++];

	m->name = name;
	m->len = len;
	memcpy(m->value, value, len);
}

static void from_sgx(struct proven *p, const struct sgx_report *r)
{
	add(p, "mrenclave", r->mrenclave, 32);
	add(p, "mrsigner", r->mrsigner, 32);
	p->isv_prod_id = r->isvprodid;
	p->isv_svn = r->isvsvn;
	p->debug = r->flags & SGX_FLAG_DEBUG;
}

static void from_tdx(struct proven *p, const struct td_report *r)
{
	static const char *const rtmrs[] = {"rtmr0", "rtmr1", "rtmr2", "rtmr3"};

	add(p, "mrtd", r->mrtd, 48);
	add(p, "mrseam", r->mrseam, 48);
	add(p, "mrconfigid", r->mrconfigid, 48);
	add(p, "mrowner", r->mrowner, 48);
	add(p, "mrownerconfig", r->mrownerconfig, 48);
	for (size_t i = 0; i < 4; i++)
		add(p, rtmrs[i], r->rtmr[i], 48);
	p->debug = r->td_attributes & TD_ATTRIBUTE_DEBUG;
}

static void from_snp(struct proven *p, const struct snp_report *r)
{
	add(p, "measurement", r->measurement, 48);
	add(p, "hostData", r->host_data, 32);
	add(p, "idKeyDigest", r->id_key_digest, 48);
	add(p, "authorKeyDigest", r->author_key_digest, 48);
	p->guest_svn = r->guest_svn > INT32_MAX ? INT32_MAX : (int32_t)r->guest_svn;
	p->debug = r->policy & SNP_POLICY_DEBUG;
}

static void from_simulated(struct proven *p, const struct simulated *s)
{
	for (size_t i = 0; i < s->n_measurements; i++)
		add(p, s->measurements[i].name, s->measurements[i].value, s->measurements[i].len);
	p->debug = s->debug;
}

static int add_advisories(struct proven *p, const struct verdict *v)
{
	for (size_t i = 0; i < v->n_advisories; i++) {
		struct span s = v->advisories[i];

		if (s.len >= PROVEN_ADVISORY_MAX)
			return -E2BIG;
		memcpy(p->advisories[p->n_advisories++], s.p, s.len);
	}
	return 0;
}

int proven_from(struct proven *ret, const struct evidence *e, const struct verdict *v)
{
	struct proven p = {
		.tee = e->tee, .isv_prod_id = -1, .isv_svn = -1, .guest_svn = -1, .tcb = v->tcb};
	int r;

	if (!verdict_accepted(v) ||
		(v->reason == REASON_Simulated) != (e->tee == TEE_TYPE_SIMULATED))
		return -EACCES;
	if (e->tee == TEE_TYPE_SGX)
		from_sgx(&p, &e->quote.sgx);
	else if (e->tee == TEE_TYPE_TDX)
		from_tdx(&p, &e->quote.td);
	else if (e->tee == TEE_TYPE_SNP)
		from_snp(&p, &e->snp);
	else
		from_simulated(&p, &e->simulated);
	r = add_advisories(&p, v);
	if (r < 0)
		return r;
	if (e->has_vtpm) /* where a paravisor's guest has its init-data */
		add(&p, PROVEN_PCR8, e->pcrs + (size_t)PROVEN_INIT_DATA_PCR * PCR_LEN, PCR_LEN);
	memcpy(p.platform_id, v->platform_id, v->platform_id_len);
	p.platform_id_len = v->platform_id_len;
	*ret = p;
	return 0;
}

const struct measurement *proven_register(const struct proven *p, const char *name)
{
	for (size_t i = 0; i < p->n_registers; i++)
		if (strcmp(p->registers[i].name, name) == 0)
			return &p->registers[i];
	return NULL;
}
