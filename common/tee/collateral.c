/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/collateral.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/base/io.h"
#include "common/tee/collateral_add.h"

int collateral_new(struct collateral **ret, struct error *err)
{
	struct collateral *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return error_oom(err);
	r = roots_builtin(&c->roots, err);
	if (r < 0) {
		free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void collateral_free(struct collateral *c)
{
	if (!c)
		return;
	roots_free(&c->roots);
	intel_collateral_free(&c->intel);
	amd_collateral_free(&c->amd);
	free(c);
}

static struct span skip_space(struct span s)
{
	while (s.len && s.p[0] && strchr(" \t\r\n", s.p[0]))
		s = (struct span){s.p + 1, s.len - 1};
	return s;
}

int collateral_add(struct collateral *c, struct span text, const char *name, struct error *err)
{
	int r;

	c->epoch++;
	if (text.len > COLLATERAL_MAX)
		return error_set(err, -E2BIG, "%s: more than %d bytes", name, COLLATERAL_MAX);
	if (span_starts(skip_space(text), "{"))
		r = collateral_add_json(c, text, err);
	else
		r = collateral_add_bytes(c, text, err);
	return r < 0 ? error_prefix(err, r, "%s", name) : 0;
}

static int read_file(struct buf *out, int dir, const char *file, struct error *err)
{
	_cleanup_close_ int fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int r;

	if (fd < 0)
		return error_set(err, -errno, "cannot be opened: %m");
	r = io_read(fd, out);
	if (out->err)
		return error_set(err, r, "more than %d bytes, or out of memory", COLLATERAL_MAX);
	return r < 0 ? error_set(err, r, "cannot be read: %s", strerror(-r)) : 0;
}

static int add_file(
	struct collateral *c, int dir, const char *file, const char *name, struct error *err)
{
	_cleanup_buf_ struct buf text = BUF_INIT(COLLATERAL_MAX);
	int r = read_file(&text, dir, file, err);

	if (r < 0)
		return error_prefix(err, r, "%s", name);
	return collateral_add(c, buf_view(&text), name, err);
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int not_hidden(const struct dirent *e)
{
	return e->d_name[0] != '.';
}

/* One that is broken does not keep the others away; the first such is what is returned. */
static int add_entries(struct collateral *c, int dir, const char *path, struct dirent **entries,
	int n, struct error *err)
{
	struct error each = {0};
	int known = 0, first = 0;

	for (int i = 0; i < n; i++) {
		_cleanup_free_ char *name = NULL;
		struct stat st;
		int r = 0;

		if (asprintf(&name, "%s/%s", path, entries[i]->d_name) < 0) {
			name = NULL;
			return error_oom(err);
		}
		if (fstatat(dir, entries[i]->d_name, &st, 0) < 0)
			r = error_set(&each, -errno, "%s: %m", name);
		else if (S_ISREG(st.st_mode))
			r = add_file(c, dir, entries[i]->d_name, name, &each);
		else
			continue;
		known += r == 0;
		if (r < 0 && r != -ENOMSG && first == 0)
			first = error_set(err, r, "%s", each.message);
	}
	if (known == 0 && first == 0)
		first = error_set(err, -ENOMSG, "%s: no file of it is collateral", path);
	return first;
}

int collateral_add_path(struct collateral *c, const char *path, struct error *err)
{
	struct dirent **entries = NULL;
	_cleanup_close_ int dir = -1;
	struct stat st;
	int n, r;

	if (stat(path, &st) < 0)
		return error_set(err, -errno, "%s: %m", path);
	if (!S_ISDIR(st.st_mode))
		return add_file(c, AT_FDCWD, path, path, err);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_set(err, -errno, "%s: %m", path);
	n = scandirat(dir, ".", &entries, not_hidden, by_bytes);
	if (n < 0)
		return error_set(err, -errno, "%s: %m", path);
	r = add_entries(c, dir, path, entries, n, err);
	for (int i = 0; i < n; i++)
		free(entries[i]);
	free(entries);
	return r;
}
