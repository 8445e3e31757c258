/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/keys_backup.h"

#include <errno.h>
#include <stdio.h>

#include "common/base/io.h"
#include "common/base/settings_file.h"
#include "webhook/broker/kek_lines.h"

#define HEAD "casemate-backup/1\n"
#define KEKS "keks "

enum { BACKUP_MAX = 512 << 20, RECORDS_MAX = 100000 };

struct gathering {
	struct key_store *s;
	struct buf *out;
	size_t n;
	struct error *err;
};

static int gather(void *ctx, const char *name)
{
	struct gathering *g = ctx;
	_cleanup_buf_ struct buf text = BUF_INIT(KEY_RECORD_BYTES_MAX + 1024);
	_cleanup_record_ struct key_record rec = {0};
	int r = key_store_read_name(g->s, name, &rec, g->err);

	if (r == -ENOENT) /* it went meanwhile */
		return 0;
	if (r == 0)
		r = key_record_rewrap(&rec, key_store_keks(g->s), g->err);
	if (r == 0)
		r = key_record_write(&text, &rec, key_store_keks(g->s), g->err);
	if (r < 0)
		return r;
	buf_printf(g->out, "%zu\n", text.len);
	buf_span(g->out, buf_view(&text));
	g->n++;
	return g->out->err ? error_set(g->err, g->out->err, "a backup is too large") : 0;
}

int keys_backup_write(struct key_store *s, const char *path, size_t *ret_records, struct error *err)
{
	_cleanup_buf_ struct buf out = BUF_INIT(BACKUP_MAX);
	_cleanup_buf_ struct buf keks = BUF_INIT(KEK_LINES_BYTES_MAX);
	struct gathering g = {.s = s, .out = &out, .err = err};
	int r;

	buf_puts(&out, HEAD);
	if (key_store_wrapped_keks(s, &keks) == 0) {
		buf_printf(&out, KEKS "%zu\n", keks.len);
		buf_span(&out, buf_view(&keks));
	}
	r = key_store_each(s, gather, &g, err);
	if (r == 0)
		r = buf_puts(&out, "0\n") < 0 ? error_oom(err) : 0;
	if (r == 0)
		r = io_replace(path, 0600, buf_view(&out), err);
	if (r == 0)
		*ret_records = g.n;
	return r;
}

/* The next record's text; *ret_end: there is none any more. */
static int next_record(struct span *rest, struct span *ret, bool *ret_end)
{
	const char *end = rest->len ? memchr(rest->p, '\n', rest->len < 16 ? rest->len : 16) : NULL;
	size_t n = 0;

	if (!end || end == rest->p)
		return -EBADMSG;
	for (const char *p = rest->p; p < end; p++) {
		if (*p < '0' || *p > '9')
			return -EBADMSG;
		n = n * 10 + (size_t)(*p - '0');
	}
	*rest = (struct span){end + 1, rest->len - (size_t)(end + 1 - rest->p)};
	*ret_end = n == 0;
	if (n == 0)
		return rest->len ? -EBADMSG : 0;
	if (n > rest->len)
		return -EBADMSG;
	*ret = (struct span){rest->p, n};
	*rest = (struct span){rest->p + n, rest->len - n};
	return 0;
}

/* Goes through a backup; fn NULL: only looks whether it is whole. */
static int walk(struct span text, const struct kek_ring *keks,
	int (*fn)(void *ctx, struct key_record *rec), void *ctx, struct error *err)
{
	for (size_t i = 0; i <= RECORDS_MAX; i++) {
		_cleanup_record_ struct key_record rec = {0};
		struct span record = SPAN_NONE;
		bool end = false;
		int r = next_record(&text, &record, &end);

		if (r < 0)
			return error_set(err, r, "it is no whole backup (record %zu)", i + 1);
		if (end)
			return 0;
		r = key_record_read(&rec, record, keks, err);
		if (r < 0)
			return error_prefix(err, r, "record %zu", i + 1);
		r = fn ? fn(ctx, &rec) : 0;
		if (r != 0)
			return r;
	}
	return error_set(err, -E2BIG, "more than %d records", RECORDS_MAX);
}

/* What is behind the head and the wrapped KEKs, and these; of a. */
static int open_backup(const char *path, struct arena *a, struct span *ret_records,
	struct span *ret_keks, struct error *err)
{
	struct span text, rest, keks;
	bool end = false;
	int r = settings_read_file(path, BACKUP_MAX, a, &text, err);

	if (r < 0)
		return r;
	rest = span_after(text, HEAD);
	if (!rest.p)
		return error_set(err, -EBADMSG, "%s: it is no backup of keys", path);
	*ret_keks = SPAN_NONE;
	keks = span_after(rest, KEKS);
	if (keks.p) {
		r = next_record(&keks, ret_keks, &end);
		if (r < 0 || end)
			return error_set(err, -EBADMSG,
				"%s: it is no whole backup (key-encryption keys)", path);
		rest = keks;
	}
	*ret_records = rest;
	return 0;
}

int keys_backup_keks(const char *path, struct buf *out, struct error *err)
{
	_cleanup_arena_ struct arena a = ARENA_INIT((size_t)BACKUP_MAX + 65536);
	struct span records = SPAN_NONE, keks = SPAN_NONE;
	int r = open_backup(path, &a, &records, &keks, err);

	if (r < 0)
		return r;
	return buf_span(out, keks) < 0
		       ? error_set(err, -EBADMSG, "%s: too many key-encryption keys", path)
		       : 0;
}

int keys_backup_read(const char *path, const struct kek_ring *keks,
	int (*fn)(void *ctx, struct key_record *rec), void *ctx, struct error *err)
{
	_cleanup_arena_ struct arena a = ARENA_INIT((size_t)BACKUP_MAX + 65536);
	struct span rest = SPAN_NONE, ignored;
	int r = open_backup(path, &a, &rest, &ignored, err);

	if (r < 0)
		return r;
	r = walk(rest, keks, NULL, NULL, err);
	if (r < 0)
		return error_prefix(err, r, "%s", path);
	return walk(rest, keks, fn, ctx, err);
}

int keys_restore_revision(
	struct key_store *s, const struct key_owner *o, struct key_record *rec, struct error *err)
{
	char revision[KEY_REVISION_MAX] = "";
	int r = key_store_revision(s, o, revision, err);

	if (r < 0 && r != -ENOENT)
		return r;
	memcpy(rec->revision, revision, sizeof(rec->revision));
	return 0;
}
