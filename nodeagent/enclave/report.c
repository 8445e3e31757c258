/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/enclave/report.h"

#include <string.h>

#include "common/tee/quote.h"
#include "nodeagent/enclave/load.h"

/* Nobody looks at it; a constant keeps the signed part the same for the same code. */
#define EVIDENCE_DATE 0x20261128u

int evidence_enclave_sign(unsigned char ret[SIGSTRUCT_SIZE], const struct enclave_image *image,
	EVP_PKEY *key, struct error *err)
{
	struct sigstruct what = {
		.date = EVIDENCE_DATE,
		.flags = SGX_FLAG_MODE64BIT,
		.xfrm = SGX_XFRM_LEGACY,
		/* Nothing else: no debugging, no keys of the platform. */
		.flags_mask = UINT64_MAX,
		.xfrm_mask = UINT64_MAX,
		.miscselect_mask = UINT32_MAX,
		.isvprodid = EVIDENCE_ISVPRODID,
		.isvsvn = EVIDENCE_ISVSVN,
	};
	int r = enclave_measure(what.mrenclave, image, err);

	return r < 0 ? r : sigstruct_sign(ret, &what, key, err);
}

static int sign_anew(
	unsigned char ret[SIGSTRUCT_SIZE], const struct enclave_image *image, struct error *err)
{
	EVP_PKEY *key = NULL;
	int r = sigstruct_key_new(&key, err);

	if (r == 0)
		r = evidence_enclave_sign(ret, image, key, err);
	EVP_PKEY_free(key);
	return r;
}

/* Whatever happened on the way, the processor made it, of this enclave. */
static int check(const unsigned char *report, const unsigned char *report_data,
	const struct enclave_image *image, struct error *err)
{
	unsigned char mrenclave[MRENCLAVE_SIZE];
	struct sgx_report body;
	int r = enclave_measure(mrenclave, image, err);

	if (r < 0)
		return r;
	sgx_report_parse(&body, report);
	if (memcmp(body.mrenclave, mrenclave, sizeof(mrenclave)) != 0 ||
		memcmp(body.report_data, report_data, EXCHANGE_REPORT_DATA_SIZE) != 0)
		return error_set(err, -EIO, "the evidence enclave made no report of its own");
	return 0;
}

static int build_and_enter(
	const char *device, const struct enclave_image *image, void *page, struct error *err)
{
	_cleanup_(enclave_free_p) struct enclave *e = NULL;
	unsigned char sigstruct[SIGSTRUCT_SIZE];
	int r = sign_anew(sigstruct, image, err);

	if (r == 0)
		r = enclave_load(&e, device, image, sigstruct, err);
	return r < 0 ? r : enclave_enter(e, ENCLAVE_TCS, page, err);
}

int evidence_enclave_report(const char *device,
	const unsigned char target_info[EXCHANGE_TARGET_INFO_SIZE],
	const unsigned char report_data[EXCHANGE_REPORT_DATA_SIZE],
	unsigned char ret_report[EXCHANGE_REPORT_SIZE], struct error *err)
{
	_cleanup_free_ struct evidence_enclave *enclave = malloc(sizeof(*enclave));
	_cleanup_free_ unsigned char *page = aligned_alloc(ENCLAVE_PAGE, ENCLAVE_PAGE);
	int r;

	if (!enclave || !page)
		return error_oom(err);
	evidence_enclave_make(enclave);
	memset(page, 0, ENCLAVE_PAGE);
	memcpy(page + EXCHANGE_TARGET_INFO, target_info, EXCHANGE_TARGET_INFO_SIZE);
	memcpy(page + EXCHANGE_REPORT_DATA, report_data, EXCHANGE_REPORT_DATA_SIZE);
	r = build_and_enter(device, &enclave->image, page, err);
	if (r == 0)
		r = check(page + EXCHANGE_REPORT, report_data, &enclave->image, err);
	if (r == 0)
		memcpy(ret_report, page + EXCHANGE_REPORT, EXCHANGE_REPORT_SIZE);
	return r;
}
