/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/exec/sgx/occlum.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "common/base/cleanup.h"
#include "common/tee/quote.h"

/* sgxioc_gen_dcap_quote_arg_t */
struct gen_quote {
	const unsigned char *report_data; /* 64 bytes */
	uint32_t *len;                    /* of the buffer; of the quote afterwards */
	unsigned char *quote;
};

#define GET_QUOTE_SIZE _IOR('s', 7, uint32_t)
#define GEN_QUOTE      _IOWR('s', 8, struct gen_quote)

bool occlum_here(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISCHR(st.st_mode);
}

static int generate(struct buf *out, int fd, const unsigned char *report_data, struct error *err)
{
	unsigned char bytes[QUOTE_MAX];
	uint32_t size = 0, len;
	struct gen_quote arg = {.report_data = report_data, .len = &len, .quote = bytes};

	if (ioctl(fd, GET_QUOTE_SIZE, &size) < 0)
		return errno == ENOTTY || errno == EINVAL
			       ? error_set(err, -ENOTSUP,
					 "makes no quotes: want Occlum's, built with DCAP")
			       : error_set(err, -EAGAIN, "%s", strerror(errno));
	if (size == 0 || size > sizeof(bytes))
		return error_set(err, -EBADMSG, "%u bytes: not the size of a quote", size);
	len = size;
	if (ioctl(fd, GEN_QUOTE, &arg) < 0)
		return error_set(err, -EAGAIN,
			"%s: the host gives the enclave no quote: the pod needs AESM "
			"(casemate.dev/quote: aesm), and the node an attested SGX platform",
			strerror(errno));
	if (len > size)
		return error_set(err, -EBADMSG, "%u bytes, more than were asked for", len);
	return buf_add(out, bytes, len) < 0 ? error_oom(err) : 0;
}

int occlum_quote(struct buf *out, const char *path,
	const unsigned char report_data[64], struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	int r;

	if (fd < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	r = generate(out, fd, report_data, err);
	return r < 0 ? error_prefix(err, r, "%s", path) : 0;
}
