/* SPDX-License-Identifier: Apache-2.0
 *
 * Where collateral comes from, as settings say: files and folders, then a store of VCEKs, then
 * services by URL. Plain
 * data. */
#pragma once

#include <stddef.h>

#include "common/base/settings.h"

struct collateral_sources {
	struct strings paths;
	const char *vcek_store; /* a folder (vcek_store.h); "": none */
	/* URLs; "": that service is not asked. A PCCS stands in place of PCS and root CRL. */
	const char *pccs, *pcs, *root_crl, *kds;
	const char *update;  /* "early", "standard"; "": the service's default */
	const char *ca_file; /* PEM: who vouches for https; "": nobody */
	const char *proxy;   /* http://…; "": none */
};

/* The settings PREFIX.collateral (paths) and PREFIX.collateralSource.…, of a struct
 * collateral_sources at that offset. */
#define COLLATERAL_SETTINGS(prefix, at)                                                            \
	{.name = prefix ".collateral",                                                             \
		.type = SETTING_STRINGS,                                                           \
		.offset = (at) + offsetof(struct collateral_sources, paths),                       \
		.meta = "PATH[,PATH]",                                                             \
		.help = "files and folders with what vendors publish; read again when they "       \
			"change"},                                                                 \
		{.name = prefix ".collateralSource.vcekStore",                                     \
			.type = SETTING_STRING,                                                    \
			.offset = (at) + offsetof(struct collateral_sources, vcek_store),          \
			.meta = "DIR",                                                             \
			.help = "a folder with certificates and lists of AMD's by product and "    \
				"chip, looked into before kds is asked"},                          \
		{.name = prefix ".collateralSource.pccs",                                          \
			.type = SETTING_STRING,                                                    \
			.offset = (at) + offsetof(struct collateral_sources, pccs),                \
			.meta = "URL",                                                             \
			.help = "a PCCS, asked for what files lack; in place of pcs and rootCrl"}, \
		{.name = prefix ".collateralSource.pcs",                                           \
			.type = SETTING_STRING,                                                    \
			.offset = (at) + offsetof(struct collateral_sources, pcs),                 \
			.meta = "URL",                                                             \
			.help = "Intel's service: https://api.trustedservices.intel.com"},         \
		{.name = prefix ".collateralSource.rootCrl",                                       \
			.type = SETTING_STRING,                                                    \
			.offset = (at) + offsetof(struct collateral_sources, root_crl),            \
			.meta = "URL",                                                             \
			.help = "revocation list of Intel's root, beside pcs (Intel's own)"},      \
		{.name = prefix ".collateralSource.kds",                                           \
			.type = SETTING_STRING,                                                    \
			.offset = (at) + offsetof(struct collateral_sources, kds),                 \
			.meta = "URL",                                                             \
			.help = "AMD's service, https://kdsintf.amd.com, or a cache with its "     \
				"paths"},                                                          \
		{.name = prefix ".collateralSource.update",                                        \
			.type = SETTING_STRING,                                                    \
			.offset = (at) + offsetof(struct collateral_sources, update),              \
			.meta = "WHEN",                                                            \
			.help = "early or standard: how soon after a TCB recovery of Intel's"},    \
		{.name = prefix ".collateralSource.caFile",                                        \
			.type = SETTING_STRING,                                                    \
			.offset = (at) + offsetof(struct collateral_sources, ca_file),             \
			.meta = "FILE",                                                            \
			.help = "PEM of who vouches for https of these services"},                 \
	{                                                                                          \
		.name = prefix ".collateralSource.proxy", .type = SETTING_STRING,                  \
		.offset = (at) + offsetof(struct collateral_sources, proxy), .meta = "URL",        \
		.help = "http:// proxy to them"                                                    \
	}

/* Checks them against each other and completes them; prefix: as above. -EINVAL with what to change.
 */
int collateral_sources_finish(struct collateral_sources *s, const char *prefix, struct error *err);
bool collateral_sources_same(
	const struct collateral_sources *a, const struct collateral_sources *b);
/* Is any service asked, or the store? */
bool collateral_sources_fetch(const struct collateral_sources *s);
/* A copy in a; -ENOMEM. */
int collateral_sources_copy(
	struct collateral_sources *ret, const struct collateral_sources *s, struct arena *a);
