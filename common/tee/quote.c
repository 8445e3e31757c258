/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/quote.h"

#include "common/tee/le.h"

enum {
	KEY_ECDSA_P256 = 2,
	TEE_TYPE_TDX = 0x81,
	CERT_TYPE_QE_REPORT = 6, /* wraps the quoting enclave's report from version 4 on */
	CERT_TYPE_PCK_CHAIN = 5,
	SIGNATURE = 64,
	/* Body descriptor of version 5: type and size. */
	BODY_DESCRIPTOR = 6,
	BODY_SGX = 1,
	BODY_TD10 = 2,
	BODY_TD15 = 3,
};

/* What is left of bytes; every length is compared with it before use. */
struct cursor {
	const unsigned char *start, *p;
	size_t left;
	enum reason *ret_reason;
	struct error *err;
};

static int refuse(const struct cursor *c, enum reason reason)
{
	*c->ret_reason = reason;
	return -EBADMSG;
}

#define malformed(c, fmt, ...)                                                                     \
	(error_set((c)->err, -EBADMSG, "quote, byte %zu: " fmt, (size_t)((c)->p - (c)->start),     \
		 ##__VA_ARGS__),                                                                   \
		refuse((c), REASON_Malformed))
#define unsupported(c, fmt, ...)                                                                   \
	(error_set((c)->err, -EBADMSG, "quote, byte %zu: " fmt, (size_t)((c)->p - (c)->start),     \
		 ##__VA_ARGS__),                                                                   \
		refuse((c), REASON_UnsupportedVersion))

static struct span bytes_at(const unsigned char *p, size_t n)
{
	return (struct span){(const char *)p, n};
}

/* The next n bytes, named for the message. */
static int take(struct cursor *c, size_t n, const char *what, const unsigned char **ret)
{
	if (n > c->left)
		return malformed(c,
			"%s needs %zu bytes, %zu are left: it was cut, or lies about its "
			"lengths",
			what, n, c->left);
	*ret = c->p;
	c->p += n;
	c->left -= n;
	return 0;
}

void sgx_report_parse(struct sgx_report *ret, const unsigned char body[SGX_REPORT_BODY])
{
	*ret = (struct sgx_report){
		.cpusvn = body,
		.miscselect = le32(body + 16),
		.isvextprodid = body + 32,
		.attributes = body + 48,
		.flags = le64(body + 48),
		.xfrm = le64(body + 56),
		.mrenclave = body + 64,
		.mrsigner = body + 128,
		.configid = body + 192,
		.isvprodid = le16(body + 256),
		.isvsvn = le16(body + 258),
		.configsvn = le16(body + 260),
		.isvfamilyid = body + 304,
		.report_data = body + 320,
		.reserved = {bytes_at(body + 20, 12), bytes_at(body + 96, 32),
			bytes_at(body + 160, 32), bytes_at(body + 262, 42)},
	};
}

static void td_report_parse(struct td_report *ret, const unsigned char *body, size_t len)
{
	*ret = (struct td_report){
		.tee_tcb_svn = body,
		.mrseam = body + 16,
		.mrsignerseam = body + 64,
		.seam_attributes = le64(body + 112),
		.td_attributes = le64(body + 120),
		.xfam = le64(body + 128),
		.mrtd = body + 136,
		.mrconfigid = body + 184,
		.mrowner = body + 232,
		.mrownerconfig = body + 280,
		.rtmr = {body + 328, body + 376, body + 424, body + 472},
		.report_data = body + 520,
		.tee_tcb_svn2 = len == TD15_REPORT_BODY ? body + 584 : NULL,
		.mrservicetd = len == TD15_REPORT_BODY ? body + 600 : NULL,
	};
}

static int parse_header(struct cursor *c, struct quote *q)
{
	const unsigned char *h = c->p;
	uint32_t tee;

	if (c->left < QUOTE_HEADER)
		return malformed(c, "%zu bytes are no quote: its header alone has %d", c->left,
			QUOTE_HEADER);
	q->version = le16(h);
	if (q->version < 3 || q->version > 5)
		return unsupported(c, "version %u is not 3, 4 or 5", q->version);
	if (le16(h + 2) != KEY_ECDSA_P256)
		return unsupported(
			c, "attestation key type %u is not 2 (ECDSA with P-256)", le16(h + 2));
	tee = le32(h + 4);
	if (q->version == 3 && tee != 0)
		return malformed(c, "bytes 4 to 7 of a version 3 header must be 0");
	if (tee != 0 && tee != TEE_TYPE_TDX)
		return unsupported(c, "TEE type 0x%x is neither SGX (0) nor TDX (0x81)", tee);
	q->tdx = tee == TEE_TYPE_TDX;
	q->qe_svn = le16(h + 8);
	q->pce_svn = le16(h + 10);
	q->qe_vendor = h + 12;
	q->user_data = h + 28;
	return take(c, QUOTE_HEADER, "the header", &h);
}

/* Before version 5 the TEE says how long the body is, from then on a descriptor as well. */
static int parse_body_length(struct cursor *c, const struct quote *q, size_t *ret)
{
	static const size_t sizes[] = {
		[BODY_SGX] = SGX_REPORT_BODY,
		[BODY_TD10] = TD10_REPORT_BODY,
		[BODY_TD15] = TD15_REPORT_BODY,
	};
	const unsigned char *p;
	unsigned type;
	int r;

	*ret = q->tdx ? TD10_REPORT_BODY : SGX_REPORT_BODY;
	if (q->version < 5)
		return 0;
	r = take(c, BODY_DESCRIPTOR, "the body's descriptor", &p);
	if (r < 0)
		return r;
	type = le16(p);
	if (type != BODY_SGX && type != BODY_TD10 && type != BODY_TD15)
		return unsupported(c, "body type %u is not 1, 2 or 3", type);
	if ((type != BODY_SGX) != q->tdx)
		return malformed(c, "body type %u does not fit the TEE type of the header", type);
	if (le32(p + 2) != sizes[type])
		return malformed(c, "a body of type %u has %zu bytes, not %u", type, sizes[type],
			le32(p + 2));
	*ret = sizes[type];
	return 0;
}

static int parse_body(struct cursor *c, struct quote *q)
{
	const unsigned char *body;
	size_t len;
	int r = parse_body_length(c, q, &len);

	if (r == 0)
		r = take(c, len, "the body", &body);
	if (r < 0)
		return r;
	q->body = bytes_at(body, len);
	q->signed_part = bytes_at(c->start, (size_t)(c->p - c->start));
	if (q->tdx)
		td_report_parse(&q->td, body, len);
	else
		sgx_report_parse(&q->sgx, body);
	return 0;
}

/* A length of 4 bytes that must cover all that is left. */
static int take_rest(struct cursor *c, const char *what)
{
	const unsigned char *p;
	int r = take(c, 4, "a length", &p);

	if (r < 0)
		return r;
	if (le32(p) != c->left)
		return malformed(c, "%s has %u bytes, but %zu are left", what, le32(p), c->left);
	return 0;
}

static int take_type(struct cursor *c, unsigned *ret)
{
	const unsigned char *p;
	int r = take(c, 2, "the certification data's type", &p);

	if (r == 0)
		*ret = le16(p);
	return r;
}

/* What vouches for the attestation key. */
static int parse_qe(struct cursor *c, struct quote *q)
{
	const unsigned char *report, *p, *auth;
	int r = take(c, SGX_REPORT_BODY, "the quoting enclave's report", &report);

	if (r == 0)
		r = take(c, SIGNATURE, "its signature", &q->qe_signature);
	if (r == 0)
		r = take(c, 2, "a length", &p);
	if (r < 0)
		return r;
	if (le16(p) > QE_AUTH_MAX)
		return malformed(c, "%u bytes of authentication data are more than %d", le16(p),
			QE_AUTH_MAX);
	r = take(c, le16(p), "the authentication data", &auth);
	if (r < 0)
		return r;
	q->qe_report = bytes_at(report, SGX_REPORT_BODY);
	sgx_report_parse(&q->qe, report);
	q->qe_auth = bytes_at(auth, le16(p));
	return 0;
}

static int parse_certification(struct cursor *c, struct quote *q)
{
	int r = take_type(c, &q->cert_type);

	if (r < 0)
		return r;
	if (q->cert_type < 1 || q->cert_type > CERT_TYPE_PCK_CHAIN)
		return unsupported(
			c, "certification data of type %u is not of type 1 to 5", q->cert_type);
	r = take_rest(c, "the certification data");
	if (r < 0)
		return r;
	q->cert_data = bytes_at(c->p, c->left);
	return 0;
}

static int parse_signature(struct cursor *c, struct quote *q)
{
	unsigned outer;
	int r = take(c, SIGNATURE, "the signature", &q->signature);

	if (r == 0)
		r = take(c, SIGNATURE, "the attestation key", &q->attestation_key);
	if (r == 0 && q->version > 3) {
		r = take_type(c, &outer);
		if (r == 0 && outer != CERT_TYPE_QE_REPORT)
			return unsupported(c,
				"certification data of type %u is not of type 6, as "
				"this version has",
				outer);
		if (r == 0)
			r = take_rest(c, "the certification data");
	}
	if (r == 0)
		r = parse_qe(c, q);
	return r < 0 ? r : parse_certification(c, q);
}

/* Drops the zeros that kernels and agents leave behind the signature. */
static int cut_signature(struct cursor *c)
{
	const unsigned char *p;
	size_t len;
	int r = take(c, 4, "the signature's length", &p);

	if (r < 0)
		return r;
	len = le32(p);
	if (len > c->left)
		return malformed(c,
			"the signature has %zu bytes, but %zu are left: it was cut, or "
			"lies about its length",
			len, c->left);
	for (size_t i = len; i < c->left; i++)
		if (c->p[i] != 0)
			return malformed(
				c, "%zu bytes behind the signature are not all 0", c->left - len);
	c->left = len;
	return 0;
}

int quote_parse(struct quote *ret, struct span bytes, enum reason *ret_reason, struct error *err)
{
	struct cursor c = {
		.start = (const unsigned char *)bytes.p,
		.p = (const unsigned char *)bytes.p,
		.left = bytes.len,
		.ret_reason = ret_reason,
		.err = err,
	};
	struct quote q = {0};
	int r;

	if (bytes.len > QUOTE_MAX)
		return malformed(&c, "%zu bytes are more than a quote of %d", bytes.len, QUOTE_MAX);
	r = parse_header(&c, &q);
	if (r == 0)
		r = parse_body(&c, &q);
	if (r == 0)
		r = cut_signature(&c);
	if (r == 0)
		r = parse_signature(&c, &q);
	if (r < 0)
		return r;
	q.bytes = bytes_at(c.start, (size_t)(c.p - c.start) + c.left);
	*ret = q;
	return 0;
}
