/* SPDX-License-Identifier: Apache-2.0
 *
 * Where things are in the evidence enclave and in the page that it shares with its host. For C and
 * for assembly, hence macros. Each page is one of its measurement: a change here changes MRENCLAVE.
 */
#pragma once

#define ENCLAVE_PAGE_SHIFT 12
#define ENCLAVE_PAGE       0x1000
#define ENCLAVE_SIZE_SHIFT 14 /* four pages */

/* Offsets of the pages from the enclave's base. */
#define ENCLAVE_CODE 0x0000 /* readable, executable; entered at its first byte */
#define ENCLAVE_DATA 0x1000 /* readable, writable; as EXCHANGE_* below */
#define ENCLAVE_SSA  0x2000 /* readable, writable; the one frame of saved state */
#define ENCLAVE_TCS  0x3000

/* The host's page, and ENCLAVE_DATA. EREPORT wants TARGETINFO and REPORT aligned to 512 bytes,
 * REPORTDATA to 128 (Intel SDM volume 3D, "EREPORT"). */
#define EXCHANGE_TARGET_INFO      0
#define EXCHANGE_TARGET_INFO_SIZE 512
#define EXCHANGE_REPORT_DATA      512
#define EXCHANGE_REPORT_DATA_SIZE 64
#define EXCHANGE_REPORT           1024
#define EXCHANGE_REPORT_SIZE      432

/* ENCLU's leaves. */
#define ENCLU_EREPORT 0
#define ENCLU_EENTER  2
#define ENCLU_EEXIT   4
