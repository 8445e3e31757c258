/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/policy_fixture.h"

#include "tests/unit/test.h"

static const struct json_limits limits = {1 << 20, 100000, 64};

enum { OUTPUT_MAX = 1 << 20 };

struct fixture_doc {
	struct fixture_doc *next;
	struct json json;
};

void fixture_init(struct fixture *f)
{
	struct error err = {0};

	*f = (struct fixture){.a = ARENA_INIT(64 << 20)};
	f->failed = policy_config_default(&f->config, &f->a, &err) < 0;
	f->rq = (struct policy_request){
		.config = &f->config,
		.operation = OP_CREATE,
		.kind = SPAN_LIT("Pod"),
		.subresource = SPAN_LIT(""),
		.namespace_ = SPAN_LIT("shop"),
		.namespace_enabled = true,
	};
}

void fixture_free(struct fixture *f)
{
	CU_ASSERT(!f->failed);
	for (struct fixture_doc *d = f->docs; d; d = d->next)
		json_free(&d->json);
	profile_set_unref(f->profiles);
	arena_free(&f->a);
}

struct span fixture_text(struct fixture *f, const char *text)
{
	char *p = arena_strdup(&f->a, span_str(text));

	f->failed |= !p;
	for (char *c = p; c && *c; c++)
		if (*c == '\'')
			*c = '"';
	return span_str(p);
}

struct json_val fixture_json(struct fixture *f, struct span text)
{
	struct fixture_doc *d = arena_new(&f->a, struct fixture_doc);
	struct span copy = arena_dup(&f->a, text);
	struct error err = {0};

	if (!d || !copy.p || json_parse(&d->json, copy, &limits, &err) < 0) {
		fprintf(stderr, "\nbad JSON in a test: %s: " SPAN_FMT "\n", err.message,
			SPAN_ARG(text));
		f->failed = true;
		return (struct json_val){0};
	}
	d->next = f->docs;
	f->docs = d;
	return json_root(&d->json);
}

struct json_val fixture_quoted(struct fixture *f, const char *text)
{
	return fixture_json(f, fixture_text(f, text));
}

void fixture_profiles(struct fixture *f, const char *const *texts)
{
	static const struct span namespaces[] = {SPAN_LIT("shop")};
	struct span objects[8];
	struct error err = {0};
	size_t n = 0;

	for (; texts && texts[n] && n < ARRAY_SIZE(objects); n++)
		objects[n] = fixture_text(f, texts[n]);
	profile_set_unref(f->profiles);
	f->profiles = NULL;
	if (profile_set_new(&f->profiles, objects, n, namespaces, 1, false, &f->config, &err) < 0) {
		fprintf(stderr, "\nbad profile in a test: %s\n", err.message);
		f->failed = true;
	}
	f->rq.profiles = f->profiles;
}

struct json_val fixture_apply_text(struct fixture *f, struct json_val doc, struct span patch)
{
	_cleanup_buf_ struct buf out = BUF_INIT(OUTPUT_MAX);
	struct error err = {0};

	if (patch_apply(doc, fixture_json(f, patch), &f->a, &out, &err) < 0) {
		fprintf(stderr, "\ncannot apply: %s: " SPAN_FMT "\n", err.message, SPAN_ARG(patch));
		f->failed = true;
		return doc;
	}
	return fixture_json(f, buf_view(&out));
}

struct json_val fixture_apply(struct fixture *f, struct json_val doc, const struct patch *patch)
{
	_cleanup_buf_ struct buf text = BUF_INIT(OUTPUT_MAX);

	f->failed |= patch_write(patch, &text) < 0;
	return fixture_apply_text(f, doc, buf_view(&text));
}

static void write_reversed(struct buf *out, struct json_val v, size_t n)
{
	bool object = json_is_object(v);
	struct json_iter it;

	if (!object && !json_is_array(v)) {
		buf_span(out, json_raw(v));
		return;
	}
	buf_putc(out, object ? '{' : '[');
	for (size_t i = 0; i < n; i++) {
		json_each(it, v) {
			if (it.index != (object ? n - 1 - i : i))
				continue;
			if (i)
				buf_putc(out, ',');
			if (object) {
				buf_span(out, json_raw(it.key));
				buf_putc(out, ':');
			}
			write_reversed(out, it.value, json_count(it.value));
		}
	}
	buf_putc(out, object ? '}' : ']');
}

struct json_val fixture_reversed(struct fixture *f, struct json_val doc)
{
	_cleanup_buf_ struct buf out = BUF_INIT(OUTPUT_MAX);

	write_reversed(&out, doc, json_count(doc));
	return fixture_json(f, buf_view(&out));
}

static const char *const lists[] = {"containers", "initContainers"};

struct json_val fixture_foreign(struct fixture *f, struct json_val pod)
{
	_cleanup_patch_ struct patch p = PATCH_INIT(OUTPUT_MAX);
	struct json_val labels = json_find(pod, "metadata", "labels");
	struct json_iter it;

	if (!json_exists(json_get(pod, "metadata"))) {
		patch_op(&p, PATCH_ADD, "/metadata");
		patch_value_json(&p, SPAN_LIT("{}"));
	}
	patch_op(&p, PATCH_ADD, "");
	patch_keys(&p, "metadata", "labels");
	if (json_is_object(labels)) {
		patch_keys(&p, "example.com/seen");
		patch_value_str(&p, SPAN_LIT("yes"));
	} else {
		patch_value_json(&p, SPAN_LIT("{\"example.com/seen\":\"yes\"}"));
	}
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		json_each(it, json_find(pod, "spec", lists[i])) {
			bool has = json_is_array(json_get(it.value, "env"));

			patch_op(&p, PATCH_ADD, "");
			patch_keys(&p, "spec", lists[i]);
			patch_index(&p, it.index);
			patch_keys(&p, "env");
			if (has)
				patch_index(&p, 0);
			patch_value_json(
				&p, has ? SPAN_LIT("{\"name\":\"MESH\",\"value\":\"1\"}")
					: SPAN_LIT("[{\"name\":\"MESH\",\"value\":\"1\"}]"));
		}
	}
	if (json_is_array(json_find(pod, "spec", "containers"))) {
		patch_op(&p, PATCH_ADD, "");
		patch_keys(&p, "spec", "containers");
		patch_append(&p);
		patch_value_json(
			&p, SPAN_LIT("{\"name\":\"mesh-proxy\",\"image\":\"mesh\",\"resources\":"
				     "{\"requests\":{\"cpu\":\"100m\"}}}"));
	}
	return fixture_apply(f, pod, &p);
}

static void add_unknown(struct patch *p)
{
	patch_keys(p, "x~future/field");
	patch_value_json(p, SPAN_LIT("{\"limits\":{\"sgx.intel.com/epc\":1.50},\"a\":[1e3,null]}"));
}

struct json_val fixture_unknown(struct fixture *f, struct json_val pod, bool metadata)
{
	_cleanup_patch_ struct patch p = PATCH_INIT(OUTPUT_MAX);
	struct json_iter it;

	if (metadata) {
		patch_op(&p, PATCH_ADD, "/metadata");
		add_unknown(&p);
	}
	patch_op(&p, PATCH_ADD, "/spec");
	add_unknown(&p);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		json_each(it, json_find(pod, "spec", lists[i])) {
			patch_op(&p, PATCH_ADD, "/spec");
			patch_keys(&p, lists[i]);
			patch_index(&p, it.index);
			add_unknown(&p);
		}
	}
	return fixture_apply(f, pod, &p);
}

void fixture_accept_classes(struct policy_config *c)
{
	static const char *const sgx[] = {"kata-sgx"}, *const cvm[] = {"kata-cc"};

	c->classes[TEE_SGX].accepted = (struct strings){sgx, 1};
	c->classes[TEE_TDX].accepted = (struct strings){cvm, 1};
	c->classes[TEE_SNP].accepted = (struct strings){cvm, 1};
}

void fixture_simulate(struct policy_config *c)
{
	c->allow_simulated = true;
}

static void check_warnings(const struct mutate_row *row, const struct policy_result *res)
{
	bool found = false;

	for (size_t i = 0; i < res->n_warnings; i++) {
		found |= row->warns && strstr(res->warnings[i], row->warns);
		CHECK_ROW(row->name, strlen(res->warnings[i]) <= 256, "a warning is too long");
		if (!row->warns)
			CHECK_ROW(row->name, false, "unexpected warning: %s", res->warnings[i]);
	}
	if (row->warns)
		CHECK_ROW(row->name, found, "no warning with: %s (first: %s)", row->warns,
			res->n_warnings ? res->warnings[0] : "none");
}

static void check_refused(const struct mutate_row *row, const char *how,
	const struct policy_result *res, const struct patch *patch)
{
	CHECK_ROW(row->name, res->verdict == VERDICT_REFUSED, "%s: verdict %d", how, res->verdict);
	CHECK_ROW(row->name, patch->n == 0, "%s: a refusal with a patch", how);
	CHECK_ROW(row->name, res->message && row->want && strstr(res->message, row->want),
		"%s:\n got: %s\nwant: %s", how, res->message, row->want);
}

/* Mutates pod and compares with want; the result, for another round. */
static struct json_val mutate_once(struct fixture *f, const struct mutate_row *row, const char *how,
	struct json_val pod, struct json_val want)
{
	_cleanup_patch_ struct patch patch = PATCH_INIT(OUTPUT_MAX);
	struct policy_result res;
	struct json_val got;

	f->rq.object = pod;
	CU_ASSERT_EQUAL(policy_mutate(&f->rq, "", &f->a, &patch, &res), 0);
	CHECK_ROW(row->name, res.reason == row->reason, "%s: reason %s, want %s (%s)", how,
		reason_name(res.reason), reason_name(row->reason),
		res.message ? res.message : "no message");
	check_warnings(row, &res);
	if (row->refused) {
		check_refused(row, how, &res, &patch);
		return pod;
	}
	CHECK_ROW(row->name, res.verdict == (patch.n ? VERDICT_MUTATED : VERDICT_PASSED),
		"%s: verdict %d with %zu operations", how, res.verdict, patch.n);
	got = fixture_apply(f, pod, &patch);
	CHECK_ROW(row->name, json_equal(got, want), "%s:\n got: " SPAN_FMT "\nwant: " SPAN_FMT, how,
		SPAN_ARG(json_raw(got)), SPAN_ARG(json_raw(want)));
	return got;
}

/* Nothing may be left to do for a pod that was mutated. */
static void mutate_again(
	struct fixture *f, const struct mutate_row *row, const char *how, struct json_val pod)
{
	_cleanup_patch_ struct patch patch = PATCH_INIT(OUTPUT_MAX);
	struct policy_result res;

	f->rq.object = pod;
	CU_ASSERT_EQUAL(policy_mutate(&f->rq, "", &f->a, &patch, &res), 0);
	CHECK_ROW(row->name, res.verdict == VERDICT_PASSED, "%s: verdict %d: %s", how, res.verdict,
		res.message ? res.message : "no message");
	CHECK_ROW(row->name, res.reason == row->reason, "%s: reason %s", how,
		reason_name(res.reason));
	CHECK_ROW(row->name, patch.n == 0, "%s: patch is not empty: " SPAN_FMT, how,
		SPAN_ARG(buf_view(&patch.ops)));
}

/* The same operations, below the prefix. */
static void mutate_template(
	struct fixture *f, const struct mutate_row *row, struct json_val pod, struct json_val want)
{
	_cleanup_patch_ struct patch patch = PATCH_INIT(OUTPUT_MAX);
	_cleanup_buf_ struct buf text = BUF_INIT(OUTPUT_MAX);
	struct policy_result res;
	struct json_val got;

	f->rq.object = pod;
	policy_mutate(&f->rq, "/spec/template", &f->a, &patch, &res);
	buf_puts(&text, "{\"spec\":{\"template\":");
	buf_span(&text, json_raw(pod));
	buf_puts(&text, "}}");
	got = fixture_apply(f, fixture_json(f, buf_view(&text)), &patch);
	got = json_find(got, "spec", "template");
	CHECK_ROW(row->name, json_equal(got, want), "as a template: " SPAN_FMT,
		SPAN_ARG(json_raw(got)));
}

static void mutate_row(const struct mutate_row *row)
{
	_cleanup_fixture_ struct fixture f;
	struct json_val pod, want, got;
	bool metadata;

	fixture_init(&f);
	if (row->tweak)
		row->tweak(&f.config);
	if (row->profiles)
		fixture_profiles(&f, row->profiles);
	f.rq.namespace_enabled = !row->not_enabled;
	pod = fixture_quoted(&f, row->pod);
	want = row->want && !row->refused ? fixture_quoted(&f, row->want) : pod;
	got = mutate_once(&f, row, "as it is", pod, want);
	mutate_once(&f, row, "keys reversed", fixture_reversed(&f, pod), want);
	if (row->refused)
		return;
	metadata = json_is_object(json_get(pod, "metadata"));
	mutate_once(&f, row, "unknown fields", fixture_unknown(&f, pod, metadata),
		fixture_unknown(&f, want, metadata));
	mutate_again(&f, row, "again", got);
	mutate_again(&f, row, "again, keys reversed", fixture_reversed(&f, got));
	mutate_again(&f, row, "again, after a foreign change", fixture_foreign(&f, got));
	mutate_template(&f, row, pod, want);
}

void fixture_mutate(const struct mutate_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mutate_row(&rows[i]);
}
