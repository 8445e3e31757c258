/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/inspect/identity.h"

#include <errno.h>

#include "common/base/codec.h"
#include "common/tee/sigstruct.h"
#include "webhook/inspect/elf.h"

/* Where signing tools put it: Intel's SDK, Open Enclave. */
static const char *const sections[] = {".note.sgxmeta", ".oeinfo"};

static const char header[] = {6, 0, 0, 0, (char)0xe1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0};

enum { CANDIDATES_MAX = 64 }; /* headers that are looked at in a section */

bool identity_is(struct span file)
{
	return elf_is(file) || file.len == SIGSTRUCT_SIZE;
}

/* The first SIGSTRUCT in section that holds, at any offset. */
static int search(struct span section, struct sigstruct *ret, const unsigned char **ret_bytes)
{
	size_t at = 0;

	for (int i = 0; i < CANDIDATES_MAX && section.len - at >= SIGSTRUCT_SIZE; i++) {
		const char *p = memmem(section.p + at, section.len - at, header, sizeof(header));
		const unsigned char *bytes = (const unsigned char *)p;

		if (!p || section.len - (size_t)(p - section.p) < SIGSTRUCT_SIZE)
			break;
		if (sigstruct_verify(ret, bytes, NULL) == 0) {
			*ret_bytes = bytes;
			return 0;
		}
		at = (size_t)(p - section.p) + 1;
	}
	return -EBADMSG;
}

static int find(
	struct span file, struct sigstruct *ret, const unsigned char **ret_bytes, struct error *err)
{
	struct span section;
	int r;

	if (!elf_is(file)) {
		*ret_bytes = (const unsigned char *)file.p;
		return file.len == SIGSTRUCT_SIZE
			       ? sigstruct_verify(ret, *ret_bytes, err)
			       : error_set(err, -EBADMSG, "a SIGSTRUCT has %d bytes, not %zu",
					 SIGSTRUCT_SIZE, file.len);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		r = elf_section(file, sections[i], &section, err);
		if (r == 0 && search(section, ret, ret_bytes) == 0)
			return 0;
		if (r < 0 && r != -ENOENT)
			return r;
	}
	return error_set(err, -EBADMSG,
		"no signed enclave: no section (%s, %s) has a SIGSTRUCT whose signature holds; "
		"sign "
		"it first",
		sections[0], sections[1]);
}

static void write_hex(struct buf *out, const char *name, const unsigned char *p, size_t n)
{
	buf_printf(out, "\"%s\":\"", name);
	codec_hex(out, p, n);
	buf_putc(out, '"');
}

int identity_write(struct buf *out, struct span file, struct error *err)
{
	unsigned char signer[MRSIGNER_SIZE];
	const unsigned char *bytes = NULL;
	struct sigstruct s = {0};
	int r = find(file, &s, &bytes, err);

	if (r == 0)
		r = sigstruct_mrsigner(signer, bytes, err);
	if (r < 0)
		return r;
	buf_puts(out, "{\"identities\":[{\"name\":\"code\",\"sgx\":{");
	write_hex(out, "mrenclave", s.mrenclave, sizeof(s.mrenclave));
	buf_puts(out, "}},{\"name\":\"signed\",\"sgx\":{");
	write_hex(out, "mrsigner", signer, sizeof(signer));
	buf_printf(out, ",\"isvProdId\":%u,\"minIsvSvn\":%u}}]}", s.isvprodid, s.isvsvn);
	return out->err;
}
