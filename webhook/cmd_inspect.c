/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-webhook inspect: what an enclave, image or pod is, as a profile lists it. */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/base/settings_file.h"
#include "common/base/yaml.h"
#include "webhook/commands.h"
#include "webhook/inspect/identity.h"
#include "webhook/inspect/oci.h"
#include "webhook/inspect/workload.h"
#include "webhook/policy/policy.h"

enum {
	INSPECT_FILE_MAX = 64 << 20, /* bytes; enclaves are some megabytes */
	INSPECT_MEMORY_MAX = 160 << 20,
	INSPECT_OUTPUT_MAX = 8 << 20,
	PATH_LENGTH_MAX = 4096,
};

struct session {
	const char *path;
	struct arena arena;
	struct buf json;
};

static const struct json_limits json_limits = {INSPECT_OUTPUT_MAX, 1000000, 100};
static const struct yaml_limits yaml_limits = {.max_bytes = INSPECT_OUTPUT_MAX,
	.max_nodes = 1000000,
	.max_documents = 100,
	.max_depth = 100};

/* oci_blob() of a folder. digest has been checked: it is no path. */
static int read_blob(void *ctx, struct span digest, struct span *ret, struct error *err)
{
	struct session *s = ctx;
	char path[PATH_LENGTH_MAX];
	struct span hex = span_after(digest, "sha256:");
	int n = snprintf(path, sizeof(path), "%s/blobs/sha256/" SPAN_FMT, s->path, SPAN_ARG(hex));

	if (n < 0 || (size_t)n >= sizeof(path))
		return error_set(err, -ENAMETOOLONG, "the folder's name is too long");
	return settings_read_file(path, OCI_BLOB_MAX, &s->arena, ret, err);
}

static int inspect_folder(struct session *s, struct error *err)
{
	char path[PATH_LENGTH_MAX];
	struct span index;
	int n = snprintf(path, sizeof(path), "%s/index.json", s->path), r;

	if (n < 0 || (size_t)n >= sizeof(path))
		return error_set(err, -ENAMETOOLONG, "the folder's name is too long");
	r = settings_read_file(path, OCI_BLOB_MAX, &s->arena, &index, err);
	return r < 0 ? r : oci_write(&s->json, index, read_blob, s, &s->arena, err);
}

/* The first object of the file that is a pod or makes pods. */
static int inspect_manifest(struct session *s, struct span text, struct error *err)
{
	_cleanup_yaml_stream_ struct yaml_stream stream = {0};
	int r = yaml_read(&stream, text, s->path, &yaml_limits, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < stream.n; i++) {
		_cleanup_json_ struct json doc = {0};
		struct span json = {stream.documents[i].json, stream.documents[i].json_len};
		struct json_val root, pod;
		struct span kind;

		r = json_parse(&doc, json, &json_limits, err);
		if (r < 0)
			return r;
		root = json_root(&doc);
		kind = json_str(json_get(root, "kind"), &s->arena);
		pod = policy_template(kind, root);
		if (json_exists(pod))
			return workload_write(&s->json, pod, &s->arena, err);
	}
	return error_set(err, -EBADMSG,
		"neither a SIGSTRUCT, a signed enclave, the folder of an OCI layout, nor a pod or "
		"a "
		"workload in YAML or JSON");
}

static int inspect_file(struct session *s, struct error *err)
{
	const char *path = strcmp(s->path, "-") == 0 ? "/dev/stdin" : s->path;
	struct stat st;
	struct span text;
	int r;

	if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
		return inspect_folder(s, err);
	r = settings_read_file(path, INSPECT_FILE_MAX, &s->arena, &text, err);
	if (r < 0)
		return r;
	return identity_is(text) ? identity_write(&s->json, text, err)
				 : inspect_manifest(s, text, err);
}

static int print(const struct session *s, struct error *err)
{
	_cleanup_json_ struct json doc = {0};
	_cleanup_buf_ struct buf out = BUF_INIT(INSPECT_OUTPUT_MAX);
	int r = json_parse(&doc, buf_view(&s->json), &json_limits, err);

	if (r == 0)
		r = yaml_write(&out, json_root(&doc));
	if (r < 0)
		return error_set(err, r, "what was found cannot be written");
	fwrite(out.p, 1, out.len, stdout);
	return fflush(stdout) == 0 ? 0 : error_set(err, -errno, "standard output is closed");
}

static void usage(FILE *f)
{
	fputs("Usage: casemate-webhook inspect PATH\n"
	      "\n"
	      "Prints what PATH is, as an EnclaveProfile lists it, ready to be pasted below spec:\n"
	      "  a SIGSTRUCT (Gramine's .sig) or a signed enclave (.so): identities\n"
	      "  the folder of an OCI layout: the workload's image digests and command\n"
	      "  a pod or workload in YAML or JSON (a live one has the digests that run):\n"
	      "  the workload; - is standard input\n"
	      "Signatures and digests are checked. Keep what you want to run, and take out what\n"
	      "you do not.\n"
	      "Exit code 1: PATH is none of these, or is not what its signature says.\n",
		f);
}

int command_inspect(int argc, char **argv)
{
	struct session s = {
		.arena = ARENA_INIT(INSPECT_MEMORY_MAX), .json = BUF_INIT(INSPECT_OUTPUT_MAX)};
	struct error err = {0};
	int r;

	if (argc > 0 && strcmp(argv[0], "--help") == 0) {
		usage(stdout);
		return COMMAND_DONE;
	}
	if (argc != 1 || (argv[0][0] == '-' && argv[0][1])) {
		usage(stderr);
		return COMMAND_USAGE;
	}
	s.path = argv[0];
	r = inspect_file(&s, &err);
	if (r == 0)
		r = print(&s, &err);
	if (r < 0)
		fprintf(stderr, "casemate-webhook inspect: %s: %s\n", s.path, err.message);
	buf_free(&s.json);
	arena_free(&s.arena);
	return r == 0 ? COMMAND_DONE : COMMAND_REFUSED;
}
