/* SPDX-License-Identifier: Apache-2.0
 *
 * Whatever yaml_read accepts is JSON within the limits, with marks where its values are; and
 * yaml_write gives YAML that reads as the same value again. */
#include "common/base/yaml.h"

#include <errno.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct yaml_limits limits = {1 << 16, 1 << 12, 8, 40};
/* A document of the maximum, indented and escaped. */
static const struct yaml_limits again_limits = {1 << 20, 1 << 12, 1, 40};

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void check_marks(const struct yaml_document *d, const struct json *doc)
{
	must(d->n_marks == doc->n && d->line > 0);
	for (uint32_t i = 0; i < doc->n; i++) {
		struct yaml_mark m = yaml_where(d, (struct json_val){doc, i});

		must(m.json_off == doc->nodes[i].off && m.line > 0 && m.column > 0);
	}
}

static void check_round_trip(const struct json *doc)
{
	static const struct json_limits json_limits = {1 << 20, 1 << 12, 40};
	_cleanup_buf_ struct buf out = BUF_INIT(1 << 22);
	_cleanup_yaml_stream_ struct yaml_stream s = {0};
	_cleanup_json_ struct json back = {0};
	struct error err = {0};

	must(yaml_write(&out, json_root(doc)) == 0);
	must(out.len > 0 && out.p[out.len - 1] == '\n');
	must(yaml_read(&s, buf_view(&out), "again", &again_limits, &err) == 0 && s.n == 1);
	must(json_parse(&back, (struct span){s.documents[0].json, s.documents[0].json_len},
		     &json_limits, &err) == 0);
	must(json_equal(json_root(doc), json_root(&back)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct json_limits json_limits = {1 << 16, 1 << 12, 40};
	struct span text = {(const char *)data, size};
	struct yaml_stream s = {0};
	struct error err = {0};
	size_t total = 0;
	int r = yaml_read(&s, text, "in", &limits, &err);

	if (r < 0) {
		must(r == -EBADMSG || r == -E2BIG);
		must(!s.n && !s.documents && strncmp(err.message, "in:", 3) == 0);
		return 0;
	}
	must(s.n <= limits.max_documents);
	for (size_t i = 0; i < s.n; i++) {
		struct yaml_document *d = &s.documents[i];
		_cleanup_json_ struct json doc = {0};

		total += d->json_len;
		must(d->json[d->json_len] == '\0');
		must(json_parse(&doc, (struct span){d->json, d->json_len}, &json_limits, &err) ==
			0);
		check_marks(d, &doc);
		check_round_trip(&doc);
	}
	must(total <= limits.max_bytes);
	yaml_stream_free(&s);
	return 0;
}
