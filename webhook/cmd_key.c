/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-webhook key: the stored keys of a folder or a cluster: what there are, importing, new
 * versions, another key-encryption key, backup and restoring. No key is ever printed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/io.h"
#include "common/base/settings.h"
#include "webhook/broker/kek_lines.h"
#include "webhook/broker/keys_backup.h"
#include "webhook/broker/keys_heirs.h"
#include "webhook/broker/keys_plan.h"
#include "webhook/commands.h"
#include "webhook/key_session.h"
#include "webhook/subcommand.h"

enum { COMMAND_MEMORY_MAX = 128 << 20 };

struct key_options {
	struct key_session_options store;
	const char *from, *output;
	bool json, kek, replace, adopt;
};

#define AT(member) offsetof(struct key_options, member)

#define STORE_SETTINGS                                                                             \
	{"keys", SETTING_STRING, AT(store.keys), .meta = "DIR",                                    \
		.help = "the folder of the wrapped keys (broker.keys)"},                           \
		{"profilesDir", SETTING_STRING, AT(store.profiles_dir), .meta = "DIR",             \
			.help = "the folder of profiles beside it"},                               \
		{"kubeconfig", SETTING_STRING, AT(store.kubeconfig), .meta = "FILE",               \
			.help = "or a cluster: how to reach it"},                                  \
		{"namespace", SETTING_STRING, AT(store.namespace_), .meta = "NAME",                \
			.help = "and the namespace that Casemate is in"},                          \
		{"kekFile", SETTING_STRING, AT(store.kek_file), .meta = "FILE",                    \
			.help = "the key-encryption key (broker.kekFile)"},                        \
		KEK_SETTINGS("kek", AT(store.kek)),                                                \
	{                                                                                          \
		"insecureKekInSecret", SETTING_BOOL, AT(store.insecure_kek_in_secret),             \
			.help = "it is in a Secret (broker.insecureKekInSecret)"                   \
	}

static const struct setting list_table[] = {
	STORE_SETTINGS,
	{"json", SETTING_BOOL, AT(json), .help = "JSON for programs"},
};
static const struct setting import_table[] = {
	STORE_SETTINGS,
	{"from", SETTING_STRING, AT(from), .meta = "FILE",
		.help = "the key's bytes, taken as they are; - for standard input"},
};
static const struct setting rotate_table[] = {
	STORE_SETTINGS,
	{"kek", SETTING_BOOL, AT(kek),
		.help = "no new keys: wrap all there are under the newest key-encryption key"},
};
static const struct setting backup_table[] = {
	STORE_SETTINGS,
	{"o", SETTING_STRING, AT(output), .meta = "FILE", .help = "the file to write"},
};
static const struct setting restore_table[] = {
	STORE_SETTINGS,
	{"from", SETTING_STRING, AT(from), .meta = "FILE", .help = "the backup"},
	{"replace", SETTING_BOOL, AT(replace),
		.help = "also where keys are stored now, damaged ones too: what is newer is lost"},
	{"adopt", SETTING_BOOL, AT(adopt),
		.help = "to whoever has the names now, though namespace or profile were made anew"},
};

struct run {
	struct key_options o;
	struct strings rest;
	struct key_session s;
	struct arena arena;
	int64_t now_sec;
};

/* At most max bytes of a file, or of standard input. */
static int read_secret(const char *path, size_t max, struct secret *ret, struct error *err)
{
	bool input = strcmp(path, "-") == 0;
	_cleanup_close_ int file = input ? -1 : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int fd = input ? STDIN_FILENO : file;

	int r = fd < 0 ? -errno : io_read_secret(fd, max, ret);

	if (r == -E2BIG)
		return error_set(err, r, "%s: larger than %zu bytes", path, max);
	return r < 0 ? error_set(err, r, "%s: %s", path, strerror(-r)) : 0;
}

/*
 * list
 */

struct listing {
	struct run *run;
	const char *only; /* "NAMESPACE/PROFILE"; NULL: all */
	unsigned shown, problems;
};

static void print_key(
	const struct listing *l, const struct key_record *rec, const struct key_entry *e)
{
	const struct key_version *v = &e->v[0];
	char made[CLOCK_RFC3339_MAX];

	clock_format(made, v->made_sec);
	if (l->run->o.json)
		printf("{\"namespace\":\"%s\",\"profile\":\"%s\",\"key\":\"%s\",\"type\":\"%s\","
		       "\"size\":%u,\"version\":%u,\"versions\":%zu,\"rotatedAt\":\"%s\",\"kek\":"
		       "\"%s\",\"state\":\"%s\"}\n",
			rec->owner.namespace_, rec->owner.profile, e->name, key_type_name(v->type),
			v->size, v->version, e->n, made, rec->kek,
			rec->deleted_sec ? "deleted"
			: e->removed_sec ? "aside"
					 : "used");
	else
		printf("%-40s %-20s %-10s %5u %8u %5zu  %s  %s  %s\n",
			arena_printf(
				&l->run->arena, "%s/%s", rec->owner.namespace_, rec->owner.profile),
			e->name, key_type_name(v->type), v->size, v->version, e->n, made, rec->kek,
			rec->deleted_sec ? "profile deleted"
			: e->removed_sec ? "put aside"
					 : "");
}

static int list_one(void *ctx, const char *name)
{
	_cleanup_record_ struct key_record rec = {0};
	struct listing *l = ctx;
	struct error err = {0};
	char owner[KEY_NAME_MAX + 256];

	if (key_store_read_name(l->run->s.store, name, &rec, &err) < 0) {
		fprintf(stderr, "casemate-webhook key list: %s\n", err.message);
		l->problems++;
		return 0;
	}
	snprintf(owner, sizeof(owner), "%s/%s", rec.owner.namespace_, rec.owner.profile);
	if (l->only && strcmp(l->only, owner) != 0)
		return 0;
	for (size_t i = 0; i < rec.n; i++)
		print_key(l, &rec, &rec.keys[i]);
	l->shown++;
	return 0;
}

static int list(struct run *run, struct error *err)
{
	struct listing l = {.run = run, .only = run->rest.n ? run->rest.v[0] : NULL};
	int r;

	if (!run->o.json)
		printf("%-40s %-20s %-10s %5s %8s %5s  %-20s  %-16s\n", "PROFILE", "KEY", "TYPE",
			"SIZE", "VERSION", "KEPT", "MADE", "KEK");
	r = key_store_each(run->s.store, list_one, &l, err);
	if (r == 0 && l.problems)
		r = error_set(err, -EBADMSG, "%u records cannot be read", l.problems);
	if (r == 0 && l.only && !l.shown)
		r = error_set(err, -ENOENT, "there are no keys of %s", l.only);
	return r;
}

/*
 * import, rotate
 */

struct change {
	struct run *run;
	const char *key;
	struct key_spec spec;
	bool known; /* the spec is the profile's */
	struct secret bytes;
	unsigned version; /* that there is now */
};

static int do_import(
	void *ctx, struct key_record *rec, const struct kek_ring *keks, struct error *err)
{
	struct change *c = ctx;
	struct key_entry *e = key_record_find(rec, c->key);
	enum key_type type = c->known ? c->spec.type : KEY_RAW;
	unsigned size = type == KEY_RAW ? (unsigned)c->bytes.len : c->spec.size;
	int r;

	if (!e)
		e = key_record_add(rec, c->key);
	if (!e)
		return error_set(err, -EINVAL, "\"%.64s\" is no name of a key, or there are %d",
			c->key, KEY_RECORD_KEYS_MAX);
	e->removed_sec = 0;
	r = key_record_add_version(
		rec, e, type, size, c->run->now_sec, secret_view(&c->bytes), keks, err);
	e = key_record_find(rec, c->key);
	if (r == 0 && c->known && e->n > c->spec.keep_versions)
		e->n = c->spec.keep_versions;
	c->version = r == 0 ? e->v[0].version : 0;
	return r;
}

static int do_rotate(
	void *ctx, struct key_record *rec, const struct kek_ring *keks, struct error *err)
{
	struct change *c = ctx;
	struct key_entry *e = key_record_find(rec, c->key);
	int r;

	if (!c->known && e && e->n)
		c->spec = (struct key_spec){.type = e->v[0].type,
			.size = e->v[0].size,
			.keep_versions = KEY_VERSIONS_MAX};
	else if (!c->known)
		return error_set(err, -ENOENT, "there is no key %.64s", c->key);
	if (c->spec.type == KEY_RAW)
		return error_set(err, -EINVAL,
			"key %s is imported: import its next version instead", c->key);
	snprintf(c->spec.name, sizeof(c->spec.name), "%s", c->key);
	r = keys_rotate(rec, &c->spec, keks, c->run->now_sec, err);
	if (r < 0)
		return r;
	e = key_record_find(rec, c->key);
	e->removed_sec = 0;
	if (e->n > c->spec.keep_versions)
		e->n = c->spec.keep_versions;
	c->version = e->v[0].version;
	return 0;
}

/* NAMESPACE/PROFILE KEY of the arguments. */
static int change_key(struct run *run, struct change *c,
	int (*change)(
		void *ctx, struct key_record *rec, const struct kek_ring *keks, struct error *err),
	struct error *err)
{
	struct json_val keys = {0};
	struct key_owner owner;
	int r;

	if (run->rest.n != 2)
		return error_set(err, -EINVAL, "needs NAMESPACE/PROFILE and KEY");
	c->run = run;
	c->key = run->rest.v[1];
	r = key_session_owner(&run->s, run->rest.v[0], &owner, &keys, err);
	c->known = run->s.kube || *run->o.store.profiles_dir;
	if (r == 0 && c->known)
		r = key_session_spec(keys, c->key, &c->spec, err);
	if (r == 0)
		r = key_session_update(&run->s, &owner, true, change, c, err);
	if (r == 0)
		printf("%s/%s version %u\n", run->rest.v[0], c->key, c->version);
	return r;
}

static int import(struct run *run, struct error *err)
{
	struct change c = {0};
	int r;

	if (!*run->o.from)
		return error_set(
			err, -EINVAL, "name the file of the key: --from FILE, or --from -");
	r = read_secret(run->o.from, KEY_BYTES_MAX, &c.bytes, err);
	if (r == 0 && c.bytes.len == 0)
		r = error_set(err, -EINVAL, "%s: is empty", run->o.from);
	if (r == 0)
		r = change_key(run, &c, do_import, err);
	secret_free(&c.bytes);
	return r;
}

struct rewrap {
	struct run *run;
	char (*names)[KEY_RECORD_NAME_MAX];
	size_t n, cap;
};

static int collect(void *ctx, const char *name)
{
	struct rewrap *w = ctx;

	if (w->n == w->cap) {
		size_t cap = w->cap ? 2 * w->cap : 64;
		void *p = reallocarray(w->names, cap, sizeof(*w->names));

		if (!p)
			return -ENOMEM;
		w->names = p;
		w->cap = cap;
	}
	snprintf(w->names[w->n++], KEY_RECORD_NAME_MAX, "%s", name);
	return 0;
}

static int do_rewrap(
	void *ctx, struct key_record *rec, const struct kek_ring *keks, struct error *err)
{
	(void)ctx;
	return key_record_rewrap(rec, keks, err);
}

static int rewrap_one(struct run *run, const char *name, struct error *err)
{
	_cleanup_record_ struct key_record rec = {0};
	int r = key_store_read_name(run->s.store, name, &rec, err);

	if (r == -ENOENT) /* it went meanwhile */
		return 0;
	if (r < 0 || strcmp(rec.kek, key_store_keks(run->s.store)->v[0].id) == 0)
		return r;
	return key_session_update(&run->s, &rec.owner, false, do_rewrap, NULL, err);
}

static int rewrap(struct run *run, struct error *err)
{
	struct rewrap w = {.run = run};
	int r = key_session_renew_kek(&run->s, err);
	size_t done = 0, failed = 0;

	if (r == 0)
		r = key_store_each(run->s.store, collect, &w, err);
	for (size_t i = 0; r == 0 && i < w.n; i++) {
		struct error why = {0};

		if (rewrap_one(run, w.names[i], &why) == 0) {
			done++;
			continue;
		}
		failed++;
		fprintf(stderr, "casemate-webhook key rotate: %s\n", why.message);
	}
	free(w.names);
	if (r == 0)
		printf("%zu records are under key-encryption key %s\n", done,
			key_store_keks(run->s.store)->v[0].id);
	if (r == 0 && failed)
		r = error_set(err, -EBADMSG,
			"%zu records are not: keep the older key-encryption keys", failed);
	return r;
}

static int rotate(struct run *run, struct error *err)
{
	struct change c = {0};

	if (!run->o.kek)
		return change_key(run, &c, do_rotate, err);
	if (run->rest.n)
		return error_set(err, -EINVAL, "--kek is for all records: name none");
	return rewrap(run, err);
}

/*
 * backup, restore
 */

static int backup(struct run *run, struct error *err)
{
	size_t n = 0;
	int r;

	if (!*run->o.output)
		return error_set(err, -EINVAL, "name the file to write: -o FILE");
	r = keys_backup_write(run->s.store, run->o.output, &n, err);
	if (r == 0)
		printf("%zu records in %s; it is of use only with the key-encryption key: keep "
		       "that "
		       "elsewhere\n",
			n, run->o.output);
	return r;
}

/* Whether a record goes back, and to whom. */
static int restore_one(struct run *run, struct key_record *rec, bool *ret_done, struct error *err)
{
	_cleanup_record_ struct key_record present = {0};
	struct json_val keys = {0};
	struct key_owner to;
	char name[KEY_NAME_MAX + 256];
	int r;

	*ret_done = false;
	snprintf(name, sizeof(name), "%s/%s", rec->owner.namespace_, rec->owner.profile);
	r = key_session_owner(&run->s, name, &to, &keys, err);
	if (r < 0)
		return r;
	if (strcmp(to.profile_uid, rec->owner.profile_uid) != 0 ||
		strcmp(to.namespace_uid, rec->owner.namespace_uid) != 0) {
		if (!run->o.adopt)
			return error_set(err, -EPERM,
				"%s is not the profile that had these keys, it only has its name; "
				"if "
				"it is to have them: --adopt",
				name);
		r = key_record_give(rec, &to, key_store_keks(run->s.store), err);
		if (r < 0)
			return r;
	}
	r = key_store_read(run->s.store, &to, &present, err);
	if (r != -ENOENT && !run->o.replace)
		return error_set(err, -EEXIST, "%s has keys%s; to write over them: --replace", name,
			r < 0 ? " that cannot be read" : "");
	rec->deleted_sec = 0;
	r = keys_restore_revision(run->s.store, &to, rec, err);
	if (r == 0)
		r = key_record_rewrap(rec, key_store_keks(run->s.store), err);
	if (r == 0)
		r = key_session_write(&run->s, rec, err);
	*ret_done = r == 0;
	return r;
}

struct restoring {
	struct run *run;
	bool deleted; /* now those of profiles that had been deleted */
	struct keys_heirs heirs;
	size_t done, failed, passed_over;
};

/* Keys that a deleted profile left are for who makes it anew by its name, unless a later one of
 * that name has keys in the same backup. */
static bool is_next(struct restoring *restoring, const struct key_record *rec)
{
	if ((rec->deleted_sec != 0) != restoring->deleted)
		return false;
	if (!restoring->deleted || keys_heirs_last(&restoring->heirs, rec))
		return true;
	restoring->passed_over++;
	return false;
}

static int on_record(void *ctx, struct key_record *rec)
{
	struct restoring *restoring = ctx;
	struct error err = {0};
	bool done;

	if (!restoring->deleted && keys_heirs_see(&restoring->heirs, rec) < 0)
		return -ENOMEM;
	if (!is_next(restoring, rec))
		return 0;
	if (restore_one(restoring->run, rec, &done, &err) < 0) {
		fprintf(stderr, "casemate-webhook key restore: %s\n", err.message);
		restoring->failed++;
	}
	restoring->done += done;
	return 0;
}

/* Those that the backup's records are under are stored with them. */
static int adopt_keks(struct run *run, struct error *err)
{
	_cleanup_buf_ struct buf keks = BUF_INIT(KEK_LINES_BYTES_MAX);
	int r = keys_backup_keks(run->o.from, &keks, err);

	if (r < 0)
		return r;
	return key_session_adopt_keks(&run->s, buf_view(&keks), err);
}

static int restore(struct run *run, struct error *err)
{
	struct restoring restoring = {.run = run};
	int r;

	if (!*run->o.from)
		return error_set(err, -EINVAL, "name the backup: --from FILE");
	r = adopt_keks(run, err);
	for (int deleted = 0; r == 0 && deleted < 2; deleted++) {
		restoring.deleted = deleted;
		r = keys_backup_read(
			run->o.from, key_store_keks(run->s.store), on_record, &restoring, err);
	}
	keys_heirs_free(&restoring.heirs);
	if (r < 0)
		return r;
	printf("%zu records restored\n", restoring.done);
	if (restoring.passed_over)
		printf("%zu passed over: of deleted profiles whose names others had later\n",
			restoring.passed_over);
	return restoring.failed
		       ? error_set(err, -EBADMSG, "%zu records were not restored", restoring.failed)
		       : 0;
}

/*
 * The command
 */

static const struct subcommand {
	struct subcommand_help help;
	size_t rest_max;
	int (*run)(struct run *run, struct error *err);
} subcommands[] = {
	{{"list", "[OPTIONS] [NAMESPACE/PROFILE]",
		 "Which keys are stored: type, size, newest version, how many are kept. No key is "
		 "shown.\n"
		 "Exit code 1: a record cannot be read.\n",
		 list_table, ARRAY_SIZE(list_table)},
		1, list},
	{{"import", "[OPTIONS] --from FILE NAMESPACE/PROFILE KEY",
		 "Stores a file's bytes, exactly as they are, as the key's next version.\n",
		 import_table, ARRAY_SIZE(import_table)},
		2, import},
	{{"rotate", "[OPTIONS] NAMESPACE/PROFILE KEY | --kek",
		 "Makes a new version of a key, as its profile says (as it was, without one); or, "
		 "with\n"
		 "--kek, wraps everything under the first key of the file of key-encryption keys, "
		 "or, where\n"
		 "Vault or a token wraps (--kek-use), under a new key-encryption key of it.\n",
		 rotate_table, ARRAY_SIZE(rotate_table)},
		2, rotate},
	{{"backup", "[OPTIONS] -o FILE", "Writes every record, wrapped as it is, into one file.\n",
		 backup_table, ARRAY_SIZE(backup_table)},
		0, backup},
	{{"restore", "[OPTIONS] --from FILE",
		 "Puts the records of a backup back. What is stored now stays unless --replace.\n",
		 restore_table, ARRAY_SIZE(restore_table)},
		0, restore},
};

static void usage(FILE *f, const char *word)
{
	const struct settings_table explain = key_explain_settings();
	struct subcommand_help help[ARRAY_SIZE(subcommands) + 1];

	for (size_t i = 0; i < ARRAY_SIZE(subcommands); i++)
		help[i] = subcommands[i].help;
	help[ARRAY_SIZE(subcommands)] = (struct subcommand_help){"explain",
		"[OPTIONS] NAMESPACE/PROFILE/KEY",
		"Goes through the broker's rules for a live pod (--pod) or for evidence "
		"(--evidence, as\n"
		"verify takes it) and says which hold, which fail and what to change. For a pod "
		"whose\n"
		"node is confidential the node's verdict stands for its evidence. Nothing is "
		"released.\n"
		"Exit code 0: the key would be released; 1: refused, or something cannot be looked "
		"up.\n",
		explain.v, explain.n};
	subcommand_usage(f, "key", help, ARRAY_SIZE(help), word);
}

static int run_subcommand(const struct subcommand *sub, int argc, char **argv)
{
	struct run run = {.arena = ARENA_INIT(COMMAND_MEMORY_MAX),
		.now_sec = clock_unix_usec() / USEC_PER_SEC};
	const struct settings_input in = {
		.table = sub->help.table, .n = sub->help.n, .argc = argc, .argv = argv};
	struct error err = {0};
	int r = settings_read(&in, &run.o, &run.arena, &run.rest, &err);

	if (r == 0 && run.rest.n > sub->rest_max)
		r = error_set(&err, -EINVAL, "\"%.64s\" is too much", run.rest.v[sub->rest_max]);
	run.o.store.restores = sub->run == restore;
	if (r == 0)
		r = key_session_open(&run.s, &run.o.store, &err);
	if (r == 0)
		r = sub->run(&run, &err);
	if (r < 0)
		fprintf(stderr, "casemate-webhook key %s: %s\n", sub->help.name, err.message);
	key_session_close(&run.s);
	arena_free(&run.arena);
	if (r == -EINVAL)
		return COMMAND_USAGE;
	return r < 0 ? COMMAND_REFUSED : COMMAND_DONE;
}

int command_key(int argc, char **argv)
{
	if (argc > 0 && strcmp(argv[0], "--help") == 0) {
		usage(stdout, argc > 1 ? argv[1] : NULL);
		return COMMAND_DONE;
	}
	if (argc > 0 && strcmp(argv[0], "explain") == 0)
		return command_key_explain(argc - 1, argv + 1);
	(void)secret_protect_process();
	for (size_t i = 0; argc > 0 && i < ARRAY_SIZE(subcommands); i++) {
		if (strcmp(argv[0], subcommands[i].help.name) == 0)
			return run_subcommand(&subcommands[i], argc - 1, argv + 1);
	}
	usage(stderr, NULL);
	return COMMAND_USAGE;
}
