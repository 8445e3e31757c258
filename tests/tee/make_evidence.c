/* SPDX-License-Identifier: Apache-2.0
 *
 * make-evidence KIND FOLDER: writes synthetic evidence (evidence.bin), what it is judged against
 * (collateral.json), and the root to trust (root.pem), which hold around the time that it prints.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/base/cleanup.h"
#include "tests/tee/intel_world.h"

static const struct kind {
	const char *name;
	unsigned version;
	bool tdx, td15;
} kinds[] = {
	{"sgx3", 3, false, false},
	{"sgx4", 4, false, false},
	{"sgx5", 5, false, false},
	{"tdx4", 4, true, false},
	{"tdx5", 5, true, false},
	{"tdx15", 5, true, true},
};

static void write_file(const char *folder, const char *name, struct span bytes)
{
	char path[4096];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "we");
	tee_must(f && fwrite(bytes.p, 1, bytes.len, f) == bytes.len, path);
	tee_must(fclose(f) == 0, path);
}

static void make(const struct kind *k, const char *folder)
{
	_cleanup_buf_ struct buf quote = BUF_INIT(TEE_QUOTE_MAX), root = BUF_INIT(TEE_PEM_MAX);
	_cleanup_buf_ struct buf collateral = BUF_INIT(TEE_JSON_MAX);
	struct tee_intel w;

	if (k->tdx)
		tee_intel_tdx(&w, k->version, k->td15);
	else
		tee_intel_sgx_version(&w, k->version);
	tee_intel_quote(&w, &quote);
	tee_intel_collateral(&w, &collateral);
	tee_intel_root(&w, &root);
	write_file(folder, "evidence.bin", buf_view(&quote));
	write_file(folder, "collateral.json", buf_view(&collateral));
	write_file(folder, "root.pem", buf_view(&root));
}

int main(int argc, char **argv)
{
	for (size_t i = 0; argc == 3 && i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(argv[1], kinds[i].name) != 0)
			continue;
		make(&kinds[i], argv[2]);
		printf("%lld\n", (long long)TEE_NOW);
		return EXIT_SUCCESS;
	}
	fputs("usage: make-evidence KIND FOLDER\nkinds:", stderr);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		fprintf(stderr, " %s", kinds[i].name);
	fputc('\n', stderr);
	return 2;
}
