/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/ops_guard.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/base/arena.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/settings_file.h"
#include "common/base/credential.h"
#include "common/net/tls_files.h"

enum {
	ARENA_MAX = 4 * 1024 * 1024,
	CLIENT_CA_MAX = 512 * 1024,
	TOKEN_MAX = 8192,
};

/* It lives and ends with the process; nobody can pin it, so nobody gains by a shorter one. */
#define SELF_SIGNED_SEC ((int64_t)10 * 365 * 24 * 3600)

#define AT(field) offsetof(struct ops_security, field)

const struct setting ops_security_settings[] = {
	{.name = "metrics.secure", .type = SETTING_BOOL, .offset = AT(secure),
		.help = "HTTPS on metrics.listen, and only for who is known (a bearer token or a "
			"client certificate)"},
	{.name = "metrics.audience", .type = SETTING_STRING, .offset = AT(audience),
		.def = "casemate-metrics", .meta = "AUDIENCE",
		.help = "that the API server must have made a token for"},
	{.name = "metrics.users", .type = SETTING_STRINGS, .offset = AT(users),
		.meta = "USER[,USER]",
		.help = "who may ask, as system:serviceaccount:monitoring:prometheus (anybody with "
			"a token for the audience)"},
	{.name = "metrics.groups", .type = SETTING_STRINGS, .offset = AT(groups),
		.meta = "GROUP[,GROUP]", .help = "whose members may ask, too"},
	{.name = "metrics.tls.cert", .type = SETTING_STRING, .offset = AT(tls_cert),
		.meta = "FILE",
		.help = "certificate chain (PEM); read again when it changes (a self-signed one, "
			"made at the start)"},
	{.name = "metrics.tls.key", .type = SETTING_STRING, .offset = AT(tls_key), .meta = "FILE",
		.help = "its private key (PEM)"},
	{.name = "metrics.clientCa", .type = SETTING_STRING, .offset = AT(client_ca),
		.meta = "FILE",
		.help = "let in clients with a certificate of these CAs (PEM), by its common name"},
};
const size_t n_ops_security_settings = ARRAY_SIZE(ops_security_settings);

struct ops_guard {
	struct arena arena; /* owns security's strings and the CA's text */
	struct ops_security security;
	bool tokens;
	const char *client_ca_pem; /* NULL: no client certificates */
	struct tls_identity *identity;
	struct tls_files *files; /* NULL: self-signed */
};

/* A setting that protects nothing would be believed to. */
static int check_unused(const struct ops_security *s, struct error *err)
{
	const struct {
		const char *name;
		bool set;
	} settings[] = {
		{"metrics.users", s->users.n > 0},
		{"metrics.groups", s->groups.n > 0},
		{"metrics.tls.cert", *s->tls_cert},
		{"metrics.tls.key", *s->tls_key},
		{"metrics.clientCa", *s->client_ca},
	};

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (settings[i].set)
			return error_set(err, -EINVAL,
				"%s: has no effect without metrics.secure: true",
				settings[i].name);
	return 0;
}

int ops_security_check(const struct ops_security *s, bool tokens, struct error *err)
{
	if (!s->secure)
		return check_unused(s, err);
	if (!*s->tls_cert != !*s->tls_key)
		return error_set(err, -EINVAL,
			"metrics.tls: a certificate and its key belong together: set both "
			"metrics.tls.cert and metrics.tls.key, or neither");
	if (!tokens && !*s->client_ca)
		return error_set(err, -EINVAL,
			"metrics.secure: without an API server nobody can judge tokens: name the CAs of "
			"client certificates in metrics.clientCa, or set metrics.secure: false");
	if (tokens && !*s->audience)
		return error_set(err, -EINVAL,
			"metrics.audience: must not be empty: tokens for the API server itself would "
			"do, and whoever asks here would hand out theirs");
	return 0;
}

static bool same_list(const struct strings *a, const struct strings *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; same && i < a->n; i++)
		same = strcmp(a->v[i], b->v[i]) == 0;
	return same;
}

bool ops_security_same(const struct ops_security *a, const struct ops_security *b)
{
	return a->secure == b->secure && strcmp(a->audience, b->audience) == 0 &&
	       same_list(&a->users, &b->users) && same_list(&a->groups, &b->groups) &&
	       strcmp(a->tls_cert, b->tls_cert) == 0 && strcmp(a->tls_key, b->tls_key) == 0 &&
	       strcmp(a->client_ca, b->client_ca) == 0;
}

static int copy_string(struct arena *a, const char **s)
{
	*s = arena_strdup(a, span_str(*s));
	return *s ? 0 : -ENOMEM;
}

static int copy_strings(struct arena *a, struct strings *list)
{
	const char **copy = arena_array(a, const char *, list->n + 1);

	for (size_t i = 0; copy && i < list->n; i++) {
		copy[i] = list->v[i];
		if (copy_string(a, &copy[i]) < 0)
			return -ENOMEM;
	}
	list->v = copy;
	return copy ? 0 : -ENOMEM;
}

/* The configuration that they came from may be replaced. */
static int copy_security(struct ops_guard *g, const struct ops_security *security)
{
	struct ops_security *s = &g->security;
	const char **const strings[] = {&s->audience, &s->tls_cert, &s->tls_key, &s->client_ca};
	int r = 0;

	*s = *security;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(strings); i++)
		r = copy_string(&g->arena, strings[i]);
	if (r == 0)
		r = copy_strings(&g->arena, &s->users);
	return r == 0 ? copy_strings(&g->arena, &s->groups) : r;
}

static int use_pair(void *ctx, struct span chain_pem, struct span key_pem, int64_t not_after_sec,
	struct error *err)
{
	struct ops_guard *g = ctx;

	(void)not_after_sec;
	return tls_identity_set(g->identity, chain_pem, key_pem, err);
}

static void looked(void *ctx, int result, const struct error *problem, bool again)
{
	const struct ops_guard *g = ctx;

	if (result < 0 && !again)
		log_error(problem->message, "Cannot use the certificate of metrics.tls");
	else if (result > 0)
		log_info(1, "Serving metrics with a new certificate",
			LOG_STR("file", g->security.tls_cert));
}

static int make_self_signed(struct ops_guard *g, struct error *err)
{
	_cleanup_credential_ struct credential c = {0};
	_cleanup_secret_ struct secret cert = {0}, key = {0};
	char host[256] = "";
	int r;

	(void)gethostname(host, sizeof(host) - 1);
	r = credential_self_signed(&c, host, clock_unix_usec() / USEC_PER_SEC, SELF_SIGNED_SEC, err);
	if (r == 0)
		r = credential_write_cert(&cert, c.cert, err);
	if (r == 0)
		r = credential_write_key(&key, c.key, err);
	if (r == 0)
		r = tls_identity_set(g->identity, secret_view(&cert), secret_view(&key), err);
	return r;
}

static int make_identity(struct ops_guard *g, sd_event *event, struct error *err)
{
	const struct tls_files_options files = {
		.cert_file = g->security.tls_cert,
		.key_file = g->security.tls_key,
		.must_load = true,
		.use = use_pair,
		.looked = looked,
		.ctx = g,
	};
	int r;

	g->identity = tls_identity_new();
	if (!g->identity)
		return error_oom(err);
	r = *g->security.tls_cert ? tls_files_new(&g->files, event, &files, err)
				  : make_self_signed(g, err);
	return r < 0 ? error_prefix(err, r, "metrics.tls") : 0;
}

static int read_client_ca(struct ops_guard *g, struct error *err)
{
	struct span pem;
	int r;

	if (!*g->security.client_ca)
		return 0;
	r = settings_read_file(g->security.client_ca, CLIENT_CA_MAX, &g->arena, &pem, err);
	if (r < 0)
		return error_prefix(err, r, "metrics.clientCa");
	g->client_ca_pem = pem.p;
	return 0;
}

int ops_guard_new(struct ops_guard **ret_g, sd_event *event, const struct ops_security *security,
	bool tokens, struct error *err)
{
	_cleanup_(ops_guard_free_p) struct ops_guard *g = NULL;
	int r = ops_security_check(security, tokens, err);

	if (r < 0)
		return r;
	g = calloc(1, sizeof(*g));
	if (!g)
		return error_oom(err);
	g->arena = ARENA_INIT(ARENA_MAX);
	g->tokens = tokens;
	if (copy_security(g, security) < 0)
		return error_oom(err);
	r = read_client_ca(g, err);
	if (r == 0)
		r = make_identity(g, event, err);
	if (r < 0)
		return r;
	*ret_g = TAKE_PTR(g);
	return 0;
}

void ops_guard_free(struct ops_guard *g)
{
	if (!g)
		return;
	tls_files_free(g->files);
	tls_identity_free(g->identity);
	arena_free(&g->arena);
	free(g);
}

void ops_guard_options(const struct ops_guard *g, struct server_options *o)
{
	o->tls = g->identity;
	o->tls_min = "1.2";
	o->tls_ciphers = "";
	o->client_ca_pem = g->client_ca_pem;
	o->client_optional = g->tokens;
}

int ops_guard_token(struct http_exchange *x, struct secret *ret_token)
{
	static const char scheme[] = "Bearer ";
	const char *value = http_header(x, "Authorization");

	if (!value || strncasecmp(value, scheme, strlen(scheme)) != 0)
		return -ENOENT;
	value += strlen(scheme);
	while (*value == ' ')
		value++;
	return strnlen(value, TOKEN_MAX + 1) > TOKEN_MAX ? -ENOENT :
							   secret_copy(ret_token, span_str(value));
}

static bool is_listed(const struct strings *list, const char *s)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i], s) == 0)
			return true;
	return false;
}

bool ops_guard_allows(const struct ops_guard *g, const struct caller *c)
{
	if (g->security.users.n == 0 && g->security.groups.n == 0)
		return true;
	if (is_listed(&g->security.users, c->user))
		return true;
	for (size_t i = 0; i < c->n_groups; i++)
		if (is_listed(&g->security.groups, c->groups[i]))
			return true;
	return false;
}

void ops_guard_unauthorized(const struct ops_guard *g, struct buf *out)
{
	buf_puts(out, "send ");
	if (g->tokens)
		buf_printf(out, "a token for the audience \"%s\" (Authorization: Bearer)",
			g->security.audience);
	if (g->client_ca_pem)
		buf_printf(out, "%sa client certificate of a CA in metrics.clientCa",
			g->tokens ? " or " : "");
	buf_putc(out, '\n');
}
