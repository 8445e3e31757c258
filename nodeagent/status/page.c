/* SPDX-License-Identifier: Apache-2.0
 *
 * The node page: HTML without a script and with nothing from elsewhere; the style sheet is inside,
 * and the Content-Security-Policy lets nothing else in. Whatever is not a literal goes through
 * page_text(). The order is that of importance: whether the node is fine, what to fix, what there
 * is to use and who uses it, then everything that was looked at. */
#include <string.h>

#include "common/base/clock.h"
#include "nodeagent/status/format.h"
#include "nodeagent/status/page_private.h"
#include "nodeagent/status/page_style.h"

void page_text(struct buf *b, const char *s)
{
	format_text(b, s, FORMAT_HTML);
}

static const char *mark_of(const char *state)
{
	static const struct {
		const char *mark, *states[9]; /* what is in none of them is idle */
	} marks[] = {
		{"ok", {"Ready", "Registered", "Connected", "Published", "Attested"}},
		{"warn", {"Waiting", "Pending", "Simulated", "Unproven", "Waived"}},
		{"bad", {"Misconfigured", "Disconnected", "Foreign", "Contested", "Refused",
				"Expired", "Unhealthy", "Overcommitted"}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(marks); i++)
		for (size_t k = 0; marks[i].states[k]; k++)
			if (strcmp(marks[i].states[k], state) == 0)
				return marks[i].mark;
	return "idle";
}

void page_badge(struct buf *b, const char *state)
{
	buf_printf(b, "<span class=\"badge %s\">", mark_of(state));
	for (const char *p = state; *p; p++) {
		bool inner = p > state && *p >= 'A' && *p <= 'Z';

		buf_puts(b, inner ? " " : "");
		buf_putc(b, inner ? (char)(*p - 'A' + 'a') : *p);
	}
	buf_puts(b, "</span>");
}

static void head(struct buf *b, const struct status *s, size_t n_problems)
{
	buf_printf(b,
		"<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		"style-src 'sha256-%s'; img-src data:; base-uri 'none'; form-action 'none'\">\n"
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		"<meta name=\"color-scheme\" content=\"light dark\">\n"
		"<meta http-equiv=\"refresh\" content=\"30\">\n<title>",
		page_style_hash);
	page_text(b, s->node);
	buf_puts(b, ": ");
	status_headline(s, n_problems, b);
	/* A dot in the browser's tab, so that it need not be in front; and nothing to ask for. */
	buf_printf(b,
		"%s | Casemate</title>\n"
		"<link rel=\"icon\" href=\"data:image/svg+xml,%%3Csvg xmlns='http://www.w3.org/"
		"2000/svg' viewBox='0 0 16 16'%%3E%%3Ccircle cx='8' cy='8' r='7' fill='%%23%s'/"
		"%%3E%%3C/svg%%3E\">\n<style>%s</style>\n</head>\n<body>\n<main>\n",
		s->platform->simulated ? " (simulated)" : "", n_problems ? "d33a2c" : "1f9d5b",
		page_style);
}

/* words with their first letter large. */
static void capital(struct buf *b, const char *words)
{
	char first = *words;

	if (first)
		buf_printf(b, "%c%s", first >= 'a' && first <= 'z' ? first - 'a' + 'A' : first,
			words + 1);
}

static void verdict(struct buf *b, const struct status *s, size_t n_problems)
{
	static const char check[] = "M16 27l7 7 13-15", bang[] = "M26 14v15M26 37v.01",
			  dash[] = "M18 26h16";
	const char *mark = "ok", *icon = check;
	_cleanup_buf_ struct buf words = BUF_INIT(256), tees = BUF_INIT(256);

	status_headline(s, n_problems, &words);
	status_tees(s->platform, true, &tees);
	if (n_problems || s->platform->simulated) {
		mark = n_problems ? "bad" : "warn";
		icon = bang;
	} else if (tees.len == 0) {
		mark = "idle";
		icon = dash;
	}
	buf_printf(b,
		"<section class=\"verdict %s\" aria-labelledby=\"node\">\n"
		"<svg viewBox=\"0 0 52 52\" aria-hidden=\"true\"><circle cx=\"26\" cy=\"26\" "
		"r=\"26\"/><path d=\"%s\"/></svg>\n<div>\n<h1 id=\"node\">",
		mark, icon);
	page_text(b, s->node);
	buf_puts(b, "</h1>\n<p class=\"headline\">");
	capital(b, words.p ? words.p : "");
	buf_printf(b, "</p>\n<p class=\"soft\">%s%s", s->platform->simulated ? "Simulated " : "",
		tees.len ? tees.p : "No TEE");
	if (s->platform->enclave_ok && status_epc_free(s) >= 0) {
		buf_puts(b, ", ");
		format_bytes(b, status_epc_free(s));
		buf_puts(b, " of EPC free");
	}
	buf_puts(b, "</p>\n</div>\n</section>\n");
}

/* "Kernel driver" for "sgx-driver"; what names a resource stays as it is. */
static const char *title_of(const char *what)
{
	static const char *const others[][2] = {
		{"kubelet", "Kubelet"},
		{"api-server", "API server"},
		{"capacity", "Capacity of the Node"},
		{"epc", "Enclave memory"},
		{"attestation", "Attestation"},
	};

	for (size_t i = 0; i < PLATFORM_CHECK_N; i++)
		if (strcmp(platform_check_name(i), what) == 0)
			return status_check_title(i);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (strcmp(others[i][0], what) == 0)
			return others[i][1];
	return what;
}

static void problems(struct buf *b, const struct status_problem *v, size_t n)
{
	if (n == 0)
		return;
	buf_puts(b, "<section aria-labelledby=\"fix\">\n<h2 id=\"fix\">What to fix</h2>\n"
		    "<ul class=\"fix\">\n");
	for (size_t i = 0; i < n; i++) {
		const char *title = title_of(v[i].what);

		buf_puts(b, "<li><h3>");
		page_text(b, title);
		buf_putc(b, ' ');
		page_badge(b, v[i].state);
		buf_puts(b, "</h3>\n<p>");
		page_text(b, v[i].message);
		buf_puts(b, "</p></li>\n");
	}
	buf_puts(b, "</ul>\n</section>\n");
}

static void fact(struct buf *b, const char *name, const char *state, const char *note)
{
	buf_printf(b, "<div><dt>%s</dt><dd>", name);
	page_badge(b, state);
	if (*note) {
		buf_puts(b, "<p class=\"note\">");
		page_text(b, note);
		buf_puts(b, "</p>");
	}
	buf_puts(b, "</dd></div>\n");
}

static void attestation(struct buf *b, const struct attest_view *a)
{
	_cleanup_buf_ struct buf note = BUF_INIT(4096);

	buf_printf(&note, "%s%s%s", a->reason, *a->reason && *a->message ? ": " : "", a->message);
	if (a->valid_until) {
		buf_puts(&note, note.len ? "; valid until " : "Valid until ");
		format_time(&note, a->valid_until * USEC_PER_SEC);
	}
	if (*a->problem)
		buf_printf(&note, "%s%s", note.len ? "; last try: " : "", a->problem);
	fact(b, "Attestation", attest_state_name(a->state), note.p ? note.p : "");
	if (*a->platform)
		fact(b, "Evidence", a->platform, a->source);
}

static void keys(struct buf *b, const struct status_keys *k)
{
	_cleanup_buf_ struct buf note = BUF_INIT(4096);

	if (!*k->broker)
		return;
	buf_printf(&note, "%llu requests answered, %llu refused, %llu that could not be judged",
		(unsigned long long)k->delivered, (unsigned long long)k->refused,
		(unsigned long long)k->failed);
	if (*k->problem)
		buf_printf(&note, "; last: %s", k->problem);
	fact(b, "Keys for containers", "Ready", note.p ? note.p : "");
}

static void facts(struct buf *b, const struct status *s)
{
	buf_puts(b,
		"<section aria-labelledby=\"facts\">\n<h2 id=\"facts\">Trust and connections</h2>"
		"\n<dl class=\"facts\">\n");
	attestation(b, &s->attestation);
	fact(b, "Kubelet", status_link_name(s->kubelet.state), s->kubelet.problem);
	fact(b, "API server", status_link_name(s->api_server.state), s->api_server.problem);
	if (s->api_server.state != STATUS_NOT_CONFIGURED)
		fact(b, "Capacity of the Node", status_capacity_name(s->capacity_state),
			s->capacity_problem);
	keys(b, &s->keys);
	buf_puts(b, "</dl>\n</section>\n");
}

static void foot(struct buf *b, const struct status *s)
{
	buf_puts(b, "</main>\n<footer>\n<p>Casemate node agent ");
	page_text(b, s->version);
	if (s->source == STATUS_AGENT) {
		buf_puts(b, ", up ");
		format_duration(b, s->now_usec - s->started_usec);
	}
	buf_puts(b, ". As of ");
	format_time(b, s->now_usec);
	buf_puts(b, "; reloads every 30 seconds. <a href=\"api/v1/status\">JSON</a></p>\n");
	if (*s->node_uid) {
		buf_puts(b, "<p>Node UID <code>");
		page_text(b, s->node_uid);
		buf_puts(b, "</code></p>\n");
	}
	buf_puts(b, "</footer>\n</body>\n</html>\n");
}

int status_page(const struct status *s, struct buf *b)
{
	struct status_problem v[STATUS_PROBLEMS_MAX];
	size_t n = status_problems(s, v);

	head(b, s, n);
	if (s->platform->simulated)
		buf_puts(b, "<p class=\"banner\"><strong>Simulated</strong> Nothing on this node "
			    "protects anything. It is for development: give its pods no real "
			    "secret.</p>\n");
	verdict(b, s, n);
	problems(b, v, n);
	page_epc(b, s);
	page_pods(b, s);
	page_devices(b, s);
	if (s->source == STATUS_AGENT)
		facts(b, s);
	page_checks(b, s->platform);
	foot(b, s);
	return b->err;
}
