/* SPDX-License-Identifier: Apache-2.0
 *
 * What inspect reads: enclaves, image layouts, pods. */
#include <elf.h>
#include <errno.h>
#include <openssl/evp.h>

#include "common/base/cleanup.h"
#include "common/base/codec.h"
#include "common/tee/sigstruct.h"
#include "tests/unit/policy_fixture.h"
#include "tests/unit/test.h"
#include "tests/unit/vectors.h"
#include "webhook/inspect/elf.h"
#include "webhook/inspect/identity.h"
#include "webhook/inspect/oci.h"
#include "webhook/inspect/workload.h"

#define THEIRS "c50673624a6cb17c1c6c2a4e6906f47a170c4629b8723781d1017ef376f1a75d"

enum { TEXT_MAX = 1 << 20 };

static int identity(struct span file, struct buf *out, struct error *err)
{
	buf_reset(out);
	return identity_write(out, file, err);
}

static void test_sigstruct(void)
{
	_cleanup_buf_ struct buf out = BUF_INIT(TEXT_MAX);
	struct span file = vector("fortanix/sig1.sigstruct.bin");
	struct error err = {0};
	char copy[SIGSTRUCT_SIZE];

	CHECK_ROW("real", identity(file, &out, &err) == 0, "%s", err.message);
	CHECK_ROW("real", out.p && strstr(out.p, "\"mrenclave\":\"" THEIRS "\""), "%s", out.p);
	CHECK_ROW("real", out.p && strstr(out.p, "\"isvProdId\":0,\"minIsvSvn\":0"), "%s", out.p);
	for (size_t n = 0; n < file.len; n += n < 64 ? 1 : 61)
		CHECK_ROW("cut", identity((struct span){file.p, n}, &out, NULL) == -EBADMSG,
			"%zu bytes", n);
	/* every byte, each time another bit; the bytes of CET_ATTRIBUTES to ISVFAMILYID are signed
	 */
	for (size_t i = 0; i < sizeof(copy); i++) {
		memcpy(copy, file.p, sizeof(copy));
		copy[i] ^= (char)(1 << i % 8);
		CHECK_ROW("flipped",
			identity((struct span){copy, sizeof(copy)}, &out, NULL) == -EBADMSG,
			"byte %zu", i);
	}
}

/* An ELF file of one section with this name and content, behind its headers. */
static struct span make_elf(char *p, const char *name, struct span content)
{
	char names[64] = "\0.shstrtab\0";
	Elf64_Ehdr h = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB},
		.e_shoff = sizeof(Elf64_Ehdr),
		.e_shentsize = sizeof(Elf64_Shdr),
		.e_shnum = 3,
		.e_shstrndx = 1};
	size_t at = sizeof(h) + 3 * sizeof(Elf64_Shdr);
	Elf64_Shdr s[3] = {
		{0},
		{.sh_name = 1, .sh_type = SHT_STRTAB, .sh_offset = at, .sh_size = sizeof(names)},
		{.sh_name = 11,
			.sh_type = SHT_PROGBITS,
			.sh_offset = at + sizeof(names),
			.sh_size = content.len},
	};

	strcpy(names + 11, name);
	memcpy(p, &h, sizeof(h));
	memcpy(p + sizeof(h), s, sizeof(s));
	memcpy(p + at, names, sizeof(names));
	memcpy(p + at + sizeof(names), content.p, content.len);
	return (struct span){p, at + sizeof(names) + content.len};
}

static void test_elf(void)
{
	static char file[8192], section[4096];
	_cleanup_buf_ struct buf out = BUF_INIT(TEXT_MAX);
	struct span sig = vector("fortanix/sig1.sigstruct.bin"), elf, got;
	static const char *const names[] = {".note.sgxmeta", ".oeinfo"};
	struct error err = {0};

	memset(section, 6, sizeof(section));
	memcpy(section + 100, sig.p, 40); /* a header that nothing follows */
	memcpy(section + 1001, sig.p, sig.len);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		elf = make_elf(file, names[i], (struct span){section, 3000});
		CHECK_ROW(names[i], identity(elf, &out, &err) == 0, "%s", err.message);
		CHECK_ROW(names[i], out.p && strstr(out.p, THEIRS), "%s", out.p);
		CHECK_ROW(names[i], elf_section(elf, names[i], &got, NULL) == 0 && got.len == 3000,
			"%zu", got.len);
		CU_ASSERT_EQUAL(elf_section(elf, ".other", &got, NULL), -ENOENT);
		for (size_t n = 0; n < elf.len; n += 7)
			CHECK_ROW(names[i],
				elf_section((struct span){elf.p, n}, names[i], &got, NULL) < 0,
				"cut at %zu", n);
	}
	elf = make_elf(file, ".text", (struct span){section, 3000});
	CU_ASSERT_EQUAL(identity(elf, &out, &err), -EBADMSG);
	CHECK_ROW("unsigned", strstr(err.message, "sign it first"), "%s", err.message);
	elf = make_elf(file, ".note.sgxmeta", (struct span){section, 1001 + SIGSTRUCT_SIZE - 1});
	CU_ASSERT_EQUAL(identity(elf, &out, &err), -EBADMSG); /* its last byte is missing */
}

/* Blobs by digest. */
struct blobs {
	struct span v[8];
	size_t n;
	bool lie; /* gives another blob than was asked for */
};

static const char *digest_text(struct span blob, char ret[72])
{
	_cleanup_buf_ struct buf hex = BUF_INIT(72);
	unsigned char digest[32];

	EVP_Digest(blob.p, blob.len, digest, NULL, EVP_sha256(), NULL);
	codec_hex(&hex, digest, sizeof(digest));
	snprintf(ret, 72, "sha256:%s", hex.p);
	return ret;
}

static int give(void *ctx, struct span digest, struct span *ret, struct error *err)
{
	struct blobs *b = ctx;
	char text[72];

	for (size_t i = 0; i < b->n; i++)
		if (span_is(digest, digest_text(b->v[i], text))) {
			*ret = b->v[b->lie ? (i + 1) % b->n : i];
			return 0;
		}
	return error_set(err, -ENOENT, "no such blob");
}

#define TEXT_OF(f, ...) fixture_text((f), arena_printf(&(f)->a, __VA_ARGS__))

#define CONFIG "{'config':{'Entrypoint':['python3','-B'],'Cmd':['/app/main.py']},'rootfs':{}}"

static void test_oci(void)
{
	_cleanup_fixture_ struct fixture f;
	_cleanup_buf_ struct buf out = BUF_INIT(TEXT_MAX);
	struct blobs b = {.n = 3};
	struct error err = {0};
	struct span index;
	char text[72], manifest[72], want[512];

	fixture_init(&f);
	b.v[0] = fixture_text(&f, CONFIG);
	b.v[1] = TEXT_OF(&f, "{'config':{'digest':'%s'},'layers':[]}", digest_text(b.v[0], text));
	b.v[2] = TEXT_OF(&f, "{'manifests':[{'digest':'%s'}]}", digest_text(b.v[1], manifest));
	index = TEXT_OF(&f, "{'manifests':[{'digest':'%s'}]}", digest_text(b.v[2], text));
	CHECK_ROW("index", oci_write(&out, index, give, &b, &f.a, &err) == 0, "%s", err.message);
	snprintf(want, sizeof(want),
		"{\"workload\":{\"containers\":[{\"name\":\"app\",\"imageDigests\":[\"%s\",\"%s\"],"
		"\"command\":[\"python3\",\"-B\",\"/app/main.py\"],\"probes\":\"none\"}]}}",
		text, manifest);
	CHECK_STR("index", buf_view(&out), want);
	for (size_t n = 0; n < index.len; n++)
		CHECK_ROW("cut",
			oci_write(&out, (struct span){index.p, n}, give, &b, &f.a, NULL) ==
				-EBADMSG,
			"%zu bytes", n);
	b.lie = true;
	CU_ASSERT_EQUAL(oci_write(&out, index, give, &b, &f.a, &err), -EBADMSG);
	CHECK_ROW("another blob", strstr(err.message, "has another digest"), "%s", err.message);
	b = (struct blobs){0};
	CU_ASSERT_EQUAL(oci_write(&out, index, give, &b, &f.a, &err), -ENOENT);
}

/* Digests become file names: nothing else may. */
static void test_oci_names(void)
{
	static const char *const rows[] = {"{}", "[]", "{'manifests':{}}", "{'manifests':[]}",
		"{'manifests':[{}]}", "{'manifests':[{'digest':'sha256:../../../../etc/passwd'}]}",
		"{'manifests':[{'digest':'sha512:00'}]}", "{'manifests':[{'digest':7}]}",
		"{'manifests':[{'digest':'sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'}]}"};
	_cleanup_fixture_ struct fixture f;
	_cleanup_buf_ struct buf out = BUF_INIT(TEXT_MAX);
	struct blobs b = {0};

	fixture_init(&f);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK_ROW(rows[i],
			oci_write(&out, fixture_text(&f, rows[i]), give, &b, &f.a, NULL) ==
				-EBADMSG,
			"taken");
}

static void test_workload(void)
{
	static const char pod[] =
		"{'spec':{'containers':[{'name':'app','image':'r/x@sha256:aa','command':"
		"['/run/casemate/casemate-exec','--','py'],'args':['m'],'env':[{'name':'LANG'},"
		"{'name':'K','value':'casemate://p/k'}],'volumeMounts':[{'mountPath':'/data'},"
		"{'mountPath':'/run/casemate/token'},{'mountPath':"
		"'/var/run/secrets/kubernetes.io/"
		"serviceaccount'}],'livenessProbe':{'httpGet':{}}}],"
		"'initContainers':[{'name':'i','image':'y','lifecycle':{'preStop':{}}}]},'status':{"
		"'containerStatuses':[{'name':'app','imageID':'r/x@sha256:bb'}],"
		"'initContainerStatuses':[{'name':'i','imageID':'y@sha256:cc'}]}}";
	static const char want[] =
		"{'workload':{'containers':[{'name':'app','imageDigests':['sha256:aa','sha256:bb'],"
		"'command':['py','m'],'env':['LANG'],'mounts':['/data'],'probes':'http'},"
		"{'name':'i','imageDigests':['sha256:cc'],'probes':'exec'}]}}";
	static const char *const bad[] = {"{}", "{'spec':{}}", "{'spec':{'containers':[]}}",
		"{'spec':{'containers':[{'image':'x'}]}}", "{'spec':{'containers':[7]}}"};
	_cleanup_fixture_ struct fixture f;
	_cleanup_buf_ struct buf out = BUF_INIT(TEXT_MAX);

	fixture_init(&f);
	CU_ASSERT_EQUAL(workload_write(&out, fixture_quoted(&f, pod), &f.a, NULL), 0);
	CHECK_STR("pod", buf_view(&out), fixture_text(&f, want).p);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK_ROW(bad[i],
			workload_write(&out, fixture_quoted(&f, bad[i]), &f.a, NULL) == -EBADMSG,
			"taken");
}

const CU_TestInfo inspect_tests[] = {
	{"SIGSTRUCT", test_sigstruct},
	{"ELF", test_elf},
	{"OCI layout", test_oci},
	{"names of blobs", test_oci_names},
	{"workload of a pod", test_workload},
	CU_TEST_INFO_NULL,
};
