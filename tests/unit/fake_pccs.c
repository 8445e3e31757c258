/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/fake_pccs.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/intel_sign.h"

void fake_pccs_header(struct buf *headers, const char *name, struct span pem)
{
	buf_printf(headers, "%s: ", name);
	for (size_t i = 0; i < pem.len; i++)
		buf_printf(headers, isalnum((unsigned char)pem.p[i]) ? "%c" : "%%%02X",
			(unsigned char)pem.p[i]);
	buf_puts(headers, "\r\n");
}

static void add_chain(struct buf *headers, const char *name, const char *member)
{
	fake_pccs_header(headers, name, intel_set_vector(FAKE_PCCS_SET, member));
}

static void answer_document(struct buf *body, const char *name, const char *member)
{
	char signature[64];

	snprintf(signature, sizeof(signature), "%s_signature", member);
	buf_printf(body, "{\"%s\":", name);
	buf_span(body, intel_set_vector(FAKE_PCCS_SET, member));
	buf_puts(body, ",\"signature\":\"");
	buf_span(body, intel_set_vector(FAKE_PCCS_SET, signature));
	buf_puts(body, "\"}");
}

bool fake_pccs_answer(const char *request, struct fake_reply *reply)
{
	_cleanup_buf_ struct buf headers = BUF_INIT(1 << 16), body = BUF_INIT(1 << 16);

	if (strstr(request, "/rootcacrl ")) {
		buf_span(&body, intel_set_vector(FAKE_PCCS_SET, "root_ca_crl"));
	} else if (strstr(request, "/pckcrl?ca=processor")) {
		add_chain(&headers, "SGX-PCK-CRL-Issuer-Chain", "pck_crl_issuer_chain");
		buf_span(&body, intel_set_vector(FAKE_PCCS_SET, "pck_crl"));
	} else if (strstr(request, "/sgx/certification/v4/qe/identity")) {
		add_chain(
			&headers, "SGX-Enclave-Identity-Issuer-Chain", "qe_identity_issuer_chain");
		answer_document(&body, "enclaveIdentity", "qe_identity");
	} else if (strstr(request, "/sgx/certification/v4/tcb?fmspc=00a067110000")) {
		add_chain(&headers, "TCB-Info-Issuer-Chain", "tcb_info_issuer_chain");
		answer_document(&body, "tcbInfo", "tcb_info");
	} else {
		return false;
	}
	fake_respond(reply, 200, headers.p, body.p);
	return true;
}
