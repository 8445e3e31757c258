/* SPDX-License-Identifier: Apache-2.0
 *
 * SNP reports and certificate tables: what is read lies in the input, and a report that was
 * accepted says what its bytes say. The bytes behind a report are its table, as in an extended
 * report. */
#include <stdint.h>
#include <stdlib.h>

#include "common/tee/snp_report.h"

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void inside(struct span part, struct span whole)
{
	if (part.p)
		must(part.p >= whole.p && part.len > 0 && part.len <= whole.len &&
			part.p <= whole.p + (whole.len - part.len));
}

static void read_report(struct span bytes)
{
	struct error err = {0};
	enum snp_product product;
	struct snp_report r;
	enum reason reason = REASON_Ok;
	int ret = snp_report_parse(&r, bytes, &reason, &err);

	must(ret == 0 || ret == -EBADMSG);
	if (ret < 0) {
		must(reason == REASON_Malformed || reason == REASON_UnsupportedVersion);
		must(err.message[0] != '\0');
		return;
	}
	must(r.version >= 2 && r.version <= 5);
	must(r.signed_part.p == bytes.p && r.signed_part.len == SNP_REPORT_SIGNED);
	must(r.version > 2 || (r.family == 0 && !snp_report_product(&r, &product)));
	must(r.version > 4 || r.launch_mit_vector == 0);
	if (snp_report_product(&r, &product)) {
		struct snp_tcb tcb = snp_tcb_read(r.reported_tcb, product);

		must(product < SNP_PRODUCT_N && snp_tcb_equal(tcb, tcb));
	}
	for (size_t i = 0; i < 48; i++)
		must(r.signature[i] == (unsigned char)bytes.p[SNP_REPORT_SIGNED + 47 - i]);
}

static void read_table(struct span table)
{
	struct error err = {0};
	struct snp_certs c;
	int r = snp_certs_parse(&c, table, &err);

	must(r == 0 || (r == -EBADMSG && err.message[0] != '\0'));
	if (r < 0)
		return;
	inside(c.vcek, table);
	inside(c.vlek, table);
	inside(c.ask, table);
	inside(c.ark, table);
	inside(c.crl, table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span in = {(const char *)data, size};

	if (size < SNP_REPORT) {
		read_report(in);
		read_table(in);
		return 0;
	}
	read_report((struct span){in.p, SNP_REPORT});
	read_table((struct span){in.p + SNP_REPORT, size - SNP_REPORT});
	return 0;
}
