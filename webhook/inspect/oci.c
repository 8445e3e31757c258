/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/inspect/oci.h"

#include <errno.h>
#include <openssl/evp.h>

#include "common/base/codec.h"
#include "common/base/json.h"

enum {
	DIGESTS_MAX = 64,
	DEPTH_MAX = 3, /* index.json, an index of platforms, a manifest */
	SHA256_LEN = 32,
};

/* One image being read. */
struct image {
	oci_blob *blob;
	void *ctx;
	struct arena *a;
	struct error *err;
	struct span digests[DIGESTS_MAX];
	size_t n;
	struct buf command; /* the words as JSON, comma-separated; of the first config */
	bool configured;
};

static const struct json_limits limits = {OCI_BLOB_MAX, 100000, 32};

static int parse(struct image *im, struct json *doc, struct span text, const char *what)
{
	int r = json_parse(doc, text, &limits, im->err);

	if (r < 0)
		return error_prefix(im->err, r == -ENOMEM ? r : -EBADMSG, "%s", what);
	return 0;
}

/* The digest of a descriptor. */
static int read_digest(struct image *im, struct json_val descriptor, struct span *ret)
{
	unsigned char bytes[SHA256_LEN];
	struct span s = json_str(json_get(descriptor, "digest"), im->a);
	struct span hex = span_after(s, "sha256:");

	if (codec_hex_exact(bytes, sizeof(bytes), hex) < 0)
		return error_set(im->err, -EBADMSG,
			"a descriptor has no digest of SHA-256 (\"sha256:\" and 64 digits)");
	for (size_t i = 0; i < hex.len; i++)
		if (hex.p[i] >= 'A' && hex.p[i] <= 'F')
			return error_set(
				im->err, -EBADMSG, "a descriptor's digest is not in lower case");
	*ret = s;
	return 0;
}

/* A blob whose bytes have their digest. */
static int fetch(struct image *im, struct span digest, struct span *ret)
{
	unsigned char want[SHA256_LEN], got[SHA256_LEN];
	int r = im->blob(im->ctx, digest, ret, im->err);

	if (r < 0)
		return r;
	if (codec_hex_exact(want, sizeof(want), span_after(digest, "sha256:")) < 0 ||
		EVP_Digest(ret->p, ret->len, got, NULL, EVP_sha256(), NULL) != 1 ||
		memcmp(want, got, sizeof(got)) != 0)
		return error_set(im->err, -EBADMSG, "blob " SPAN_FMT " has another digest",
			SPAN_ARG(digest));
	return 0;
}

static void add_words(struct image *im, struct json_val words)
{
	struct json_iter it;

	json_each (it, words) {
		if (!json_is_string(it.value))
			continue;
		if (im->command.len)
			buf_putc(&im->command, ',');
		buf_span(&im->command, json_raw(it.value));
	}
}

static int read_config(struct image *im, struct json_val descriptor)
{
	_cleanup_json_ struct json doc = {0};
	struct span digest = SPAN_NONE, text = SPAN_NONE;
	struct json_val config;
	int r = read_digest(im, descriptor, &digest);

	if (r == 0)
		r = fetch(im, digest, &text);
	if (r == 0)
		r = parse(im, &doc, text, "the image's configuration");
	if (r < 0)
		return r;
	config = json_get(json_root(&doc), "config");
	add_words(im, json_get(config, "Entrypoint"));
	add_words(im, json_get(config, "Cmd"));
	im->configured = true;
	return im->command.err;
}

static int read_index(struct image *im, struct json_val index, unsigned depth);

/* An index of platforms, or a manifest. */
static int read_descriptor(struct image *im, struct json_val descriptor, unsigned depth)
{
	_cleanup_json_ struct json doc = {0};
	struct span digest = SPAN_NONE, text = SPAN_NONE;
	struct json_val root;
	int r = read_digest(im, descriptor, &digest);

	if (r < 0)
		return r;
	if (im->n == DIGESTS_MAX || depth == DEPTH_MAX)
		return error_set(im->err, -E2BIG, "the index has more than %d images, or is nested",
			DIGESTS_MAX);
	im->digests[im->n++] = digest;
	r = fetch(im, digest, &text);
	if (r == 0)
		r = parse(im, &doc, text, "a manifest");
	if (r < 0)
		return r;
	root = json_root(&doc);
	if (json_exists(json_get(root, "manifests")))
		return read_index(im, root, depth + 1);
	return im->configured ? 0 : read_config(im, json_get(root, "config"));
}

static int read_index(struct image *im, struct json_val index, unsigned depth)
{
	struct json_iter it;

	if (!json_is_array(json_get(index, "manifests")))
		return error_set(im->err, -EBADMSG, "no index of an OCI layout (manifests)");
	json_each (it, json_get(index, "manifests")) {
		int r = read_descriptor(im, it.value, depth);

		if (r < 0)
			return r;
	}
	return 0;
}

static int write_image(const struct image *im, struct buf *out)
{
	buf_puts(out, "{\"workload\":{\"containers\":[{\"name\":\"app\",\"imageDigests\":[");
	for (size_t i = 0; i < im->n; i++) {
		if (i)
			buf_putc(out, ',');
		buf_json_string(out, im->digests[i]);
	}
	buf_putc(out, ']');
	if (im->command.len) {
		buf_puts(out, ",\"command\":[");
		buf_span(out, buf_view(&im->command));
		buf_putc(out, ']');
	}
	return buf_puts(out, ",\"probes\":\"none\"}]}}");
}

int oci_write(struct buf *out, struct span index, oci_blob *blob, void *ctx, struct arena *a,
	struct error *err)
{
	struct image im = {
		.blob = blob, .ctx = ctx, .a = a, .err = err, .command = BUF_INIT(OCI_BLOB_MAX)};
	_cleanup_json_ struct json doc = {0};
	int r = parse(&im, &doc, index, "index.json");

	if (r == 0)
		r = read_index(&im, json_root(&doc), 0);
	if (r == 0 && im.n == 0)
		r = error_set(err, -EBADMSG, "index.json lists no image");
	if (r == 0)
		r = write_image(&im, out);
	buf_free(&im.command);
	return r;
}
