/* SPDX-License-Identifier: Apache-2.0
 *
 * The evidence enclave: its measurement against one computed in another way, and its code run on
 * this processor, with ENCLU, which is no instruction outside of an enclave, emulated. */
#include "nodeagent/enclave/load.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "common/base/buf.h"
#include "common/base/codec.h"
#include "nodeagent/enclave/report.h"
#include "tests/unit/test.h"

/* What policies pin. It changes with code.S, layout.h and image.c, and with nothing else: not with
 * the compiler, not with the folder. Whoever changes it tells those who pinned it. */
#define MRENCLAVE "e2c09335a4b35e437d53fef1136799340ff9790638b92d49b10a8d4e332c9586"

static void hex_of(char ret[2 * MRENCLAVE_SIZE + 1], const unsigned char *p)
{
	for (int i = 0; i < MRENCLAVE_SIZE; i++)
		snprintf(ret + 2 * (size_t)i, 3, "%02x", p[i]);
}

static void test_pinned(void)
{
	struct evidence_enclave e;
	unsigned char mrenclave[MRENCLAVE_SIZE] = {0};
	char hex[2 * MRENCLAVE_SIZE + 1];

	evidence_enclave_make(&e);
	CU_ASSERT_EQUAL(enclave_measure(mrenclave, &e.image, NULL), 0);
	hex_of(hex, mrenclave);
	CHECK_STR("MRENCLAVE", span_str(hex), MRENCLAVE);
}

/* --- another way to measure: the whole of what is hashed, written down --- */

static void zeros(struct buf *b, size_t n)
{
	while (n-- > 0)
		buf_putc(b, '\0');
}

static void number(struct buf *b, int bytes, uint64_t v)
{
	for (; bytes > 0; bytes--, v >>= 8)
		buf_putc(b, (char)v);
}

static void write_down(struct buf *b, const struct enclave_image *image)
{
	buf_add(b, "ECREATE", 8);
	number(b, 4, image->ssa_frame_pages);
	number(b, 8, image->size);
	zeros(b, 44);
	for (size_t i = 0; i < image->n; i++) {
		const struct enclave_page *p = &image->pages[i];

		buf_add(b, "EADD\0\0\0", 8);
		number(b, 8, p->offset);
		number(b, 8, p->flags);
		zeros(b, 40);
		for (int chunk = 0; chunk < 16 && p->measured; chunk++) {
			buf_add(b, "EEXTEND", 8);
			number(b, 8, p->offset + 256 * (uint64_t)chunk);
			zeros(b, 48);
			buf_add(b, p->content + 256 * (size_t)chunk, 256);
		}
	}
}

static void check_measured(const char *name, const struct enclave_image *image)
{
	_cleanup_buf_ struct buf all = BUF_INIT(1 << 20);
	unsigned char want[MRENCLAVE_SIZE], got[MRENCLAVE_SIZE] = {0};

	write_down(&all, image);
	EVP_Digest(all.p, all.len, want, NULL, EVP_sha256(), NULL);
	CU_ASSERT_EQUAL(enclave_measure(got, image, NULL), 0);
	CHECK_ROW(name, memcmp(got, want, sizeof(want)) == 0, "another measurement");
}

static void test_measured(void)
{
	struct evidence_enclave e;

	evidence_enclave_make(&e);
	check_measured("as it is", &e.image);
	e.pages[1].measured = false;
	check_measured("a page whose content is not measured", &e.image);
	e.image.ssa_frame_pages = 3;
	e.image.size = 1ull << 33;
	e.pages[2].offset = 0x123456789000;
	e.pages[3].flags = SECINFO_REG | SECINFO_X;
	check_measured("other numbers", &e.image);
	e.image.n = 0;
	check_measured("no pages", &e.image);
}

/* Each bit of each page is measured. */
static void test_changed(void)
{
	struct evidence_enclave e;
	unsigned char before[MRENCLAVE_SIZE], after[MRENCLAVE_SIZE];

	evidence_enclave_make(&e);
	enclave_measure(before, &e.image, NULL);
	for (size_t i = 0; i < EVIDENCE_PAGES; i++) {
		for (size_t at = 0; at < ENCLAVE_PAGE; at += 61) {
			e.pages[i].content[at] ^= 1;
			enclave_measure(after, &e.image, NULL);
			CHECK_ROW("changed", memcmp(before, after, sizeof(after)) != 0,
				"page %zu, byte %zu", i, at);
			e.pages[i].content[at] ^= 1;
		}
	}
}

/* --- running it --- */

/* The processor that is not there. */
static struct {
	unsigned char *base;
	unsigned ereports, eexits;
	bool misused;
} cpu;

static bool inside(uintptr_t p, size_t n, size_t alignment)
{
	return p % alignment == 0 && p >= (uintptr_t)cpu.base + ENCLAVE_DATA &&
	       p + n <= (uintptr_t)cpu.base + ENCLAVE_SSA;
}

static void ereport(const greg_t *g)
{
	uintptr_t target = (uintptr_t)g[REG_RBX], data = (uintptr_t)g[REG_RCX],
		  report = (uintptr_t)g[REG_RDX];

	cpu.ereports++;
	if (!inside(target, 512, 512) || !inside(data, 64, 128) || !inside(report, 432, 512)) {
		cpu.misused = true;
		return;
	}
	/* Not the real layout: all that went in. */
	for (size_t i = 0; i < 368; i++)
		((unsigned char *)report)[i] = ((unsigned char *)target)[i];
	for (size_t i = 0; i < 64; i++)
		((unsigned char *)report)[368 + i] = ((unsigned char *)data)[i];
}

static void on_enclu(int signo, siginfo_t *info, void *context)
{
	greg_t *g = ((ucontext_t *)context)->uc_mcontext.gregs;
	static const unsigned char enclu[] = {0x0f, 0x01, 0xd7};

	(void)info;
	if (memcmp((void *)g[REG_RIP], enclu, sizeof(enclu)) != 0) {
		signal(signo, SIG_DFL);
	} else if (g[REG_RAX] == ENCLU_EREPORT) {
		ereport(g);
		g[REG_RIP] += (greg_t)sizeof(enclu);
	} else if (g[REG_RAX] == ENCLU_EEXIT) {
		cpu.eexits++;
		g[REG_RIP] = g[REG_RBX];
	} else {
		cpu.misused = true;
		g[REG_RIP] = g[REG_RCX];
	}
}

/* As the vDSO and EENTER do: rbx the TCS, rcx where to return to, and a jump to the first byte. */
int enclave_test_enter(unsigned long rdi, unsigned long rsi, unsigned long rdx,
	unsigned int function, unsigned long r8, unsigned long r9, struct sgx_enclave_run *run);
__asm__(".text\n"
	"enclave_test_enter:\n"
	"	endbr64\n"
	"	push %rbp\n"
	"	mov %rsp, %rbp\n"
	"	push %rbx\n"
	"	cmp $2, %ecx\n"
	"	jne 2f\n"
	"	mov 16(%rbp), %rax\n"
	"	mov (%rax), %rbx\n"
	"	lea 1f(%rip), %rcx\n"
	"	xor %eax, %eax\n"
	"	mov $0x5a5a5a5a, %r12\n"
	"	mov %r12, %r13\n"
	"	mov %r12, %r14\n"
	"	mov %r12, %r15\n"
	"	lea -0x3000(%rbx), %r11\n"
	"	jmp *%r11\n"
	"1:	mov 16(%rbp), %rbx\n"
	"	movl $4, 8(%rbx)\n"
	"2:	xor %eax, %eax\n"
	"	pop %rbx\n"
	"	leave\n"
	"	ret\n");

static int lost(unsigned long rdi, unsigned long rsi, unsigned long rdx, unsigned int function,
	unsigned long r8, unsigned long r9, struct sgx_enclave_run *run)
{
	(void)rdi;
	(void)rsi;
	(void)rdx;
	(void)r8;
	(void)r9;
	run->function = function;
	run->exception_vector = 14;
	run->exception_error_code = 0x8007;
	run->exception_addr = 0x1234000;
	return 0;
}

static bool cpu_up(struct sigaction old[2])
{
	const struct sigaction sa = {.sa_sigaction = on_enclu, .sa_flags = SA_SIGINFO};
	struct evidence_enclave e;
	size_t size = 1 << ENCLAVE_SIZE_SHIFT;
	const int prot = PROT_READ | PROT_WRITE | PROT_EXEC;
	/* cppcheck-suppress invalidFunctionArg ; of no file */
	unsigned char *area = mmap(NULL, 2 * size, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(&cpu, 0, sizeof(cpu));
	if (area == MAP_FAILED)
		return false;
	/* The mapping is kept: its pages are the test's for good. */
	cpu.base = (unsigned char *)(((uintptr_t)area + size - 1) & ~(size - 1));
	evidence_enclave_make(&e);
	for (size_t i = 0; i < EVIDENCE_PAGES; i++)
		memcpy(cpu.base + e.pages[i].offset, e.pages[i].content, ENCLAVE_PAGE);
	sigaction(SIGILL, &sa, &old[0]);
	sigaction(SIGSEGV, &sa, &old[1]);
	return true;
}

static void cpu_down(const struct sigaction old[2])
{
	sigaction(SIGILL, &old[0], NULL);
	sigaction(SIGSEGV, &old[1], NULL);
}

static int run_on(void *page, struct error *err)
{
	cpu.ereports = cpu.eexits = 0;
	return enclave_enter_at((uintptr_t)cpu.base + ENCLAVE_TCS, page, enclave_test_enter, err);
}

static void test_run(void)
{
	static _Alignas(ENCLAVE_PAGE) unsigned char page[2 * ENCLAVE_PAGE];
	unsigned char before[ENCLAVE_PAGE];
	struct sigaction old[2];
	struct error err = {0};

	if (!CHECK_ROW("cpu", cpu_up(old), "no executable memory"))
		return;
	for (size_t i = 0; i < sizeof(page); i++)
		page[i] = (unsigned char)(i * 7 + i / 256);
	memcpy(before, page, sizeof(before));
	CHECK_ROW("run", run_on(page, &err) == 0, "%s", err.message);
	CHECK_ROW("run", cpu.ereports == 1 && cpu.eexits == 1 && !cpu.misused, "%u, %u",
		cpu.ereports, cpu.eexits);
	CU_ASSERT_EQUAL(memcmp(page + EXCHANGE_REPORT, before, 368), 0);
	CU_ASSERT_EQUAL(memcmp(page + EXCHANGE_REPORT + 368, before + EXCHANGE_REPORT_DATA, 64), 0);
	/* And nothing else was written. */
	CU_ASSERT_EQUAL(memcmp(page, before, EXCHANGE_REPORT), 0);
	CU_ASSERT_EQUAL(memcmp(page + EXCHANGE_REPORT + EXCHANGE_REPORT_SIZE,
				before + EXCHANGE_REPORT + EXCHANGE_REPORT_SIZE,
				ENCLAVE_PAGE - EXCHANGE_REPORT - EXCHANGE_REPORT_SIZE),
		0);
	/* What is no page of the host's: not aligned, or in the enclave. */
	CU_ASSERT_EQUAL(run_on(page + 8, &err), 0);
	CU_ASSERT(cpu.ereports == 0 && cpu.eexits == 1);
	CU_ASSERT_EQUAL(run_on(page + 1, &err), 0);
	CU_ASSERT(cpu.ereports == 0 && cpu.eexits == 1);
	for (size_t at = 0; at < 1 << ENCLAVE_SIZE_SHIFT; at += ENCLAVE_PAGE) {
		CU_ASSERT_EQUAL(run_on(cpu.base + at, &err), 0);
		CU_ASSERT(cpu.ereports == 0 && cpu.eexits == 1);
	}
	CU_ASSERT(!cpu.misused);
	cpu_down(old);
}

static void test_exception(void)
{
	struct error err = {0};

	CU_ASSERT_EQUAL(enclave_enter_at(0, NULL, lost, &err), -EIO);
	CHECK_ROW("exception", strstr(err.message, "exception 14 (error code 0x8007"), "%s",
		err.message);
}

static void test_no_device(void)
{
	unsigned char target[EXCHANGE_TARGET_INFO_SIZE] = {0},
		      data[EXCHANGE_REPORT_DATA_SIZE] = {0}, report[EXCHANGE_REPORT_SIZE];
	struct error err = {0};

	CU_ASSERT_EQUAL(
		evidence_enclave_report("/dev/casemate-none", target, data, report, &err), -ENOENT);
	CHECK_ROW("no device", strstr(err.message, "sgx-enclave-device"), "%s", err.message);
	CU_ASSERT_EQUAL(evidence_enclave_report("/dev/null", target, data, report, &err), -ENOTTY);
	CHECK_ROW("no enclave device", strstr(err.message, "SGX_IOC_ENCLAVE_CREATE"), "%s",
		err.message);
}

/* That a symbol of the vDSO is found in the way that load.c looks for one. */
static void test_vdso(void)
{
	void *vdso = dlopen("linux-vdso.so.1", RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);

	if (CHECK_ROW("vDSO", vdso != NULL, "not there")) {
		CU_ASSERT_PTR_NOT_NULL(dlsym(vdso, "__vdso_clock_gettime"));
		dlclose(vdso);
	}
}

CU_TestInfo enclave_tests[] = {
	{"the pinned measurement", test_pinned},
	{"measured in another way", test_measured},
	{"each page is measured", test_changed},
	{"its code, run", test_run},
	{"an exception in it", test_exception},
	{"without a device", test_no_device},
	{"the vDSO", test_vdso},
	CU_TEST_INFO_NULL,
};
