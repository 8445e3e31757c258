/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/audit.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "common/base/clock.h"
#include "common/base/io.h"
#include "common/base/log.h"
#include "webhook/broker/audit_journal.h"

enum {
	REPLICA_MAX = 254,
	TAIL_MAX = 2 * AUDIT_LINE_MAX, /* bytes that hold the last whole line and a part of one */
	KEEP_MAX = 1000,
};

struct audit {
	char *path; /* NULL: standard output */
	char replica[REPLICA_MAX];
	int fd;
	int64_t size; /* of the file: what is behind it was not written by a line that counts */
	int64_t rotate_bytes;
	unsigned keep;
	bool journal, journal_fails;
	struct audit_head head;
};

static int start_chain(struct audit *a, struct error *err)
{
	unsigned char id[(AUDIT_CHAIN_MAX - 1) / 2];

	if (RAND_bytes(id, sizeof(id)) != 1)
		return error_set(err, -EIO, "no randomness for an audit log");
	a->head = (struct audit_head){0};
	for (size_t i = 0; i < sizeof(id); i++)
		snprintf(a->head.chain + 2 * i, 3, "%02x", id[i]);
	return 0;
}

static int read_tail(int fd, int64_t size, char *out, size_t *ret_n)
{
	size_t want = size < TAIL_MAX ? (size_t)size : TAIL_MAX, n = 0;

	while (n < want) {
		ssize_t got = pread(fd, out + n, want - n, size - (int64_t)want + (int64_t)n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got < 0 ? -errno : -EIO;
		n += (size_t)got;
	}
	*ret_n = n;
	return 0;
}

/* Where a file's last line leads to, and how many bytes of it are whole lines. head->seq stays 0
 * when there is no whole line. */
static int look_at_end(
	int fd, const char *path, struct audit_head *head, int64_t *ret_whole, struct error *err)
{
	_cleanup_free_ char *tail = malloc(TAIL_MAX);
	struct audit_line line;
	struct stat st;
	size_t n = 0, begin;
	int r;

	if (!tail)
		return error_oom(err);
	r = fstat(fd, &st) < 0 ? -errno : read_tail(fd, st.st_size, tail, &n);
	if (r < 0)
		return error_set(err, r, "%s: %s", path, strerror(-r));
	*ret_whole = st.st_size;
	for (; n && tail[n - 1] != '\n'; n--)
		--*ret_whole;
	if (!n && st.st_size >= TAIL_MAX)
		return error_set(err, -EBADMSG, "%s: its end is no audit log; move it away", path);
	if (!n)
		return 0;
	begin = n - 1;
	while (begin && tail[begin - 1] != '\n')
		begin--;
	r = audit_line_read(&line, (struct span){tail + begin, n - 1 - begin}, err);
	if (r < 0)
		return error_prefix(err, r,
			"%s: its last line cannot be gone on from; move the file away and look "
			"into "
			"who changed it",
			path);
	*head = line.head;
	return 0;
}

static int sync_folder(const char *path, struct error *err)
{
	_cleanup_free_ char *copy = strdup(path);
	_cleanup_close_ int fd =
		copy ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

	if (fd < 0 || fsync(fd) < 0)
		return error_set(err, -errno, "the folder of %s: %m", path);
	return 0;
}

static char *numbered(const char *path, unsigned n)
{
	char *name = NULL;

	return asprintf(&name, "%s.%u", path, n) < 0 ? NULL : name;
}

/* A crash between the two steps of a rotation leaves PATH.1 alone, or PATH empty. */
static int take_up_rotated(struct audit *a, struct error *err)
{
	_cleanup_free_ char *older = numbered(a->path, 1);
	_cleanup_close_ int fd = older ? open(older, O_RDONLY | O_CLOEXEC) : -1;
	int64_t whole = 0;

	if (!older)
		return error_oom(err);
	if (fd < 0)
		return errno == ENOENT ? 0 : error_set(err, -errno, "%s: %m", older);
	return look_at_end(fd, older, &a->head, &whole, err);
}

static int append(struct audit *a, struct span text, struct error *err)
{
	int r = io_write(a->fd, text);

	if (r == 0 && a->path && fdatasync(a->fd) < 0)
		r = -errno;
	if (r == 0) {
		a->size += (int64_t)text.len;
		return 0;
	}
	/* Half a line would spoil the next one. */
	if (a->path && ftruncate(a->fd, a->size) < 0) {
		close(a->fd);
		a->fd = -1;
	}
	return error_set(err, r, "the audit log %s: %s", a->path ? a->path : "(standard output)",
		strerror(-r));
}

static int note(struct audit *a, const char *text, struct error *err)
{
	_cleanup_buf_ struct buf line = BUF_INIT(AUDIT_LINE_MAX);
	struct audit_head next = a->head;
	int r = audit_line_note(&line, &next, a->replica, clock_unix_usec(), text);

	if (r == 0)
		r = append(a, buf_view(&line), err);
	if (r == 0)
		a->head = next;
	return r;
}

static int open_file(struct audit *a, struct error *err)
{
	struct audit_head head = {0};
	struct stat st;
	char text[80];
	int64_t whole = 0;
	int r;

	a->fd = open(a->path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600);
	if (a->fd < 0 || fstat(a->fd, &st) < 0)
		return error_set(err, -errno, "the audit log %s: %m", a->path);
	if (!S_ISREG(st.st_mode))
		return error_set(err, -EINVAL, "the audit log %s: is no file", a->path);
	r = look_at_end(a->fd, a->path, &head, &whole, err);
	if (r == 0 && head.seq)
		a->head = head;
	else if (r == 0 && !a->head.seq)
		r = take_up_rotated(a, err);
	if (r == 0 && !a->head.seq)
		r = start_chain(a, err);
	if (r == 0)
		r = sync_folder(a->path, err);
	if (r < 0)
		return r;
	a->size = whole;
	if (whole == st.st_size)
		return 0;
	if (ftruncate(a->fd, whole) < 0)
		return error_set(err, -errno, "the audit log %s: %m", a->path);
	snprintf(text, sizeof(text), "cut off %lld bytes of a line that a crash left unfinished",
		(long long)(st.st_size - whole));
	return note(a, text, err);
}

/* PATH.1 becomes PATH.2 and so on; the oldest goes; PATH becomes PATH.1. */
static int rotate(struct audit *a, struct error *err)
{
	for (unsigned i = a->keep; i > 0; i--) {
		_cleanup_free_ char *to = numbered(a->path, i);
		_cleanup_free_ char *from = i > 1 ? numbered(a->path, i - 1) : strdup(a->path);

		if (!from || !to)
			return error_oom(err);
		if (rename(from, to) < 0 && errno != ENOENT)
			return error_set(err, -errno, "the audit log %s: %m", from);
	}
	close(a->fd);
	a->fd = -1;
	return 0;
}

/* A file is open, and has room. */
static int prepare(struct audit *a, size_t n, struct error *err)
{
	int r = 0;

	if (!a->path)
		return 0;
	if (a->fd >= 0 && a->rotate_bytes && a->size && a->size + (int64_t)n > a->rotate_bytes)
		r = rotate(a, err);
	return r == 0 && a->fd < 0 ? open_file(a, err) : r;
}

int audit_new(struct audit **ret_a, const struct audit_options *o, struct error *err)
{
	_cleanup_(audit_free_p) struct audit *a = calloc(1, sizeof(*a));
	int r;

	if (!a)
		return error_oom(err);
	a->fd = -1;
	a->rotate_bytes = o->rotate_bytes;
	a->keep = o->keep < 1 ? 1 : o->keep > KEEP_MAX ? KEEP_MAX : o->keep;
	a->journal = o->journal;
	snprintf(a->replica, sizeof(a->replica), "%s", o->replica);
	r = o->journal ? audit_journal_is_there(err) : 0;
	if (r < 0)
		return r;
	if (*o->path) {
		a->path = strdup(o->path);
		r = a->path ? open_file(a, err) : error_oom(err);
	} else {
		a->fd = STDOUT_FILENO;
		r = start_chain(a, err);
	}
	if (r < 0)
		return r;
	*ret_a = TAKE_PTR(a);
	return 0;
}

void audit_free(struct audit *a)
{
	if (!a)
		return;
	if (a->path && a->fd >= 0)
		close(a->fd);
	free(a->path);
	free(a);
}

/* What fails is said once until it works again. */
static void copy_to_journal(struct audit *a, struct span line, const struct audit_entry *e)
{
	struct error err = {0};
	bool failed = audit_journal(line, e, &err) < 0;

	if (failed && !a->journal_fails)
		log_error(err.message, "Cannot copy the audit log to the journal");
	a->journal_fails = failed;
}

int audit_write(struct audit *a, const struct audit_entry *e, struct error *err)
{
	_cleanup_buf_ struct buf line = BUF_INIT(AUDIT_LINE_MAX);
	struct audit_head next;
	int r = prepare(a, AUDIT_LINE_MAX / 8, err);

	if (r < 0)
		return r;
	next = a->head;
	r = audit_line_write(&line, &next, a->replica, e);
	if (r < 0)
		return error_set(err, r, "a line of the audit log: %s", strerror(-r));
	r = append(a, buf_view(&line), err);
	if (r < 0)
		return r;
	a->head = next;
	if (a->journal)
		copy_to_journal(a, buf_view(&line), e);
	return 0;
}

void audit_where(const struct audit *a, struct audit_head *head)
{
	*head = a->head;
}
