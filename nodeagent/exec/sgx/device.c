/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/exec/sgx/device.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/tee/quote.h"
#include "nodeagent/exec/file.h"
#include "nodeagent/exec/sgx/occlum.h"

enum { PATH_SIZE = 512, TYPE_MAX = 64 };

static const char *place(char path[PATH_SIZE], const char *dir, const char *name)
{
	snprintf(path, PATH_SIZE, "%s/%s", dir, name);
	return path;
}

static bool is_word(struct span s)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < 'a' || s.p[i] > 'z')
			return false;
	return s.len > 0;
}

/* Does Gramine's enclave attest? */
static int gramine_ready(const char *dir, struct error *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(TYPE_MAX);
	char path[PATH_SIZE];
	int r = exec_file_read(&text, place(path, dir, "attestation_type"));
	struct span type = buf_view(&text);

	if (r < 0)
		return error_set(err, r, "%s: %s", path, strerror(-r));
	if (type.len && type.p[type.len - 1] == '\n')
		type.len--;
	if (span_is(type, "dcap"))
		return 0;
	return error_set(err, -ENOTSUP,
		"%s: is " SPAN_FMT ": write sgx.remote_attestation = \"dcap\" into the manifest, "
		"and sign the enclave anew",
		path, SPAN_ARG(is_word(type) ? type : SPAN_LIT("no word")));
}

int sgx_device_find(struct sgx_device *ret_d, const char *gramine, const char *occlum,
	struct error *err)
{
	int r = gramine_ready(gramine, err);

	*ret_d = (struct sgx_device){.path = gramine};
	if (r != -ENOENT && r != -ENOTDIR)
		return r;
	if (occlum_here(occlum)) {
		*ret_d = (struct sgx_device){.path = occlum, .occlum = true};
		return 0;
	}
	return error_set(err, -ENOTSUP,
		"%s/attestation_type: there is no such file, nor a device %s: casemate-exec-sgx "
		"runs in an SGX enclave of Gramine (gramine-sgx, not gramine-direct) or Occlum; "
		"outside use casemate-exec",
		gramine, occlum);
}

/* Gramine takes what was written when the file is closed. */
static int write_report_data(
	const char *dir, const unsigned char report_data[SGX_DEVICE_REPORT_DATA], struct error *err)
{
	char path[PATH_SIZE];
	int fd = open(place(path, dir, "user_report_data"), O_WRONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : write(fd, report_data, SGX_DEVICE_REPORT_DATA);
	int r = n < 0 ? -errno : n == SGX_DEVICE_REPORT_DATA ? 0 : -EIO;

	if (fd >= 0 && close(fd) < 0 && r == 0)
		r = -errno;
	return r < 0 ? error_set(err, r, "%s: %s", path, strerror(-r)) : 0;
}

static int read_quote(struct buf *out, const char *dir, struct error *err)
{
	char path[PATH_SIZE];
	int r = exec_file_read(out, place(path, dir, "quote"));

	if (r == -ENOMEM)
		return error_oom(err);
	if (r == -EFBIG)
		return error_set(err, -EBADMSG, "%s: longer than a quote can be", path);
	if (r < 0)
		return error_set(err, -EAGAIN,
			"%s: %s: the host gives the enclave no quote: the pod needs AESM "
			"(casemate.dev/quote: aesm), and the node an attested SGX platform",
			path, strerror(-r));
	return 0;
}

int sgx_device_check(struct span quote, const unsigned char report_data[SGX_DEVICE_REPORT_DATA],
	struct error *err)
{
	enum reason reason;
	struct quote q;
	int r;

	if (!quote.len)
		return error_set(err, -EBADMSG, "it is empty");
	r = quote_parse(&q, quote, &reason, err);
	if (r < 0)
		return r;
	if (q.tdx)
		return error_set(err, -EBADMSG, "it is the quote of a TDX guest");
	if (memcmp(q.sgx.report_data, report_data, SGX_DEVICE_REPORT_DATA) != 0)
		return error_set(err, -EBADMSG,
			"it was made for other report data: does somebody else in this enclave "
			"have quotes made?");
	return 0;
}

static int gramine_quote(struct buf *out, const char *dir,
	const unsigned char report_data[SGX_DEVICE_REPORT_DATA], struct error *err)
{
	int r = write_report_data(dir, report_data, err);

	return r < 0 ? r : read_quote(out, dir, err);
}

int sgx_device_quote(struct buf *out, const struct sgx_device *d,
	const unsigned char report_data[SGX_DEVICE_REPORT_DATA], struct error *err)
{
	int r = d->occlum ? occlum_quote(out, d->path, report_data, err)
			  : gramine_quote(out, d->path, report_data, err);

	if (r < 0)
		return r;
	r = sgx_device_check(buf_view(out), report_data, err);
	return r < 0 ? error_prefix(err, r, "%s%s", d->path, d->occlum ? "" : "/quote") : 0;
}
