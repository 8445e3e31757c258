/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/evidence/tsm.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "common/base/io.h"
#include "common/tee/evidence.h"

enum { NAME_TRIES = 4, TEXT_MAX = 64 };

/* An entry below root; dir is the entry, -1: there is none. */
struct entry {
	const char *root;
	int parent, dir;
	char name[40];
	struct error *err;
};

static void entry_remove(struct entry *e)
{
	if (e->dir >= 0) {
		close(e->dir);
		unlinkat(e->parent, e->name, AT_REMOVEDIR);
	}
	if (e->parent >= 0)
		close(e->parent);
}

/* What a failure of the kernel's means; -EAGAIN where trying again may help. */
static int failed(const struct entry *e, const char *what, int r)
{
	static const struct {
		int code, to;
		const char *why;
	} known[] = {
		{-ENXIO, -ENOENT, "no driver offers reports: load tdx_guest or sev_guest"},
		{-ENOTTY, -ENOENT, "the driver that offers reports is gone"},
		{-EBUSY, -EAGAIN, "somebody changed the request while it was under way"},
		{-EINTR, -EAGAIN, "it was interrupted"},
		{-ETIMEDOUT, -EAGAIN,
			"the host did not answer in time: see that its quote service runs"},
		{-EIO, -EAGAIN, "the host could make no report: see that its quote service runs"},
		{-EFBIG, -EFBIG, "the report is larger than the kernel allows"},
		{-EACCES, -EACCES, "the agent may not: run it as root"},
		{-EPERM, -EPERM, "the agent may not: run it as root"},
		{-EROFS, -EROFS,
			"it is mounted read-only: give the agent a writable mount of it (in the "
			"chart: agent.tsm.enabled)"},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].code == r)
			return error_set(e->err, known[i].to, "%s/%s/%s: %s", e->root, e->name,
				what, known[i].why);
	return error_set(e->err, r, "%s/%s/%s: %s", e->root, e->name, what, strerror(-r));
}

/* Nobody guesses the name, so that nobody else writes into the entry. */
static int entry_make(struct entry *e)
{
	e->parent = open(e->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (e->parent < 0)
		return error_set(e->err, -errno,
			"%s: %s: the kernel must have configfs-tsm (6.7 on) and configfs be "
			"mounted",
			e->root, strerror(errno));
	for (int i = 0; i < NAME_TRIES; i++) {
		uint64_t n[2];

		if (getrandom(n, sizeof(n), 0) != (ssize_t)sizeof(n))
			return error_set(e->err, -EAGAIN, "there are no random numbers");
		snprintf(e->name, sizeof(e->name), "%016llx%016llx", (unsigned long long)n[0],
			(unsigned long long)n[1]);
		if (mkdirat(e->parent, e->name, 0700) == 0) {
			e->dir = openat(e->parent, e->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
			if (e->dir >= 0)
				return 0;
			unlinkat(e->parent, e->name, AT_REMOVEDIR);
		}
		if (errno != EEXIST)
			break;
	}
	return failed(e, "", -errno);
}

/* To the end of the file; the kernel gives it in pieces as it likes. */
static int read_all(const struct entry *e, const char *name, struct buf *out)
{
	_cleanup_close_ int fd = openat(e->dir, name, O_RDONLY | O_CLOEXEC);
	int r = fd < 0 ? -errno : io_read(fd, out);

	if (r == -E2BIG)
		r = -EFBIG;
	return r < 0 ? failed(e, name, r) : 0;
}

/* Binary attributes take effect at close(), which is where they fail. */
static int write_all(const struct entry *e, const char *name, const void *p, size_t len)
{
	int fd = openat(e->dir, name, O_WRONLY | O_CLOEXEC);
	ssize_t n;
	int r = 0;

	if (fd < 0)
		return failed(e, name, -errno);
	n = write(fd, p, len);
	if (n < 0)
		r = -errno;
	else if ((size_t)n != len)
		r = -EIO;
	if (close(fd) < 0 && r == 0)
		r = -errno;
	return r < 0 ? failed(e, name, r) : 0;
}

/* A line of text, without its end. */
static int read_text(const struct entry *e, const char *name, char text[TEXT_MAX])
{
	_cleanup_buf_ struct buf b = BUF_INIT(TEXT_MAX - 1);
	int r = read_all(e, name, &b);

	if (r < 0)
		return r;
	while (b.len && (b.p[b.len - 1] == '\n' || b.p[b.len - 1] == '\0'))
		b.len--;
	if (b.len)
		memcpy(text, b.p, b.len);
	text[b.len] = '\0';
	return 0;
}

static int read_number(const struct entry *e, const char *name, uint64_t *ret)
{
	char text[TEXT_MAX], *end;
	int r = read_text(e, name, text);

	if (r < 0)
		return r;
	*ret = strtoull(text, &end, 10);
	return end != text && *end == '\0' ? 0 : failed(e, name, -EBADMSG);
}

static bool offers(const struct entry *e, const char *name)
{
	return faccessat(e->dir, name, F_OK, 0) == 0;
}

/* VMPL 0 where the guest has it; below an SVSM the lowest that it may ask for. *ret_writes: how
 * many times the request was changed. */
static int set_privlevel(const struct entry *e, uint64_t *ret_writes)
{
	char text[TEXT_MAX];
	uint64_t floor;
	int r, n;

	*ret_writes = 0;
	if (!offers(e, "privlevel_floor") || !offers(e, "privlevel"))
		return 0;
	r = read_number(e, "privlevel_floor", &floor);
	if (r < 0 || floor == 0)
		return r;
	n = snprintf(text, sizeof(text), "%llu", (unsigned long long)floor);
	*ret_writes = 1;
	return write_all(e, "privlevel", text, (size_t)n);
}

/* Is what came a report, of this provider, with this report data? */
static int check_report(const struct entry *e, const char *provider, struct span outblob,
	const unsigned char report_data[64])
{
	_cleanup_evidence_ struct evidence ev = {0};
	bool tdx = strcmp(provider, "tdx_guest") == 0;
	enum reason reason;
	int r = evidence_open(&ev, outblob, &reason, e->err);

	if (r < 0)
		return error_prefix(e->err, r, "%s/%s/outblob", e->root, e->name);
	if (ev.tee != (tdx ? TEE_TYPE_TDX : TEE_TYPE_SNP))
		return error_set(e->err, -EBADMSG, "%s/%s/outblob is no report of %s", e->root,
			e->name, provider);
	if (memcmp(evidence_report_data(&ev), report_data, 64) != 0)
		return error_set(e->err, -EBADMSG,
			"%s/%s/outblob was made for other report data: try again", e->root,
			e->name);
	return 0;
}

static int ask(const struct entry *e, const unsigned char report_data[64], struct buf *out,
	struct buf *aux, char provider[TEXT_MAX])
{
	uint64_t before, after, writes = 0;
	int r = read_text(e, "provider", provider);

	if (r == 0 && strcmp(provider, "tdx_guest") != 0 && strcmp(provider, "sev_guest") != 0)
		return error_set(e->err, -EOPNOTSUPP,
			"%s: reports are of \"%s\", which is neither tdx_guest nor sev_guest",
			e->root, provider);
	if (r == 0)
		r = read_number(e, "generation", &before);
	if (r == 0)
		r = set_privlevel(e, &writes);
	if (r == 0)
		r = write_all(e, "inblob", report_data, 64);
	if (r == 0)
		r = read_all(e, "outblob", out);
	if (r == 0 && offers(e, "auxblob"))
		r = read_all(e, "auxblob", aux);
	if (r == 0)
		r = read_number(e, "generation", &after);
	if (r == 0 && after != before + writes + 1)
		r = failed(e, "generation", -EBUSY);
	return r < 0 ? r : check_report(e, provider, buf_view(out), report_data);
}

int tsm_report(const char *root, const unsigned char report_data[64], struct buf *outblob,
	struct buf *auxblob, char provider[TSM_PROVIDER_MAX], struct error *err)
{
	_cleanup_(entry_remove) struct entry e = {
		.root = root, .parent = -1, .dir = -1, .err = err};
	_cleanup_buf_ struct buf out = BUF_INIT(TSM_OUTBLOB_MAX), aux = BUF_INIT(TSM_AUXBLOB_MAX);
	char name[TEXT_MAX] = "";
	int r = entry_make(&e);

	if (r == 0)
		r = ask(&e, report_data, &out, &aux, name);
	if (r < 0)
		return r;
	if (buf_span(outblob, buf_view(&out)) < 0 || buf_span(auxblob, buf_view(&aux)) < 0)
		return error_oom(err);
	snprintf(provider, TSM_PROVIDER_MAX, "%.*s", TSM_PROVIDER_MAX - 1, name);
	return 0;
}
