/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/tee/intel_world.h"

#include "common/tee/quote.h"

static const unsigned char intel_qe_vendor[16] = {0x93, 0x9a, 0x72, 0x33, 0xf7, 0x9c, 0x4c, 0xa9,
	0x94, 0x0a, 0x0d, 0xb3, 0x95, 0x7f, 0x06, 0x07};

/* What Intel's quoting enclaves are called today, so that a verifier that hard-coded it is seen by
 * the cases that change it. */
static const unsigned char qe_signer[32] = {0x8c, 0x4f, 0x57, 0x75, 0xd7, 0x96, 0x50, 0x3e, 0x96,
	0x13, 0x7f, 0x77, 0xc6, 0x8a, 0x82, 0x9a, 0x00, 0x56, 0xac, 0x8d, 0xed, 0x70, 0x14, 0x0b,
	0x08, 0x1b, 0x09, 0x44, 0x90, 0xc5, 0x7b, 0xff};
static const unsigned char td_qe_signer[32] = {0xdc, 0x9e, 0x2a, 0x7c, 0x6f, 0x94, 0x8f, 0x17, 0x47,
	0x4e, 0x34, 0xa7, 0xfc, 0x43, 0xed, 0x03, 0x0f, 0x7c, 0x15, 0x63, 0xf1, 0xba, 0xbd, 0xdf,
	0x63, 0x40, 0xc8, 0x2e, 0x0e, 0x54, 0xa8, 0xc5};

void tee_put(unsigned char *p, unsigned bytes, uint64_t value)
{
	for (unsigned i = 0; i < bytes; i++)
		p[i] = (unsigned char)(value >> 8 * i);
}

static struct tee_cert authority(const char *subject, const char *issuer, enum tee_key key)
{
	return (struct tee_cert){
		.subject = subject,
		.issuer = issuer,
		.serial = 0x1000u + key,
		.not_before = TEE_NOW - 2000 * TEE_DAY,
		.not_after = TEE_NOW + 2000 * TEE_DAY,
		.ca = true,
		.usage = "critical,keyCertSign,cRLSign",
		.key = key,
		.signer = TEE_KEY_INTEL_ROOT,
	};
}

static struct tee_crl list(const char *issuer, enum tee_key signer, int64_t days)
{
	return (struct tee_crl){
		.issuer = issuer,
		.this_update = TEE_NOW - TEE_DAY,
		.next_update = TEE_NOW + (days - 1) * TEE_DAY,
		.number = 1,
		.signer = signer,
	};
}

static void set_authorities(struct tee_intel *w)
{
	static const char root[] = "Intel SGX Root CA";

	w->root = authority(root, root, TEE_KEY_INTEL_ROOT);
	w->root.path_len = 1;
	w->ca[PCK_CA_PROCESSOR] =
		authority(pck_ca_name(PCK_CA_PROCESSOR), root, TEE_KEY_PROCESSOR_CA);
	w->ca[PCK_CA_PLATFORM] = authority(pck_ca_name(PCK_CA_PLATFORM), root, TEE_KEY_PLATFORM_CA);
	w->tcb_signer = authority("Intel SGX TCB Signing", root, TEE_KEY_TCB_SIGNING);
	w->tcb_signer.ca = false;
	w->tcb_signer.usage = "critical,digitalSignature,nonRepudiation";
	w->leaf = w->tcb_signer;
	w->leaf.subject = "Intel SGX PCK Certificate";
	w->leaf.serial = 0x7c0ffee;
	w->leaf.key = TEE_KEY_PCK;
	w->root_crl = list(root, TEE_KEY_INTEL_ROOT, 365);
	w->pck_crl[PCK_CA_PROCESSOR] =
		list(pck_ca_name(PCK_CA_PROCESSOR), TEE_KEY_PROCESSOR_CA, 30);
	w->pck_crl[PCK_CA_PLATFORM] = list(pck_ca_name(PCK_CA_PLATFORM), TEE_KEY_PLATFORM_CA, 30);
	/* somebody else's */
	w->root_crl.revoked[w->root_crl.n_revoked++] = 0xbad;
	w->pck_crl[PCK_CA_PROCESSOR].revoked[w->pck_crl[PCK_CA_PROCESSOR].n_revoked++] = 0xbad;
	w->pck_crl[PCK_CA_PLATFORM].revoked[w->pck_crl[PCK_CA_PLATFORM].n_revoked++] = 0xbad;
}

void tee_intel_at(struct tee_intel *w, int64_t now)
{
	w->tcb_info.d.issue_date = w->qe.d.issue_date = now - TEE_DAY;
	w->tcb_info.d.next_update = w->qe.d.next_update = now + 29 * TEE_DAY;
	w->root_crl.this_update = now - TEE_DAY;
	w->root_crl.next_update = now + 364 * TEE_DAY;
	for (size_t i = 0; i < PCK_CA_N; i++) {
		w->pck_crl[i].this_update = now - TEE_DAY;
		w->pck_crl[i].next_update = now + 29 * TEE_DAY;
	}
}

void tee_intel_issued_by(struct tee_intel *w, enum pck_ca ca)
{
	w->pck.ca = ca;
	w->leaf.issuer = pck_ca_name(ca);
	w->leaf.signer = ca == PCK_CA_PROCESSOR ? TEE_KEY_PROCESSOR_CA : TEE_KEY_PLATFORM_CA;
	w->pck.has_platform_instance_id = ca == PCK_CA_PLATFORM;
	w->pck.dynamic_platform = w->pck.cached_keys = w->pck.smt_enabled =
		ca == PCK_CA_PLATFORM ? 1 : -1;
}

static void set_platform(struct tee_intel *w)
{
	static const unsigned char components[16] = {11, 11, 2, 2, 255, 1, 12};

	for (unsigned i = 0; i < 16; i++) {
		w->pck.ppid[i] = (unsigned char)(0xa0 + i);
		w->pck.platform_instance_id[i] = (unsigned char)(0x50 + i);
		/* not the SVNs, so that whoever matches with it is seen */
		w->pck.cpusvn[i] = (unsigned char)(i + 1);
	}
	memcpy(w->pck.components, components, sizeof(components));
	w->pck.pcesvn = 13;
	memcpy(w->pck.fmspc, "\xca\x5e\x00\x00\x00\x01", 6);
	tee_intel_issued_by(w, PCK_CA_PROCESSOR);
}

static struct tee_document document(const char *id, unsigned version)
{
	return (struct tee_document){
		.id = id,
		.version = version,
		.issue_date = TEE_NOW - TEE_DAY,
		.next_update = TEE_NOW + 29 * TEE_DAY,
		.evaluation = 17,
		.signer = TEE_KEY_TCB_SIGNING,
	};
}

static void add_level(struct tee_document *d, const char *status, const char *date)
{
	d->levels[d->n_levels++] = (struct tee_level){.status = status, .date = date};
}

/* The platform's own level, one below, and one that is revoked. */
static void set_tcb_info(struct tee_intel *w, const char *id)
{
	struct tee_tcb_info *t = &w->tcb_info;

	t->d = document(id, 3);
	memcpy(t->fmspc, w->pck.fmspc, sizeof(t->fmspc));
	memcpy(t->pceid, w->pck.pceid, sizeof(t->pceid));
	add_level(&t->d, "UpToDate", "2025-05-14T00:00:00Z");
	add_level(&t->d, "OutOfDate", "2024-03-13T00:00:00Z");
	add_level(&t->d, "Revoked", "2018-01-04T00:00:00Z");
	for (unsigned i = 0; i < 16; i++) {
		t->d.levels[0].svn[i] = w->pck.components[i];
		t->d.levels[1].svn[i] = w->pck.components[i] / 2;
	}
	t->d.levels[0].pcesvn = 13;
	t->d.levels[1].pcesvn = 11;
	t->d.levels[1].advisories[0] = "INTEL-SA-00828";
	t->d.levels[2].advisories[0] = "INTEL-SA-00088";
}

static void set_qe_identity(
	struct tee_intel *w, const char *id, const unsigned char mrsigner[32], unsigned isvprodid)
{
	struct tee_qe_identity *q = &w->qe;

	q->d = document(id, 2);
	memset(q->miscselect_mask, 0xff, sizeof(q->miscselect_mask));
	q->attributes[0] = 0x11;
	memset(q->attributes_mask, 0xff, 8);
	q->attributes_mask[0] = 0xfb;
	memcpy(q->mrsigner, mrsigner, 32);
	q->isvprodid = isvprodid;
	add_level(&q->d, "UpToDate", "2024-03-13T00:00:00Z");
	add_level(&q->d, "OutOfDate", "2021-11-10T00:00:00Z");
	add_level(&q->d, "Revoked", "2018-08-15T00:00:00Z");
	q->d.levels[0].isvsvn = 8;
	q->d.levels[1].isvsvn = 6;
	q->d.levels[2].isvsvn = 1;
	q->d.levels[1].advisories[0] = "INTEL-SA-00615";
	q->d.levels[2].advisories[0] = "INTEL-SA-00202";
}

/* The quoting enclave that the identity describes. */
static void set_qe_report(struct tee_intel *w)
{
	unsigned char *qe = w->quote.qe;

	memcpy(qe, w->pck.cpusvn, 16);
	qe[48] = 0x15; /* INIT, MODE64BIT, PROVISIONKEY */
	qe[56] = 0xe7;
	memset(qe + 64, 0x61, 32);
	memcpy(qe + 128, w->qe.mrsigner, 32);
	tee_put(qe + 256, 2, w->qe.isvprodid);
	tee_put(qe + 258, 2, 8);
}

static void set_sgx_body(struct tee_quote *q)
{
	unsigned char *body = q->body;

	q->body_len = SGX_REPORT_BODY;
	memset(body, 0x0b, 16);
	body[48] = 0x05; /* INIT, MODE64BIT */
	body[56] = 0xe7;
	memset(body + 64, 0x11, 32);
	memset(body + 128, 0x22, 32);
	tee_put(body + 256, 2, 1);
	tee_put(body + 258, 2, 2);
	memset(body + 320, 0x33, 64);
}

static void set_quote(struct tee_intel *w, unsigned version)
{
	struct tee_quote *q = &w->quote;

	q->version = version;
	q->key_type = 2;
	memcpy(q->vendor, intel_qe_vendor, sizeof(q->vendor));
	memset(q->user_data, 0x77, 16);
	for (unsigned i = 0; i < 32; i++)
		q->auth[i] = (unsigned char)i;
	q->auth_len = 32;
	q->cert_type = 5;
	q->chain[0] = TEE_LEAF;
	q->chain[1] = TEE_CA;
	q->chain[2] = TEE_ROOT;
	q->n_chain = 3;
	set_qe_report(w);
}

void tee_intel_sgx(struct tee_intel *w)
{
	*w = (struct tee_intel){0};
	set_authorities(w);
	set_platform(w);
	set_tcb_info(w, "SGX");
	set_qe_identity(w, "QE", qe_signer, 1);
	set_quote(w, 3);
	set_sgx_body(&w->quote);
}

void tee_intel_sgx_version(struct tee_intel *w, unsigned version)
{
	tee_intel_sgx(w);
	w->quote.version = version;
	w->quote.body_type = 1;
	w->quote.body_size = SGX_REPORT_BODY;
}

static void set_td_body(struct tee_quote *q, bool td15)
{
	unsigned char *body = q->body;

	q->body_len = td15 ? TD15_REPORT_BODY : TD10_REPORT_BODY;
	q->body_size = (unsigned)q->body_len;
	q->body_type = td15 ? 3 : 2;
	q->tee_type = 0x81;
	body[0] = 5; /* SVN and version of the module */
	body[1] = 1;
	body[2] = 4;
	memset(body + 16, 0x41, 48); /* MRSEAM */
	tee_put(body + 120, 8, TD_ATTRIBUTE_SEPT_VE_DISABLE);
	tee_put(body + 128, 8, 0xe7);
	memset(body + 136, 0x44, 48); /* MRTD */
	for (unsigned i = 0; i < 4; i++)
		memset(body + 328 + 48 * i, (int)(0x50 + i), 48);
	memset(body + 520, 0x33, 64);
	if (td15)
		memcpy(body + 584, body, 16);
}

static void add_module(struct tee_intel *w, const char *id)
{
	struct tee_module *m = &w->tcb_info.modules[w->tcb_info.n_modules++];

	m->id = id;
	memset(m->mask, 0xff, sizeof(m->mask));
	if (!id)
		return;
	m->levels[0] = (struct tee_level){
		.isvsvn = 5, .status = "UpToDate", .date = "2025-05-14T00:00:00Z"};
	m->levels[1] = (struct tee_level){
		.isvsvn = 2,
		.status = "OutOfDate",
		.date = "2023-08-09T00:00:00Z",
		.advisories = {"INTEL-SA-01036"},
	};
	m->n_levels = 2;
}

void tee_intel_tdx(struct tee_intel *w, unsigned version, bool td15)
{
	*w = (struct tee_intel){0};
	set_authorities(w);
	set_platform(w);
	tee_intel_issued_by(w, PCK_CA_PLATFORM);
	set_tcb_info(w, "TDX");
	w->tcb_info.d.levels[0].tdx[0] = 5;
	w->tcb_info.d.levels[0].tdx[2] = 4;
	w->tcb_info.d.levels[1].tdx[0] = 2;
	w->tcb_info.d.levels[1].tdx[2] = 2;
	add_module(w, NULL);
	add_module(w, "TDX_03");
	add_module(w, "TDX_01");
	set_qe_identity(w, "TD_QE", td_qe_signer, 2);
	set_quote(w, version);
	set_td_body(&w->quote, td15);
}
