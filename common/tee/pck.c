/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/pck.h"

#include "common/base/cleanup.h"
#include "common/tee/der.h"

#define SGX_OID "1.2.840.113741.1.13.1"
/* the same as content of an OBJECT IDENTIFIER; what follows it is a number of one byte each */
#define SGX_PREFIX "\x2a\x86\x48\x86\xf8\x4d\x01\x0d\x01"

enum { TCB_PCESVN = 17, TCB_CPUSVN = 18 };

const char *pck_ca_name(enum pck_ca ca)
{
	return ca == PCK_CA_PROCESSOR ? "Intel SGX PCK Processor CA" : "Intel SGX PCK Platform CA";
}

/* Takes SEQUENCE {prefix.number, value} off *in, which had no such number before (seen, by bits).
 */
static int take_item(struct span *in, struct span prefix, unsigned max, uint32_t *seen,
	struct span *ret_value, struct error *err)
{
	struct span item, oid;
	unsigned char number;

	if (!der_take(in, DER_SEQUENCE, &item) || !der_take(&item, DER_OID, &oid))
		return error_set(err, -EBADMSG, "an element is no pair of name and value");
	if (oid.len != prefix.len + 1 || memcmp(oid.p, prefix.p, prefix.len) != 0)
		return error_set(err, -EBADMSG, "an element has a name that does not belong there");
	number = (unsigned char)oid.p[prefix.len];
	if (number < 1 || number > max)
		return error_set(err, -EBADMSG, "element %u is none that is known", number);
	if (*seen & 1u << number)
		return error_set(err, -EBADMSG, "element %u is there twice", number);
	*seen |= 1u << number;
	*ret_value = item;
	return number;
}

static int bad_value(struct error *err, unsigned number)
{
	return error_set(err, -EBADMSG, "the value of element %u is not as it must be", number);
}

static bool take_octets(struct span value, unsigned char *to, size_t len)
{
	struct span octets;

	if (!der_take(&value, DER_OCTET_STRING, &octets) || value.len || octets.len != len)
		return false;
	memcpy(to, octets.p, len);
	return true;
}

static bool take_number(struct span value, unsigned tag, uint32_t max, uint32_t *ret)
{
	struct span content;

	return der_take(&value, tag, &content) && value.len == 0 && der_unsigned(content, max, ret);
}

static bool read_tcb_value(struct pck *p, unsigned number, struct span value)
{
	uint32_t n;

	if (number == TCB_CPUSVN)
		return take_octets(value, p->cpusvn, sizeof(p->cpusvn));
	if (!take_number(value, DER_INTEGER, number == TCB_PCESVN ? UINT16_MAX : UINT8_MAX, &n))
		return false;
	if (number == TCB_PCESVN)
		p->pcesvn = (uint16_t)n;
	else
		p->components[number - 1] = (unsigned char)n;
	return true;
}

static int read_tcb(struct pck *p, struct span value, struct error *err)
{
	struct span tcb, item;
	uint32_t seen = 0;

	if (!der_take(&value, DER_SEQUENCE, &tcb) || value.len)
		return error_set(err, -EBADMSG, "it is no sequence");
	for (unsigned i = 0; i < TCB_CPUSVN; i++) {
		int r = take_item(&tcb, SPAN_LIT(SGX_PREFIX "\x02"), TCB_CPUSVN, &seen, &item, err);

		if (r < 0)
			return r;
		if (!read_tcb_value(p, (unsigned)r, item))
			return bad_value(err, (unsigned)r);
	}
	return tcb.len ? error_set(err, -EBADMSG, "it has more than 18 elements") : 0;
}

static int read_configuration(struct pck *p, struct span value, struct error *err)
{
	signed char *const flags[] = {NULL, &p->dynamic_platform, &p->cached_keys, &p->smt_enabled};
	struct span configuration, item, content;
	uint32_t seen = 0;

	if (!der_take(&value, DER_SEQUENCE, &configuration) || value.len)
		return error_set(err, -EBADMSG, "it is no sequence");
	while (configuration.len) {
		bool set;
		int r = take_item(
			&configuration, SPAN_LIT(SGX_PREFIX "\x07"), 3, &seen, &item, err);

		if (r < 0)
			return r;
		if (!der_take(&item, DER_BOOLEAN, &content) || item.len ||
			!der_boolean(content, &set))
			return bad_value(err, (unsigned)r);
		*flags[r] = set;
	}
	return 0;
}

enum { PPID = 1, TCB, PCEID, FMSPC, SGX_TYPE, PLATFORM_INSTANCE_ID, CONFIGURATION };

static int read_value(struct pck *p, unsigned number, struct span value, struct error *err)
{
	uint32_t n = 0;
	bool ok = true;
	int r = 0;

	switch (number) {
	case PPID:
		ok = take_octets(value, p->ppid, sizeof(p->ppid));
		break;
	case TCB:
		r = read_tcb(p, value, err);
		break;
	case PCEID:
		ok = take_octets(value, p->pceid, sizeof(p->pceid));
		break;
	case FMSPC:
		ok = take_octets(value, p->fmspc, sizeof(p->fmspc));
		break;
	case SGX_TYPE:
		ok = take_number(value, DER_ENUMERATED, 2, &n);
		p->sgx_type = n;
		break;
	case PLATFORM_INSTANCE_ID:
		ok = take_octets(value, p->platform_instance_id, sizeof(p->platform_instance_id));
		p->has_platform_instance_id = true;
		break;
	default:
		r = read_configuration(p, value, err);
	}
	if (r < 0)
		return error_prefix(err, r, "element %u", number);
	return ok ? 0 : bad_value(err, number);
}

int pck_read_extension(struct pck *ret, enum pck_ca ca, struct span extension, struct error *err)
{
	unsigned max = ca == PCK_CA_PLATFORM ? CONFIGURATION : SGX_TYPE;
	struct pck p = {.ca = ca, .dynamic_platform = -1, .cached_keys = -1, .smt_enabled = -1};
	const uint32_t needed = 1u << PPID | 1u << TCB | 1u << PCEID | 1u << FMSPC | 1u << SGX_TYPE;
	struct span list, item;
	uint32_t seen = 0;

	if (!der_take(&extension, DER_SEQUENCE, &list) || extension.len)
		return error_set(err, -EBADMSG, "the SGX extension is no sequence");
	while (list.len) {
		int r = take_item(&list, SPAN_LIT(SGX_PREFIX), max, &seen, &item, err);

		if (r >= 0)
			r = read_value(&p, (unsigned)r, item, err);
		if (r < 0)
			return error_prefix(err, r, "the SGX extension");
	}
	if ((seen & needed) != needed)
		return error_set(err, -EBADMSG,
			"the SGX extension lacks PPID, TCB, PCE-ID, FMSPC or SGX type");
	*ret = p;
	return 0;
}

static int find_ca(enum pck_ca *ret, const struct cert *leaf)
{
	for (enum pck_ca ca = 0; ca < PCK_CA_N; ca++) {
		if (strcmp(leaf->issuer, pck_ca_name(ca)) == 0) {
			*ret = ca;
			return 0;
		}
	}
	return -ENOENT;
}

int pck_read(struct pck *ret, const struct cert *leaf, struct error *err)
{
	struct span extension;
	enum pck_ca ca;
	int r;

	if (strcmp(leaf->subject, "Intel SGX PCK Certificate") != 0 || leaf->ca)
		return error_set(
			err, -EBADMSG, "certificate \"%s\" is no PCK certificate", leaf->subject);
	if (find_ca(&ca, leaf) < 0)
		return error_set(err, -EBADMSG,
			"the PCK certificate's issuer is \"%s\", not a Processor or Platform CA",
			leaf->issuer);
	extension = cert_extension(leaf, SGX_OID);
	if (!extension.p)
		return error_set(err, -EBADMSG, "the PCK certificate has no SGX extension");
	r = pck_read_extension(ret, ca, extension, err);
	return r < 0 ? error_prefix(err, r, "PCK certificate") : 0;
}
