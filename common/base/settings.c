/* SPDX-License-Identifier: Apache-2.0
 *
 * Every source gives text in the end (a YAML scalar, a variable, a flag), and one function a type
 * reads that text; so a value means the same wherever it stands. */
#include "common/base/settings.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/base/settings_value.h"

enum {
	NAME_MAX_ = 80, /* of a setting */
	FILE_JSON_MAX = 1 << 20,
	FILE_NODES_MAX = 1 << 16,
	FILE_DEPTH_MAX = 32,
	HELP_MAX = 4096, /* bytes of one setting's */
	TYPO_MAX = 2,    /* changes between a name and one that may have been meant */
};

struct settings_source {
	const char *file;
	const struct yaml_document *document;
};

struct reading {
	const struct settings_input *in;
	struct settings_source source;
	char *target;
	struct arena *a;
	struct error *err;
	bool *flagged; /* by setting: a flag was given */
};

int settings_error(const struct settings_source *src, struct json_val v, struct error *err,
	const char *fmt, ...)
{
	struct yaml_mark m = yaml_where(src->document, v);
	va_list ap;

	va_start(ap, fmt);
	error_vset(err, -EINVAL, fmt, ap);
	va_end(ap);
	return error_prefix(err, -EINVAL, "%s:%" PRIu32 ":%" PRIu32, src->file, m.line, m.column);
}

/* "tls.minVersion" to "tls-min-version", or to "TLS_MIN_VERSION" when sep is '_'. */
static void spell(char out[2 * NAME_MAX_], const char *name, char sep)
{
	size_t n = 0;

	for (size_t i = 0; name[i] && n + 3 < 2 * NAME_MAX_; i++) {
		unsigned char c = (unsigned char)name[i];

		if (isupper(c) && i > 0 && !isupper((unsigned char)name[i - 1]) &&
			name[i - 1] != '.')
			out[n++] = sep;
		out[n++] = c == '.' ? sep : (char)(sep == '_' ? toupper(c) : tolower(c));
	}
	out[n] = '\0';
}

static bool has_flag(const struct setting *s)
{
	return !s->file_only && s->type != SETTING_CUSTOM;
}

/* Levenshtein's distance regardless of case, or more than TYPO_MAX. */
static unsigned distance(const char *a, const char *b)
{
	unsigned row[2 * NAME_MAX_ + 1];
	size_t n = strlen(b);

	if (n > 2 * NAME_MAX_ || strlen(a) > n + TYPO_MAX || n > strlen(a) + TYPO_MAX)
		return TYPO_MAX + 1;
	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (; *a; a++) {
		unsigned diagonal = row[0]++;

		for (size_t j = 1; j <= n; j++) {
			unsigned change = diagonal + (tolower((unsigned char)*a) !=
							     tolower((unsigned char)b[j - 1]));

			diagonal = row[j];
			row[j] = row[j] < row[j - 1] ? row[j] + 1 : row[j - 1] + 1;
			row[j] = row[j] < change ? row[j] : change;
		}
	}
	return row[n];
}

/* "; did you mean ...?" for a name that is none, as flag or as key; empty when nothing is near. */
static const char *suggest(
	const struct reading *rd, const char *name, bool flag, char out[3 * NAME_MAX_])
{
	unsigned best = TYPO_MAX + 1;

	out[0] = '\0';
	for (size_t i = 0; i < rd->in->n; i++) {
		const struct setting *s = &rd->in->table[i];
		char known[2 * NAME_MAX_];
		unsigned d;

		if (flag ? !has_flag(s) : s->no_file)
			continue;
		if (flag)
			spell(known, s->name, '-');
		else
			snprintf(known, sizeof(known), "%s", s->name);
		d = distance(name, known);
		if (d >= best)
			continue;
		best = d;
		snprintf(out, 3 * NAME_MAX_, "; did you mean %s%s?", flag ? "--" : "", known);
	}
	return out;
}

static int set_text(const struct reading *rd, const struct setting *s, const char *text)
{
	return setting_set_text(s, rd->target + s->offset, span_str(text), rd->a, rd->err);
}

static int set_defaults(struct reading *rd)
{
	for (size_t i = 0; i < rd->in->n; i++) {
		const struct setting *s = &rd->in->table[i];
		int r = 0;

		setting_clear(s, rd->target + s->offset);
		if (s->def)
			r = set_text(rd, s, s->def);
		if (r < 0)
			return error_prefix(rd->err, r, "default of %s", s->name);
	}
	return 0;
}

static int set_json(const struct reading *rd, const struct setting *s, struct json_val v)
{
	struct yaml_mark m = yaml_where(rd->source.document, v);
	void *field = rd->target + s->offset;
	int r;

	if (s->type == SETTING_CUSTOM)
		return s->parse(&rd->source, v, field, rd->a, rd->err);
	r = setting_set_json(s, field, v, rd->a, rd->err);
	return r < 0 ? error_prefix(rd->err, r, "%s:%" PRIu32 ":%" PRIu32 ": %s", rd->source.file,
			       m.line, m.column, s->name)
		     : 0;
}

/* Does a setting's name begin with name and a dot? */
static bool is_section(const struct settings_input *in, const char *name)
{
	size_t n = strlen(name);

	for (size_t i = 0; i < in->n; i++)
		if (!in->table[i].no_file && strncmp(in->table[i].name, name, n) == 0 &&
			in->table[i].name[n] == '.')
			return true;
	return false;
}

static int read_section(const struct reading *rd, struct json_val v, const char *prefix);

static int read_member(
	const struct reading *rd, struct json_val key, struct json_val v, const char *prefix)
{
	char near[3 * NAME_MAX_], shown[SETTING_SHOWN_MAX];
	struct span k = json_str(key, rd->a);
	char *name;

	if (!k.p)
		return error_oom(rd->err);
	name = arena_printf(rd->a, "%s" SPAN_FMT, prefix, SPAN_ARG(k));
	if (!name)
		return error_oom(rd->err);
	/* A dotted key would be a second spelling. */
	for (size_t i = 0; !memchr(k.p, '.', k.len) && i < rd->in->n; i++)
		if (strcmp(rd->in->table[i].name, name) == 0 && !rd->in->table[i].no_file)
			return set_json(rd, &rd->in->table[i], v);
	if (memchr(k.p, '.', k.len) || !is_section(rd->in, name))
		return settings_error(&rd->source, key, rd->err, "unknown setting \"%s\"%s",
			setting_show(shown, span_str(name)), suggest(rd, name, false, near));
	if (json_type(v) == JSON_NULL)
		return 0;
	if (!json_is_object(v))
		return settings_error(&rd->source, v, rd->err, "%s: expected a mapping of settings",
			setting_show(shown, span_str(name)));
	name = arena_printf(rd->a, "%s.", name);
	return name ? read_section(rd, v, name) : error_oom(rd->err);
}

/* As deep as the longest name of the table has dots. */
static int read_section(const struct reading *rd, struct json_val v, const char *prefix)
{
	struct json_iter it;

	json_each (it, v) {
		int r = read_member(rd, it.key, it.value, prefix);

		if (r < 0)
			return r;
	}
	return 0;
}

static int read_file(struct reading *rd)
{
	static const struct yaml_limits limits = {FILE_JSON_MAX, FILE_NODES_MAX, 1, FILE_DEPTH_MAX};
	static const struct json_limits json_limits = {
		FILE_JSON_MAX, FILE_NODES_MAX, FILE_DEPTH_MAX};
	_cleanup_yaml_stream_ struct yaml_stream stream = {0};
	_cleanup_json_ struct json doc = {0};
	struct json_val root;
	int r;

	if (!rd->in->file)
		return 0;
	r = yaml_read(&stream, rd->in->text, rd->in->file, &limits, rd->err);
	if (r < 0 || stream.n == 0)
		return r;
	rd->source = (struct settings_source){rd->in->file, &stream.documents[0]};
	r = json_parse(&doc, (struct span){stream.documents[0].json, stream.documents[0].json_len},
		&json_limits, rd->err);
	if (r < 0)
		return error_prefix(rd->err, r, "%s:1:1", rd->in->file);
	root = json_root(&doc);
	if (!json_is_object(root))
		return settings_error(
			&rd->source, root, rd->err, "expected a mapping of settings (name: value)");
	return read_section(rd, root, "");
}

static const char *find_variable(char *const *environment, const char *name)
{
	size_t n = strlen(name);

	for (; *environment; environment++)
		if (strncmp(*environment, name, n) == 0 && (*environment)[n] == '=')
			return *environment + n + 1;
	return NULL;
}

static int read_environment(struct reading *rd)
{
	for (size_t i = 0; rd->in->environment && i < rd->in->n; i++) {
		const struct setting *s = &rd->in->table[i];
		char spelled[2 * NAME_MAX_], name[2 * NAME_MAX_ + 16];
		const char *value;
		int r;

		if (!has_flag(s))
			continue;
		spell(spelled, s->name, '_');
		snprintf(name, sizeof(name), "CASEMATE_%s", spelled);
		value = find_variable(rd->in->environment, name);
		if (!value || !*value)
			continue;
		setting_clear(s, rd->target + s->offset);
		r = set_text(rd, s, value);
		if (r < 0)
			return error_prefix(rd->err, r, "%s", name);
	}
	return 0;
}

static const struct setting *find_flag(const struct settings_input *in, struct span name)
{
	for (size_t i = 0; i < in->n; i++) {
		char known[2 * NAME_MAX_];

		spell(known, in->table[i].name, '-');
		if (has_flag(&in->table[i]) && span_is(name, known))
			return &in->table[i];
	}
	return NULL;
}

/* The flag at argv[*i]; moves *i to its last word. */
static int read_flag(struct reading *rd, int *i)
{
	const char *word = rd->in->argv[*i], *equals = strchr(word, '=');
	size_t dashes = word[1] == '-' ? 2 : 1;
	struct span name = {
		word + dashes, (equals ? (size_t)(equals - word) : strlen(word)) - dashes};
	const struct setting *s = dashes == 2 || name.len == 1 ? find_flag(rd->in, name) : NULL;
	const char *value = equals ? equals + 1 : NULL;
	char shown[SETTING_SHOWN_MAX], near[3 * NAME_MAX_], typed[2 * NAME_MAX_];
	int r;

	if (!s && dashes == 2 && !equals) {
		s = find_flag(rd->in, span_after(name, "no-"));
		s = s && s->type == SETTING_BOOL ? s : NULL;
		value = "false";
	} else if (s && s->type == SETTING_BOOL && !equals) {
		value = "true";
	}
	if (!s) {
		snprintf(typed, sizeof(typed), SPAN_FMT, SPAN_ARG(name));
		return error_set(rd->err, -EINVAL, "unknown flag %s%s",
			setting_show(shown, (struct span){word, name.len + dashes}),
			suggest(rd, typed, true, near));
	}
	if (!value && *i + 1 < rd->in->argc)
		value = rd->in->argv[++*i];
	if (!value)
		return error_set(rd->err, -EINVAL, "%s: needs a value", word);
	/* The first flag of a list replaces what weaker sources said. */
	if (!rd->flagged[s - rd->in->table])
		setting_clear(s, rd->target + s->offset);
	rd->flagged[s - rd->in->table] = true;
	r = set_text(rd, s, value);
	return r < 0 ? error_prefix(rd->err, r, SPAN_FMT,
			       SPAN_ARG(((struct span){word, name.len + dashes})))
		     : 0;
}

static int read_flags(struct reading *rd, struct strings *ret_rest)
{
	const char **rest = arena_array(rd->a, const char *, (size_t)rd->in->argc + 1);
	char shown[SETTING_SHOWN_MAX];
	bool flags = true;
	size_t n = 0;

	rd->flagged = arena_array(rd->a, bool, rd->in->n + 1);
	if (!rest || !rd->flagged)
		return error_oom(rd->err);
	for (int i = 0; i < rd->in->argc; i++) {
		const char *word = rd->in->argv[i];
		int r = 0;

		if (flags && strcmp(word, "--") == 0)
			flags = false;
		else if (flags && word[0] == '-' && word[1])
			r = read_flag(rd, &i);
		else
			rest[n++] = word;
		if (r < 0)
			return r;
	}
	if (n && !ret_rest)
		return error_set(rd->err, -EINVAL, "unexpected argument \"%s\"",
			setting_show(shown, span_str(rest[0])));
	if (ret_rest)
		*ret_rest = (struct strings){rest, n};
	return 0;
}

int settings_read(const struct settings_input *in, void *target, struct arena *a,
	struct strings *ret_rest, struct error *err)
{
	struct reading rd = {.in = in, .target = target, .a = a, .err = err};
	int r = set_defaults(&rd);

	if (r == 0)
		r = read_file(&rd);
	if (r == 0)
		r = read_environment(&rd);
	if (r == 0)
		r = read_flags(&rd, ret_rest);
	return r;
}

/* Lines of at most HELP_COLUMNS, but for longer words. */
static void help_wrap(struct buf *out, struct span text)
{
	enum { HELP_COLUMNS = 100, INDENT = 8 };
	size_t column = HELP_COLUMNS;

	while (text.len) {
		const char *space = memchr(text.p, ' ', text.len);
		size_t n = space ? (size_t)(space - text.p) : text.len;
		bool fits = column + 1 + n <= HELP_COLUMNS;

		if (fits)
			buf_putc(out, ' ');
		else
			buf_printf(out, "\n%*s", INDENT, "");
		buf_add(out, text.p, n);
		column = (fits ? column + 1 : INDENT) + n;
		text = (struct span){text.p + n + (space != NULL), text.len - n - (space != NULL)};
	}
	buf_putc(out, '\n');
}

static void help_one(struct buf *out, const struct setting *s)
{
	static const char *const metas[] = {[SETTING_STRING] = "TEXT",
		[SETTING_INT] = "NUMBER",
		[SETTING_DURATION] = "DURATION",
		[SETTING_QUANTITY] = "QUANTITY",
		[SETTING_ENUM] = "CHOICE",
		[SETTING_STRINGS] = "A,B"};
	_cleanup_buf_ struct buf text = BUF_INIT(HELP_MAX);
	const char *meta = s->meta ? s->meta : s->type < ARRAY_SIZE(metas) ? metas[s->type] : NULL;
	char name[2 * NAME_MAX_];

	spell(name, s->name, '-');
	if (!has_flag(s))
		buf_printf(out, "  %s (in the file)", s->name);
	else if (s->type == SETTING_BOOL)
		buf_printf(out, "  --[no-]%s", name);
	else
		buf_printf(out, "  %s%s %s", s->name[1] ? "--" : "-", name, meta);
	buf_puts(&text, s->help);
	if (s->type == SETTING_ENUM)
		for (size_t i = 0; s->choices[i]; i++)
			buf_printf(&text, "%s%s", i ? ", " : " (", s->choices[i]);
	buf_puts(&text, s->type == SETTING_ENUM ? ")" : "");
	if (s->def && *s->def)
		buf_printf(&text, " [%s]", s->def);
	help_wrap(out, buf_view(&text));
}

void settings_add(struct settings_table *t, const struct setting *part, size_t n, size_t shift)
{
	assert(n <= SETTINGS_TABLE_MAX - t->n);
	for (size_t i = 0; i < n; i++) {
		t->v[t->n] = part[i];
		t->v[t->n++].offset += shift;
	}
}

int settings_help(struct buf *out, const struct setting *table, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (table[i].help)
			help_one(out, &table[i]);
	return out->err;
}
