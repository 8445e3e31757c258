/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/profile_files.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>

#include "common/base/cleanup.h"
#include "common/base/settings_file.h"
#include "webhook/config.h"

const struct yaml_limits manifest_limits = {
	.max_bytes = 16 * 1024 * 1024,
	.max_nodes = 1024 * 1024,
	.max_documents = 10000,
	.max_depth = 100,
};

static const struct json_limits json_limits = {
	.max_bytes = 16 * 1024 * 1024,
	.max_nodes = 1024 * 1024,
	.max_depth = 100,
};

int profile_files_add(struct profile_files *f, const struct yaml_stream *s, const char *name,
	bool strict, struct arena *a, struct error *err)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct yaml_document *d = &s->documents[i];
		_cleanup_json_ struct json doc = {0};
		struct span text = {d->json, d->json_len};
		int r = json_parse(&doc, text, &json_limits, err);

		if (r < 0)
			return error_prefix(err, r, "%s:%u", name, d->line);
		if (!json_str_is(json_get(json_root(&doc), "kind"), "EnclaveProfile")) {
			if (!strict)
				continue;
			return error_set(err, -EINVAL,
				"%s:%u: expected an object of kind EnclaveProfile; keep other "
				"objects out of the profiles folder",
				name, d->line);
		}
		if (f->n == PROFILE_FILES_MAX)
			return error_set(err, -E2BIG, "%s:%u: more than %d profiles", name, d->line,
				PROFILE_FILES_MAX);
		f->objects[f->n] = arena_dup(a, text);
		if (!f->objects[f->n++].p)
			return error_oom(err);
	}
	return 0;
}

static int read_one(struct profile_files *f, const char *path, struct arena *a, struct error *err)
{
	struct yaml_stream s = {0};
	struct span text;
	int r = settings_read_file(path, PROFILE_FILE_BYTES_MAX, a, &text, err);

	if (r < 0)
		return r;
	r = yaml_read(&s, text, path, &manifest_limits, err);
	if (r < 0)
		return r;
	r = profile_files_add(f, &s, path, true, a, err);
	yaml_stream_free(&s);
	return r;
}

static int is_manifest(const struct dirent *d)
{
	return d->d_name[0] != '.' && (fnmatch("*.yaml", d->d_name, 0) == 0 ||
					      fnmatch("*.yml", d->d_name, 0) == 0 ||
					      fnmatch("*.json", d->d_name, 0) == 0);
}

int profile_files_read(struct profile_files *f, const char *dir, struct arena *a,
	struct error *err)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, is_manifest, alphasort), r = 0;

	if (n < 0)
		return error_set(err, -errno, "%s: %s; expected a folder of EnclaveProfiles", dir,
			strerror(errno));
	for (int i = 0; i < n; i++) {
		char *path = r == 0 ? arena_printf(a, "%s/%s", dir, entries[i]->d_name) : NULL;

		if (path)
			r = read_one(f, path, a, err);
		else if (r == 0)
			r = error_oom(err);
		free(entries[i]);
	}
	free(entries);
	return r;
}

int profile_files_load(const char *dir, const struct policy_config *config,
	struct profile_set **ret_set, struct error *err)
{
	_cleanup_free_ struct profile_files *files = calloc(1, sizeof(*files));
	_cleanup_arena_ struct arena a = ARENA_INIT(64 * 1024 * 1024);
	int r = 0;

	if (!files)
		return error_oom(err);
	if (*dir)
		r = profile_files_read(files, dir, &a, err);
	if (r < 0)
		return r;
	return profile_set_new(ret_set, files->objects, files->n, NULL, 0, true, config, err);
}
