/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/evidence.h"

#include <stdarg.h>

#include "common/base/algorithm.h"
#include "common/base/codec.h"
#include "common/tee/evidence_private.h"

const char *tee_type_name(enum tee_type t)
{
	static const char *const names[TEE_TYPE_N] = {"sgx", "tdx", "snp", "simulated"};

	return names[t];
}

int opening_refuse(struct opening *o, enum reason reason, const char *fmt, ...)
{
	va_list ap;

	o->reason = reason;
	va_start(ap, fmt);
	error_vset(o->err, -EBADMSG, fmt, ap);
	va_end(ap);
	return -EBADMSG;
}

int opening_keep(struct opening *o, const void *p, size_t n, struct span *ret)
{
	unsigned char *to = o->e->raw + (o->e->raw_len - o->left);

	if (n > o->left)
		return error_set(o->err, -E2BIG, "the evidence decodes to more than itself");
	if (n)
		memcpy(to, p, n);
	o->left -= n;
	*ret = (struct span){(const char *)to, n};
	return 0;
}

static bool has(struct span text, char a, char b)
{
	return text.len && (memchr(text.p, a, text.len) || memchr(text.p, b, text.len));
}

int opening_base64(struct opening *o, struct span text, struct span *ret)
{
	_cleanup_buf_ struct buf bytes = BUF_INIT(EVIDENCE_MAX);
	struct span digits = text;
	int r;

	while (digits.len && text.len % 4 == 0 && text.len - digits.len < 2 &&
		text.p[digits.len - 1] == '=')
		digits.len--;
	if (has(digits, '-', '_') && has(digits, '+', '/'))
		return opening_refuse(
			o, REASON_Malformed, "base64 of the evidence mixes two alphabets");
	r = codec_unbase64(&bytes, CODEC_BASE64_ANY, digits);
	if (r == -ENOMEM)
		return error_oom(o->err);
	if (r < 0)
		return opening_refuse(o, REASON_Malformed, "the evidence holds wrong base64");
	return opening_keep(o, bytes.p, bytes.len, ret);
}

int opening_hex(struct opening *o, struct span text, struct span *ret)
{
	_cleanup_buf_ struct buf bytes = BUF_INIT(EVIDENCE_MAX);
	int r = codec_unhex(&bytes, text);

	if (r == -ENOMEM)
		return error_oom(o->err);
	if (r < 0)
		return opening_refuse(
			o, REASON_Malformed, "the evidence holds wrong hexadecimal digits");
	return opening_keep(o, bytes.p, bytes.len, ret);
}

int opening_digest(struct opening *o, struct span what)
{
	return algorithm_hash(what.p, what.len, o->e->digest) ? 0 : error_oom(o->err);
}

int opening_report(struct opening *o, struct span report)
{
	int r = snp_report_parse(&o->e->snp, report, &o->reason, o->err);

	if (r < 0)
		return r;
	o->e->tee = TEE_TYPE_SNP;
	return opening_digest(o, report);
}

int opening_quote(struct opening *o, struct span quote)
{
	int r = quote_parse(&o->e->quote, quote, &o->reason, o->err);

	if (r < 0)
		return r;
	o->e->tee = o->e->quote.tdx ? TEE_TYPE_TDX : TEE_TYPE_SGX;
	return opening_digest(o, o->e->quote.bytes);
}

/* A report and, behind it, the table of an extended report. */
static int open_extended(struct opening *o, struct span bytes)
{
	size_t n = bytes.len < SNP_REPORT ? bytes.len : SNP_REPORT;
	struct span table = {bytes.p + n, bytes.len - n};
	int r = opening_report(o, (struct span){bytes.p, n});

	if (r < 0 || table.len == 0)
		return r;
	r = snp_certs_parse(&o->e->certs, table, o->err);
	if (r < 0)
		o->reason = REASON_Malformed;
	return r;
}

static int open_hcl(struct opening *o, struct span bytes)
{
	struct hcl h;
	int r = hcl_parse(o, &h, bytes);

	if (r < 0)
		return r;
	if (h.tdx)
		return opening_refuse(o, REASON_UnsupportedVersion,
			"the HCLA report holds a TDREPORT, which only its own machine can check: "
			"send "
			"its quote with it (az-tdx-vtpm)");
	r = opening_report(o, h.report);
	return r < 0 ? r : hcl_check(o, &h, o->e->snp.report_data);
}

/* A quote says at 2 what kind of key signed it, and that is not 0 since EPID; a report has the
 * upper half of its version there. One that was cut off is told from a TDREPORT by its version. */
static bool is_report(struct span bytes)
{
	return bytes.len >= 4 && bytes.p[1] == 0 && bytes.p[2] == 0 && bytes.p[3] == 0 &&
	       (bytes.len >= SNP_REPORT || (bytes.p[0] >= 2 && bytes.p[0] <= 5));
}

static int open_bytes(struct opening *o, struct span bytes)
{
	if (hcl_is(bytes))
		return open_hcl(o, bytes);
	if (is_report(bytes))
		return open_extended(o, bytes);
	return opening_quote(o, bytes);
}

/* Without white space; p of the result is NULL when it is no text of either encoding. */
static int open_text(struct opening *o, struct span input)
{
	_cleanup_free_ char *text = malloc(input.len);
	struct span bytes = SPAN_NONE;
	bool hex = true;
	size_t n = 0;
	int r;

	if (!text)
		return error_oom(o->err);
	for (size_t i = 0; i < input.len; i++)
		if (!strchr(" \t\r\n", input.p[i]) || input.p[i] == '\0') {
			hex = hex && codec_hex_digit(input.p[i]) >= 0;
			text[n++] = input.p[i];
		}
	if (hex)
		r = opening_hex(o, (struct span){text, n}, &bytes);
	else
		r = opening_base64(o, (struct span){text, n}, &bytes);
	return r < 0 ? r : open_bytes(o, bytes);
}

/* Printable, or white space: no quote or report is. */
static bool is_text(struct span input)
{
	for (size_t i = 0; i < input.len; i++)
		if ((input.p[i] < ' ' || input.p[i] > '~') && !strchr("\t\r\n", input.p[i]))
			return false;
	return true;
}

/* The first character that is no white space. */
static char first(struct span input)
{
	size_t i = 0;

	while (i < input.len && input.p[i] && strchr(" \t\r\n", input.p[i]))
		i++;
	return i < input.len ? input.p[i] : '\0';
}

static int open_any(struct opening *o, struct span input)
{
	struct span kept = SPAN_NONE;
	int r;

	if (first(input) != '{' && input.len && memchr(input.p, '\0', input.len) == NULL &&
		is_text(input))
		return open_text(o, input);
	r = opening_keep(o, input.p, input.len, &kept);
	if (r < 0)
		return r;
	return first(input) == '{' ? opening_json(o, kept) : open_bytes(o, kept);
}

int evidence_open(
	struct evidence *ret, struct span input, enum reason *ret_reason, struct error *err)
{
	struct evidence e = {0};
	struct opening o = {.e = &e, .reason = REASON_Malformed, .err = err};
	int r;

	*ret_reason = REASON_Malformed;
	if (input.len == 0)
		return error_set(err, -EBADMSG, "the evidence is empty");
	if (input.len > EVIDENCE_MAX)
		return error_set(err, -EBADMSG, "the evidence has %zu bytes, more than %d",
			input.len, EVIDENCE_MAX);
	/* JSON is kept itself; what it holds decodes to less, but for a report of small numbers. */
	e.raw_len = o.left = 2 * input.len + SNP_REPORT;
	e.raw = malloc(e.raw_len);
	if (!e.raw)
		return error_oom(err);
	r = open_any(&o, input);
	if (r < 0) {
		*ret_reason = o.reason;
		evidence_free(&e);
		return r == -ENOMEM ? r : -EBADMSG;
	}
	*ret = e;
	return 0;
}

void evidence_free(struct evidence *e)
{
	if (e->tee == TEE_TYPE_SIMULATED)
		simulated_free(&e->simulated);
	free(e->raw);
	*e = (struct evidence){0};
}

const unsigned char *evidence_report_data(const struct evidence *e)
{
	if (e->has_vtpm)
		return e->qualifying_data;
	switch (e->tee) {
	case TEE_TYPE_SGX:
		return e->quote.sgx.report_data;
	case TEE_TYPE_TDX:
		return e->quote.td.report_data;
	case TEE_TYPE_SNP:
		return e->snp.report_data;
	default:
		return e->simulated.report_data;
	}
}
