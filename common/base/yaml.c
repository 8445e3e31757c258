/* SPDX-License-Identifier: Apache-2.0
 *
 * Streams of YAML documents, as kubectl splits them (k8s.io/apimachinery/pkg/util/yaml). Text that
 * is strict JSON is taken as JSON, since libyaml knows neither surrogate pairs nor long keys. */
#include "common/base/yaml.h"

#include <errno.h>

#include "common/base/utf8.h"
#include "common/base/yaml_scalar.h"
#include "common/base/yaml_tree.h"

static int add_document(struct yaml_stream *s, struct yaml_tree *t, size_t *cap, struct buf *json,
	struct yaml_document d)
{
	if (yaml_grow((void **)&s->documents, cap, s->n + 1, sizeof(d)) < 0) {
		free(d.marks);
		return error_oom(t->err);
	}
	d.json = json->p;
	d.json_len = json->len;
	*json = BUF_INIT(0);
	s->documents[s->n++] = d;
	return 0;
}

/* Copies JSON without its white space, each number as encoding/json would write it. */
static int compact(
	struct yaml_tree *t, const struct json *doc, struct buf *out, struct yaml_mark *marks)
{
	uint32_t line = 1, column = 1;
	size_t k = 0;

	for (size_t i = 0; i < doc->len;) {
		const struct json_node *n = k < doc->n ? &doc->nodes[k] : NULL;
		struct span raw = {doc->text + i, 1};

		if (n && n->off == i) {
			struct yaml_scalar s = {.type = YAML_SCALAR_STRING};

			marks[k++] = (struct yaml_mark){(uint32_t)out->len, line, column};
			if (n->type != JSON_ARRAY && n->type != JSON_OBJECT)
				raw.len = n->len;
			if (n->type == JSON_NUMBER && yaml_scalar_resolve(&s, raw) < 0)
				return error_oom(t->err);
			if (n->type == JSON_NUMBER && s.type == YAML_SCALAR_STRING)
				return yaml_fail(t, -EBADMSG, line, column, "number out of range");
			if (n->type == JSON_NUMBER)
				yaml_scalar_json(out, &s);
			else
				buf_span(out, raw);
		} else if (!strchr(" \t\r\n", *raw.p)) {
			buf_span(out, raw);
		}
		column += utf8_count(raw);
		if (*raw.p == '\n') {
			line++;
			column = 1;
		}
		i += raw.len;
	}
	return 0;
}

/* 1: text was JSON and is the stream's one document; 0: it is not. */
static int read_json(struct yaml_stream *s, struct yaml_tree *t)
{
	struct json_limits limits = {t->text.len, t->limits->max_nodes, t->limits->max_depth};
	_cleanup_(json_free) struct json doc = {0};
	_cleanup_buf_ struct buf out = BUF_INIT(t->limits->max_bytes);
	_cleanup_free_ struct yaml_mark *marks = NULL;
	struct yaml_document d = {.n_marks = 0};
	size_t i = 0, cap = 0;
	int r;

	while (i < t->text.len && strchr(" \t\r\n", t->text.p[i]))
		i++;
	if (i == t->text.len || !strchr("{[", t->text.p[i]))
		return 0;
	r = json_parse(&doc, t->text, &limits, NULL);
	if (r < 0) /* as YAML its messages say more */
		return r == -ENOMEM ? error_oom(t->err) : 0;
	marks = reallocarray(NULL, doc.n, sizeof(*marks));
	if (!marks)
		return error_oom(t->err);
	r = compact(t, &doc, &out, marks);
	if (r == 0 && out.err == -E2BIG)
		r = yaml_fail(t, -E2BIG, 1, 1, "more than %zu bytes of JSON", t->limits->max_bytes);
	else if (r == 0 && out.err)
		r = error_oom(t->err);
	if (r < 0)
		return r;
	d.line = marks[0].line;
	d.n_marks = doc.n;
	d.marks = TAKE_PTR(marks);
	r = add_document(s, t, &cap, &out, d);
	return r < 0 ? r : 1;
}

/* kubectl splits a file at lines that begin with "---" before any YAML is read, and accepts nothing
 * but a comment behind. */
static int check_separators(struct yaml_tree *t)
{
	size_t line = 1;
	const char *p = t->text.p, *end = p + t->text.len;

	for (; p && p < end; line++) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));
		struct span rest =
			span_after((struct span){p, (size_t)((eol ? eol : end) - p)}, "---");

		while (rest.len && strchr(" \t\r\v\f", rest.p[0]))
			rest = (struct span){rest.p + 1, rest.len - 1};
		if (rest.len && rest.p[0] != '#')
			return yaml_fail(t, -EBADMSG, line, (size_t)(rest.p - p) + 1,
				"only a comment may follow \"---\" on its line: kubectl refuses "
				"more");
		p = eol ? eol + 1 : NULL;
	}
	return 0;
}

static int check_start(const struct yaml_tree *t, const yaml_event_t *ev, bool first)
{
	size_t line = ev->start_mark.line + 1, column = ev->start_mark.column + 1;

	if (ev->data.document_start.version_directive ||
		ev->data.document_start.tag_directives.start !=
			ev->data.document_start.tag_directives.end)
		return yaml_fail(t, -EBADMSG, line, column,
			"%%YAML and %%TAG directives are not supported (nor by kubectl): leave "
			"them out");
	if (!first && ev->data.document_start.implicit)
		return yaml_fail(t, -EBADMSG, line, column,
			"a document must begin with \"---\": kubectl would ignore what follows "
			"here");
	return 0;
}

static int read_document(struct yaml_stream *s, struct yaml_tree *t, size_t *cap, size_t *used)
{
	_cleanup_buf_ struct buf json = BUF_INIT(t->limits->max_bytes - *used);
	struct yaml_document d = {.line = 0};
	int r = yaml_tree_read(t);

	if (r < 0)
		return r;
	if (t->nodes[0].implied)
		return 0; /* nothing but comments */
	if (s->n == t->limits->max_documents)
		return yaml_fail_at(t, -E2BIG, &t->nodes[0], "more than %zu documents",
			t->limits->max_documents);
	r = yaml_expand(t, &json, &d.marks, &d.n_marks);
	if (r < 0)
		return r;
	d.line = t->nodes[0].line;
	*used += json.len;
	return add_document(s, t, cap, &json, d);
}

static int read_documents(struct yaml_stream *s, struct yaml_tree *t)
{
	size_t cap = 0, used = 0;
	bool first = true;
	int r;

	for (;;) {
		yaml_event_t ev;
		bool starts, ends;

		r = yaml_next_event(t, &ev);
		if (r < 0)
			return r;
		ends = ev.type == YAML_STREAM_END_EVENT;
		starts = ev.type == YAML_DOCUMENT_START_EVENT;
		if (starts)
			r = check_start(t, &ev, first);
		yaml_event_delete(&ev);
		if (ends || r < 0)
			return r;
		if (!starts)
			continue;
		first = false;
		r = read_document(s, t, &cap, &used);
		if (r < 0)
			return r;
	}
}

struct feed {
	struct span left;
	bool newline; /* still to come */
};

/* libyaml's input. kubectl ends the last line where the file does not, which shows in a block
 * scalar. */
static int feed(void *data, unsigned char *out, size_t size, size_t *ret_n)
{
	struct feed *f = data;
	size_t n = f->left.len < size ? f->left.len : size;

	memcpy(out, f->left.p, n);
	f->left = (struct span){f->left.p + n, f->left.len - n};
	if (n == 0 && size > 0 && f->newline) {
		out[n++] = '\n';
		f->newline = false;
	}
	*ret_n = n;
	return 1;
}

static int read_yaml(struct yaml_stream *s, struct yaml_tree *t)
{
	struct feed f = {t->text, t->text.len && t->text.p[t->text.len - 1] != '\n'};
	yaml_parser_t parser;
	int r = check_separators(t);

	if (r < 0)
		return r;
	if (!yaml_parser_initialize(&parser))
		return error_oom(t->err);
	t->parser = &parser;
	yaml_parser_set_input(&parser, feed, &f);
	r = read_documents(s, t);
	yaml_parser_delete(&parser);
	t->parser = NULL;
	return r;
}

int yaml_read(struct yaml_stream *ret_s, struct span text, const char *name,
	const struct yaml_limits *limits, struct error *err)
{
	struct yaml_limits clamped = *limits;
	struct yaml_stream s = {.n = 0};
	struct yaml_tree *t;
	int r;

	if (!text.p)
		text.p = "";
	if (clamped.max_bytes > JSON_MAX_BYTES)
		clamped.max_bytes = JSON_MAX_BYTES;
	if (clamped.max_nodes > JSON_MAX_BYTES)
		clamped.max_nodes = JSON_MAX_BYTES;
	if (clamped.max_depth > JSON_MAX_DEPTH)
		clamped.max_depth = JSON_MAX_DEPTH;
	if (span_starts(text, "\xff\xfe") || span_starts(text, "\xfe\xff"))
		return error_set(err, -EBADMSG, "%s:1:1: UTF-16 text: save it as UTF-8", name);
	t = calloc(1, sizeof(*t));
	if (!t)
		return error_oom(err);
	t->text = text;
	t->name = name;
	t->limits = &clamped;
	t->err = err;
	/* Escapes make text at most half as long again; the rest is one allocation's padding a
	 * node. */
	t->arena = ARENA_INIT(2 * text.len + 64 * (clamped.max_nodes + YAML_MAX_ANCHORS));
	r = read_json(&s, t);
	if (r == 0)
		r = read_yaml(&s, t);
	free(t->nodes);
	free(t->entries);
	arena_free(&t->arena);
	free(t);
	if (r < 0) {
		yaml_stream_free(&s);
		return r;
	}
	*ret_s = s;
	return 0;
}

void yaml_stream_free(struct yaml_stream *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->documents[i].json);
		free(s->documents[i].marks);
	}
	free(s->documents);
	*s = (struct yaml_stream){.n = 0};
}

struct yaml_mark yaml_where(const struct yaml_document *d, struct json_val v)
{
	uint32_t off = v.doc ? v.doc->nodes[v.i].off : 0;
	size_t low = 0, high = d->n_marks;

	/* The last mark that is not behind off. */
	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;

		if (d->marks[mid].json_off <= off)
			low = mid;
		else
			high = mid;
	}
	return d->marks[low];
}
