/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/settings_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/cleanup.h"

int settings_read_file(const char *path, size_t max, struct arena *a, struct span *ret_text,
	struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t n = 0;
	char *p;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_set(err, -errno, "%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return error_set(err, -EISDIR, "%s: is a folder, expected a file", path);
	if (S_ISREG(st.st_mode) && (size_t)st.st_size < max)
		max = (size_t)st.st_size + 1;
	p = arena_alloc(a, max + 1);
	if (!p)
		return error_oom(err);
	for (;;) {
		ssize_t r = read(fd, p + n, max - n);

		if (r < 0 && errno == EINTR)
			continue;
		if (r < 0)
			return error_set(err, -errno, "%s: %s", path, strerror(errno));
		n += (size_t)r;
		if (r == 0)
			break;
		if (n == max)
			return error_set(err, -E2BIG, "%s: larger than %zu bytes", path, max - 1);
	}
	*ret_text = (struct span){p, n};
	return 0;
}

int settings_blame_file(int r)
{
	return r == -EINVAL ? -EBADMSG : r;
}

/* The file must be known before the settings in it can be read: a first pass over flags and
 * environment finds it. */
int settings_load(const struct settings_load *l, void *target, struct arena *a,
	struct strings *ret_rest, struct error *err)
{
	const char **file = (const char **)((char *)target + l->file);
	struct settings_input in = {
		.table = l->table,
		.n = l->n,
		.environment = environ,
		.argc = l->argc,
		.argv = l->argv,
	};
	const char *name;
	int r = settings_read(&in, target, a, ret_rest, err);

	if (r < 0)
		return r;
	name = *file;
	if (!*name && l->default_file && access(l->default_file, F_OK) == 0)
		name = l->default_file;
	if (!*name)
		return 0;
	in.file = name;
	r = settings_read_file(name, SETTINGS_FILE_MAX, a, &in.text, err);
	if (r == 0)
		r = settings_read(&in, target, a, ret_rest, err);
	if (r < 0)
		return settings_blame_file(r);
	*file = name;
	return 0;
}
