/* SPDX-License-Identifier: Apache-2.0
 *
 * Fetching collateral: Intel's provisioning certification service ("Intel PCS", API v4), a caching
 * service of that interface (PCCS), and AMD's key distribution service (AMD 57230). What is asked
 * is planned first, and every answer is judged before it counts. */
#pragma once

#include "common/base/settings.h"
#include "common/tee/collateral.h"

#define PULL_PCS      "https://api.trustedservices.intel.com"
#define PULL_ROOT_CRL "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"
#define PULL_KDS      "https://kdsintf.amd.com"

enum { PULL_URL_MAX = 512, PULL_REQUESTS_MAX = 1024, PULL_NAME_MAX = 200 };

struct pull_options {
	const char *pcs;      /* PULL_PCS */
	const char *pccs;     /* in place of PCS and root_crl; "": none */
	const char *root_crl; /* PULL_ROOT_CRL */
	const char *kds;      /* PULL_KDS */
	const char *update;   /* "early", "standard"; "": the service's default */
	struct strings fmspc; /* 12 hexadecimal digits each; none: nothing of Intel */
	struct strings tee;   /* "sgx", "tdx" */
	struct strings ca;    /* "processor", "platform" */
	struct strings snp;   /* "Milan", … */
	struct strings vcek;  /* "PRODUCT:CHIPID:TCB": both as in a report, in hexadecimal */
};

enum pull_kind {
	PULL_ROOT_CRL_LIST,
	PULL_PCK_CRL,
	PULL_QE_IDENTITY,
	PULL_TCB_INFO,
	PULL_ARK_CHAIN, /* ASK or ASVK */
	PULL_ARK_CRL,
	PULL_VCEK,
};

struct pull_request {
	enum pull_kind kind;
	char url[PULL_URL_MAX];
	char name[PULL_NAME_MAX]; /* for messages: "TCB info of FMSPC … for TDX" */
	/* The header with the issuer chain, and its older name; NULL: none. */
	const char *chain_header, *old_chain_header;

	/* What the answer must be. */
	enum pck_ca ca;
	bool tdx, vlek;
	unsigned char fmspc[6];
	enum snp_product product;
	unsigned char chip_id[SNP_CHIP_ID];
	struct snp_tcb tcb;
};

struct pull_plan {
	struct pull_request *requests;
	size_t n;
};

/* Is it an address that may be asked? what: its name in messages. -EINVAL. */
int pull_check_url(const char *url, const char *what, struct error *err);

/* -EINVAL: an option is wrong, or nothing is asked for; -E2BIG; -ENOMEM. */
int pull_plan_make(struct pull_plan *ret, const struct pull_options *o, struct error *err);
void pull_plan_free(struct pull_plan *p);
#define _cleanup_pull_plan_ _cleanup_(pull_plan_free)

/* Takes an answer up: chain as the header has it (NULL: there was none), then body; both must be
 * what was asked for and free of problems at now. -EBADMSG and why; -ENOMEM. */
int pull_take(struct collateral *c, const struct pull_request *rq, const char *chain,
	struct span body, int64_t now, struct error *err);

/* The same without regard to problems: of an answer that was judged before. */
int pull_add(struct collateral *c, const struct pull_request *rq, const char *chain,
	struct span body, struct error *err);

/* Of AMD's: what rq asks for, in DER, if c has it; SPAN_NONE: it has not. Borrowed. */
struct span pull_der(const struct collateral *c, const struct pull_request *rq);

/* What a status other than 200 means. */
const char *pull_status(int status);

/* Asks everything of the plan, one after the other, on a loop of its own; ca_pem: who vouches for
 * https. Lost answers, 429 and 5xx are asked again a few times, when the service says or a little
 * later. now: Unix seconds, of the whole of it. 0; -EBADMSG (pull_take()); -EIO: no good answer;
 * -ENOMEM. */
int pull_run(struct collateral *c, const struct pull_plan *p, struct span ca_pem, int64_t now,
	struct error *err);
