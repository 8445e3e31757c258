/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/enclave/load.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

struct enclave {
	int fd;
	unsigned char *area; /* twice the size, so that an aligned one is within */
	size_t area_size;
	unsigned char *base;
	uint64_t size;
};

/* In a SECS (Intel SDM volume 3D, 38.7). */
enum { SECS_SIZE = 0, SECS_BASE = 8, SECS_SSAFRAMESIZE = 16, SECS_ATTRIBUTES = 48, SECS_XFRM = 56 };
enum { SECINFO_SIZE = 64 };

int evidence_enclave_enter(
	void *page, struct sgx_enclave_run *run, vdso_sgx_enter_enclave_t enter); /* enter.S */

static int refused(struct error *err, const char *device, const char *step, int number)
{
	switch (number) {
	case EPERM:
		return error_set(err, -EPERM,
			"%s: %s: the processor or the kernel refuses the enclave (EPERM): see "
			"dmesg, and sgx-launch-control among this node's findings",
			device, step);
	case EACCES:
		return error_set(err, -EACCES,
			"%s: %s: not allowed (EACCES): mount /dev with exec, and see the security "
			"modules' log",
			device, step);
	case ENOMEM:
		return error_set(err, -EAGAIN, "%s: %s: there is no free EPC", device, step);
	default:
		return error_set(err, -number, "%s: %s: %s", device, step, strerror(number));
	}
}

/* --- building --- */

static int open_device(int *ret, const char *device, struct error *err)
{
	int fd = open(device, O_RDWR | O_CLOEXEC);

	if (fd >= 0) {
		*ret = fd;
		return 0;
	}
	if (errno == EPERM || errno == EACCES)
		return error_set(err, -errno,
			"%s: the agent may not open it (%s): its container must be given the "
			"device (in the chart: agent.sgx.evidence)",
			device, strerror(errno));
	return error_set(err, -errno, "%s: %s: see sgx-enclave-device among this node's findings",
		device, strerror(errno));
}

/* The base is a multiple of the size, as ECREATE wants. */
static int reserve(struct enclave *e, struct error *err)
{
	uintptr_t at;

	e->area_size = 2 * (size_t)e->size;
	/* cppcheck-suppress invalidFunctionArg ; of no file */
	e->area = mmap(NULL, e->area_size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (e->area == MAP_FAILED) {
		e->area = NULL;
		return error_oom(err);
	}
	at = ((uintptr_t)e->area + e->size - 1) & ~((uintptr_t)e->size - 1);
	e->base = (unsigned char *)at;
	return 0;
}

static int create(
	struct enclave *e, const char *device, const struct enclave_image *image, struct error *err)
{
	_Alignas(ENCLAVE_PAGE) unsigned char secs[ENCLAVE_PAGE] = {0};
	struct sgx_enclave_create arg = {.src = (uintptr_t)secs};
	const uint64_t base = (uintptr_t)e->base, flags = SGX_FLAG_MODE64BIT,
		       xfrm = SGX_XFRM_LEGACY;

	memcpy(secs + SECS_SIZE, &e->size, sizeof(e->size));
	memcpy(secs + SECS_BASE, &base, sizeof(base));
	memcpy(secs + SECS_SSAFRAMESIZE, &image->ssa_frame_pages, sizeof(image->ssa_frame_pages));
	memcpy(secs + SECS_ATTRIBUTES, &flags, sizeof(flags));
	memcpy(secs + SECS_XFRM, &xfrm, sizeof(xfrm));
	if (ioctl(e->fd, SGX_IOC_ENCLAVE_CREATE, &arg) < 0)
		return refused(err, device, "SGX_IOC_ENCLAVE_CREATE", errno);
	return 0;
}

static int add_page(
	struct enclave *e, const char *device, const struct enclave_page *page, struct error *err)
{
	_Alignas(SECINFO_SIZE) unsigned char secinfo[SECINFO_SIZE] = {0};
	/* From memory that could be executed: the kernel takes no other. */
	_Alignas(ENCLAVE_PAGE) unsigned char content[ENCLAVE_PAGE];
	struct sgx_enclave_add_pages arg = {
		.src = (uintptr_t)content,
		.offset = page->offset,
		.length = ENCLAVE_PAGE,
		.secinfo = (uintptr_t)secinfo,
		.flags = page->measured ? SGX_PAGE_MEASURE : 0,
	};

	memcpy(secinfo, &page->flags, sizeof(page->flags));
	memcpy(content, page->content, sizeof(content));
	while (ioctl(e->fd, SGX_IOC_ENCLAVE_ADD_PAGES, &arg) < 0)
		if (errno != EINTR)
			return refused(err, device, "SGX_IOC_ENCLAVE_ADD_PAGES", errno);
	if (arg.count != ENCLAVE_PAGE)
		return error_set(
			err, -EAGAIN, "%s: the kernel took no page of the enclave", device);
	return 0;
}

static int init(struct enclave *e, const char *device,
	const unsigned char sigstruct[SIGSTRUCT_SIZE], struct error *err)
{
	_Alignas(ENCLAVE_PAGE) unsigned char aligned[ENCLAVE_PAGE] = {0};
	struct sgx_enclave_init arg = {.sigstruct = (uintptr_t)aligned};

	memcpy(aligned, sigstruct, SIGSTRUCT_SIZE);
	while (ioctl(e->fd, SGX_IOC_ENCLAVE_INIT, &arg) < 0)
		if (errno != EINTR)
			return refused(err, device, "SGX_IOC_ENCLAVE_INIT", errno);
	return 0;
}

/* A TCS is no memory of anybody's, but the processor uses it as one that is written. */
static int protection(uint64_t flags)
{
	if (flags & SECINFO_TCS)
		return PROT_READ | PROT_WRITE;
	return (flags & SECINFO_R ? PROT_READ : 0) | (flags & SECINFO_W ? PROT_WRITE : 0) |
	       (flags & SECINFO_X ? PROT_EXEC : 0);
}

static int map(
	struct enclave *e, const char *device, const struct enclave_image *image, struct error *err)
{
	for (size_t i = 0; i < image->n; i++) {
		const struct enclave_page *page = &image->pages[i];

		void *at = mmap(e->base + page->offset, ENCLAVE_PAGE, protection(page->flags),
			MAP_SHARED | MAP_FIXED, e->fd, 0);

		if (at == MAP_FAILED)
			return refused(err, device, "mmap", errno);
	}
	return 0;
}

int enclave_load(struct enclave **ret, const char *device, const struct enclave_image *image,
	const unsigned char sigstruct[SIGSTRUCT_SIZE], struct error *err)
{
	_cleanup_(enclave_free_p) struct enclave *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return error_oom(err);
	e->fd = -1;
	e->size = image->size;
	r = open_device(&e->fd, device, err);
	if (r == 0)
		r = reserve(e, err);
	if (r == 0)
		r = create(e, device, image, err);
	for (size_t i = 0; r == 0 && i < image->n; i++)
		r = add_page(e, device, &image->pages[i], err);
	if (r == 0)
		r = init(e, device, sigstruct, err);
	if (r == 0)
		r = map(e, device, image, err);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(e);
	return 0;
}

void enclave_free(struct enclave *e)
{
	if (!e)
		return;
	if (e->area)
		munmap(e->area, e->area_size);
	if (e->fd >= 0)
		close(e->fd);
	free(e);
}

/* --- entering --- */

static vdso_sgx_enter_enclave_t find_enter(void)
{
	/* Mapped into every process, and among glibc's objects by this name (vdso(7)). */
	void *vdso = dlopen("linux-vdso.so.1", RTLD_LAZY | RTLD_LOCAL | RTLD_NOLOAD);
	void *symbol = vdso ? dlsym(vdso, "__vdso_sgx_enter_enclave") : NULL;

	return (vdso_sgx_enter_enclave_t)symbol;
}

int enclave_enter_at(uint64_t tcs, void *page, vdso_sgx_enter_enclave_t enter, struct error *err)
{
	struct sgx_enclave_run run = {.tcs = tcs};
	int r;

	enter = enter ? enter : find_enter();
	if (!enter)
		return error_set(err, -ENOSYS,
			"the kernel's vDSO does not enter enclaves: use one of 5.11 or later with "
			"CONFIG_X86_SGX");
	r = evidence_enclave_enter(page, &run, enter);
	if (r != 0)
		return error_set(
			err, r < 0 ? r : -EIO, "the evidence enclave was not entered: %d", r);
	if (run.function != ENCLU_EEXIT)
		return error_set(err, -EIO,
			"the evidence enclave met exception %u (error code %#x, address %#llx)",
			run.exception_vector, run.exception_error_code,
			(unsigned long long)run.exception_addr);
	return 0;
}

int enclave_enter(struct enclave *e, uint64_t tcs, void *page, struct error *err)
{
	return enclave_enter_at((uintptr_t)e->base + tcs, page, NULL, err);
}
