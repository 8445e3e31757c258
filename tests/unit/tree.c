/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/codec.h"
#include "tests/unit/test.h"

enum { PATH_MAX_ = 512 };

bool tree_new(struct tree *t)
{
	*t = (struct tree){.root = "/tmp/casemate-tree-XXXXXX"};
	return mkdtemp(t->root) != NULL;
}

static void make_parents(char *path)
{
	for (char *p = path + 1; (p = strchr(p, '/')) != NULL; p++) {
		*p = '\0';
		mkdir(path, 0755);
		*p = '/';
	}
}

static bool write_bytes(const char *path, const void *bytes, size_t n)
{
	FILE *f = fopen(path, "w");

	if (!f)
		return false;
	fwrite(bytes, 1, n, f);
	return fclose(f) == 0;
}

static bool write_hex(const char *path, const char *hex)
{
	_cleanup_buf_ struct buf bytes = BUF_INIT(1 << 20);

	return codec_unhex(&bytes, span_str(hex)) == 0 && write_bytes(path, bytes.p, bytes.len);
}

static bool make_socket(struct tree *t, const char *path, bool listens)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if ((size_t)snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path) >=
		sizeof(addr.sun_path))
		return false;
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return false;
	if (!listens)
		return close(fd) == 0;
	if (t->n_sockets == TREE_SOCKETS_MAX)
		return false;
	t->sockets[t->n_sockets++] = fd;
	return listen(fd, 8) == 0;
}

static bool make_device(struct tree *t, const char *path, const char *mode)
{
	mode_t m = (mode_t)strtoul(mode, NULL, 8);

	if (mknod(path, S_IFCHR | m, makedev(1, 3)) < 0) {
		t->unprivileged = errno == EPERM;
		return t->unprivileged;
	}
	return chmod(path, m) == 0;
}

static bool make_mount(struct tree *t, const char *path, const char *other)
{
	char from[PATH_MAX_];

	snprintf(from, sizeof(from), "%s%s", t->root, other);
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return false;
	if (mount(from, path, NULL, MS_BIND, NULL) < 0) {
		t->unprivileged = errno == EPERM;
		return t->unprivileged;
	}
	return (size_t)snprintf(t->mount, sizeof(t->mount), "%s", path) < sizeof(t->mount);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_all(const char *path)
{
	nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static bool move(const struct tree *t, const char *from, const char *to)
{
	char path[PATH_MAX_];

	snprintf(path, sizeof(path), "%s%s", t->root, to);
	return rename(from, path) == 0;
}

static void close_sockets(struct tree *t)
{
	while (t->n_sockets > 0)
		close(t->sockets[--t->n_sockets]);
}

void tree_step(struct tree *t, const char *step)
{
	char path[PATH_MAX_];
	const char *end = strchrnul(step + 2, ' '), *rest = *end ? end + 1 : end;
	bool ok = false;

	snprintf(path, sizeof(path), "%s%.*s", t->root, (int)(end - step - 2), step + 2);
	make_parents(path);
	switch (step[0]) {
	case 'f':
		ok = write_bytes(path, rest, strlen(rest));
		break;
	case 'x':
		ok = write_hex(path, rest);
		break;
	case 'c':
		ok = make_device(t, path, rest);
		break;
	case 'd':
		ok = mkdir(path, 0755) == 0 || errno == EEXIST;
		break;
	case 'l':
		ok = symlink(rest, path) == 0;
		break;
	case 'p':
		ok = mkfifo(path, 0666) == 0;
		break;
	case 's':
	case 'o':
		ok = make_socket(t, path, step[0] == 's');
		break;
	case 'k':
		close_sockets(t);
		ok = true;
		break;
	case 'm':
		ok = move(t, path, rest);
		break;
	case 'b':
		ok = make_mount(t, path, rest);
		break;
	case '-':
		remove_all(path);
		ok = true;
		break;
	}
	CHECK_ROW(step, ok, "this step failed: %s", strerror(errno));
}

void tree_steps(struct tree *t, const char *const *steps)
{
	for (size_t i = 0; steps && steps[i]; i++)
		tree_step(t, steps[i]);
}

void tree_free(struct tree *t)
{
	close_sockets(t);
	if (t->mount[0])
		umount2(t->mount, MNT_DETACH);
	remove_all(t->root);
}

const char *tree_text(const struct tree *t, const char *path)
{
	static char text[4096];
	char full[PATH_MAX_];
	FILE *f;
	size_t n;

	snprintf(full, sizeof(full), "%s%s", t->root, path);
	f = fopen(full, "r");
	n = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
	text[n] = '\0';
	if (f)
		fclose(f);
	return text;
}
