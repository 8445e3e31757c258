/* SPDX-License-Identifier: Apache-2.0
 *
 * A folder with what AMD's service (AMD 57230) says, for clusters that cannot ask it or do not want
 * to for every chip:
 *
 *   STORE/Milan/FILE         ASK, ASVK and revocation list of a product: cert_chain and crl, as the
 *                            service gives them
 *   STORE/Milan/HWID/FILE    the VCEKs of a chip, one or several to a file
 *   STORE/vcek/HWID/FILE     the same, as Trustee's offline store has them
 *
 * HWID: the chip id as in the service's addresses, lowercase hexadecimal digits (Milan, Genoa: 128;
 * Turin: 16). FILE: DER or PEM; its name is for people, since a certificate says of which TCB it is
 * (bl03_tee00_snp20_ucode209_vcek.der). Only the folders of what is wanted are looked into. */
#pragma once

#include "webhook/collateral/pull.h"

/* Appends in DER what rq asks for. 1; 0: it is not there; -ENOMEM; other errors: it is not, and
 * something in its folder cannot be read. What it says is not judged. */
int vcek_store_read(
	struct buf *out, const char *store, const struct pull_request *rq, struct error *err);
