/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-webhook audit verify: was a line of the audit log changed, removed, moved; does the log
 * end where its checkpoints say? */
#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/settings_file.h"
#include "common/kbs/jws.h"
#include "webhook/broker/audit_check.h"
#include "webhook/commands.h"

enum {
	COMMAND_MEMORY_MAX = 64 << 20,
	CHECKPOINTS_MAX = 8 << 20, /* bytes */
	KEY_MAX = 64 * 1024,
	KEYS_MAX = 64,
};

struct audit_verify_options {
	const char *checkpoints, *key;
	bool mixed;
};

#define AT(member) offsetof(struct audit_verify_options, member)

static const struct setting table[] = {
	{"checkpoints", SETTING_STRING, AT(checkpoints), .meta = "FILE",
		.help = "checkpoints: lines, or the ConfigMap as JSON (kubectl get -o json)"},
	{"key", SETTING_STRING, AT(key), .meta = "FILE",
		.help = "who signed them: public keys, certificates or private keys (PEM)"},
	{"mixed", SETTING_BOOL, AT(mixed),
		.help = "other lines stand between those of the audit log (a container's log)"},
};

DEFINE_CLEANUP(BIO *, BIO_free)
DEFINE_CLEANUP(X509 *, X509_free)
DEFINE_CLEANUP(FILE *, fclose)

struct verifying {
	struct audit_verify_options o;
	struct strings files;
	struct arena arena;
	struct audit_check *check;
	EVP_PKEY *keys[KEYS_MAX]; /* n_keys */
	size_t n_keys;
	size_t problems;
};

static void complain(struct verifying *v, const struct error *err)
{
	fprintf(stderr, "casemate-webhook audit verify: %s\n", err->message);
	v->problems++;
}

/* Ends a file's part at the first line that is wrong: what follows it says nothing. */
static int read_lines(struct verifying *v, FILE *f, const char *name, struct error *err)
{
	_cleanup_free_ char *line = NULL;
	size_t cap = 0, number = 0;
	ssize_t n;

	while ((n = getline(&line, &cap, f)) > 0) {
		bool whole = line[n - 1] == '\n';
		struct span text = {line, (size_t)n - (whole ? 1 : 0)};
		int r = audit_check_line(v->check, text, v->o.mixed, name, ++number, err);

		if (r < 0)
			return r;
		if (r == 0 && !whole && !v->o.mixed) {
			error_set(err, -EBADMSG, "%s:%zu: the line has no end", name, number);
			r = 1;
		}
		if (r > 0) {
			complain(v, err);
			return 0;
		}
	}
	return ferror(f) ? error_set(err, -EIO, "%s: cannot be read", name) : 0;
}

static int read_file(struct verifying *v, const char *name, struct error *err)
{
	_cleanup_(fclose_p) FILE *f = fopen(strcmp(name, "-") == 0 ? "/dev/stdin" : name, "re");

	return f ? read_lines(v, f, name, err) : error_set(err, -errno, "%s: %m", name);
}

/* NULL: it is none. */
static EVP_PKEY *key_of(const char *name, const unsigned char *p, long n)
{
	_cleanup_(X509_free_p) X509 *cert = NULL;

	if (strcmp(name, PEM_STRING_PUBLIC) == 0)
		return d2i_PUBKEY(NULL, &p, n);
	if (strcmp(name, PEM_STRING_X509) != 0)
		return d2i_AutoPrivateKey(NULL, &p, n);
	cert = d2i_X509(NULL, &p, n);
	return cert ? X509_get_pubkey(cert) : NULL;
}

/* All of a file: the key is exchanged at times, and what the old ones signed is still there. */
static int read_keys(struct verifying *v, struct error *err)
{
	_cleanup_(BIO_free_p) BIO *bio = NULL;
	struct span text;
	unsigned char *data;
	char *name, *header;
	long n;
	int r = settings_read_file(v->o.key, KEY_MAX, &v->arena, &text, err);

	if (r < 0)
		return r;
	bio = BIO_new_mem_buf(text.p, (int)text.len);
	while (bio && v->n_keys < KEYS_MAX && PEM_read_bio(bio, &name, &header, &data, &n) == 1) {
		v->keys[v->n_keys] = key_of(name, data, n);
		v->n_keys += v->keys[v->n_keys] != NULL;
		OPENSSL_free(name);
		OPENSSL_free(header);
		OPENSSL_clear_free(data, (size_t)n);
	}
	return v->n_keys ? 0
			 : error_set(err, -EBADMSG, "%s: no public key and no certificate (PEM)",
				   v->o.key);
}

/* Whichever signed it; any, if none did. */
static EVP_PKEY *key_for(const struct verifying *v, struct span jws)
{
	for (size_t i = 0; i < v->n_keys; i++) {
		_cleanup_buf_ struct buf payload = BUF_INIT(JWS_MAX);

		if (jws_verify_es256(jws, v->keys[i], &payload, NULL) == 0)
			return v->keys[i];
	}
	return v->keys[0];
}

static int check_point(struct verifying *v, struct span jws, struct error *err)
{
	int r = audit_check_point(v->check, jws, key_for(v, jws), err);

	if (r > 0)
		complain(v, err);
	return r < 0 ? r : 0;
}

/* A ConfigMap: data {CHAIN: checkpoint}. */
static int check_map(struct verifying *v, struct span text, struct error *err)
{
	static const struct json_limits limits = {CHECKPOINTS_MAX, 65536, 16};
	_cleanup_json_ struct json doc = {0};
	struct json_iter it;
	int r = json_parse(&doc, text, &limits, err);

	if (r < 0)
		return error_prefix(err, r, "%s", v->o.checkpoints);
	json_each (it, json_get(json_root(&doc), "data")) {
		if (json_str_is(it.key, "key.pem"))
			continue;
		r = check_point(v, json_str(it.value, &v->arena), err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_points(struct verifying *v, struct error *err)
{
	struct span text;
	int r = settings_read_file(v->o.checkpoints, CHECKPOINTS_MAX, &v->arena, &text, err);

	if (r == 0 && text.len && text.p[0] == '{')
		return check_map(v, text, err);
	while (r == 0 && text.len) {
		const char *end = memchr(text.p, '\n', text.len);
		size_t n = end ? (size_t)(end - text.p) : text.len;

		if (n)
			r = check_point(v, (struct span){text.p, n}, err);
		n += end ? 1 : 0;
		text = (struct span){text.p + n, text.len - n};
	}
	return r;
}

static int report(const struct verifying *v, struct error *err)
{
	struct audit_totals t;

	audit_check_totals(v->check, &t);
	printf("%zu lines of %zu chains, %zu checkpoints", t.lines, t.chains, t.checkpoints);
	if (!t.from_start)
		printf("; not from the start: older files are not given");
	if (t.unchecked)
		printf("; %zu lines behind the last checkpoint", t.unchecked);
	printf("\n");
	return v->problems ? error_set(err, -EBADMSG, "the log is not whole") : 0;
}

static int verify(struct verifying *v, struct error *err)
{
	int r = 0;

	v->check = audit_check_new();
	if (!v->check)
		return error_oom(err);
	if (v->files.n == 0)
		return error_set(err, -EINVAL, "name the files of the log, the oldest first");
	if (!*v->o.checkpoints != !*v->o.key)
		return error_set(err, -EINVAL, "--checkpoints and --key go together");
	for (size_t i = 0; r == 0 && i < v->files.n; i++)
		r = read_file(v, v->files.v[i], err);
	if (r == 0 && *v->o.key)
		r = read_keys(v, err);
	if (r == 0 && *v->o.checkpoints)
		r = check_points(v, err);
	return r < 0 ? r : report(v, err);
}

static void usage(FILE *f)
{
	_cleanup_buf_ struct buf options = BUF_INIT(64 * 1024);

	settings_help(&options, table, ARRAY_SIZE(table));
	fprintf(f,
		"Usage: casemate-webhook audit verify [OPTIONS] FILE...\n"
		"Looks whether a line of the broker's audit log was changed, removed or moved, "
		"and\n"
		"whether it ends where its checkpoints say. Files of one log: the oldest first\n"
		"(audit.log.2 audit.log.1 audit.log); - is standard input. Exit code 1: something "
		"is\n"
		"wrong.\n\nOptions:\n%s",
		options.p ? options.p : "");
}

static int run(int argc, char **argv)
{
	struct verifying v = {.arena = ARENA_INIT(COMMAND_MEMORY_MAX)};
	const struct settings_input in = {
		.table = table, .n = ARRAY_SIZE(table), .argc = argc, .argv = argv};
	struct error err = {0};
	int r = settings_read(&in, &v.o, &v.arena, &v.files, &err);

	if (r == 0)
		r = verify(&v, &err);
	if (r < 0)
		fprintf(stderr, "casemate-webhook audit verify: %s\n", err.message);
	audit_check_free(v.check);
	for (size_t i = 0; i < v.n_keys; i++)
		EVP_PKEY_free(v.keys[i]);
	arena_free(&v.arena);
	if (r == -EINVAL)
		return COMMAND_USAGE;
	return r < 0 ? COMMAND_REFUSED : COMMAND_DONE;
}

int command_audit(int argc, char **argv)
{
	if (argc > 0 && strcmp(argv[argc - 1], "--help") == 0) {
		usage(stdout);
		return COMMAND_DONE;
	}
	if (argc > 0 && strcmp(argv[0], "verify") == 0)
		return run(argc - 1, argv + 1);
	usage(stderr);
	return COMMAND_USAGE;
}
