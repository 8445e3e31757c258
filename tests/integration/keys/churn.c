/* SPDX-License-Identifier: Apache-2.0
 *
 * churn FOLDER SEED: imports and rotates keys of one profile and writes the audit log, as fast as it
 * can, until it is killed. Prints what is durable: "KEY VERSION" a line.
 * churn FOLDER check: are all records whole, and is each imported key what was imported? Prints
 * "KEY VERSION" for the newest of each.
 *
 * An imported key is derived from its name and version, so that any of them can be checked. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/kbs/key_id.h"
#include "webhook/broker/audit.h"
#include "webhook/broker/grant.h"
#include "webhook/broker/keys_plan.h"
#include "webhook/broker/store.h"

enum { KEYS = 4, PATH_MAX_BYTES = 512 };

static const struct key_owner owner = {"shop", "", "payments", ""};

struct churn {
	struct key_store *store;
	struct audit *audit;
};

static struct span imported(char out[64], unsigned key, unsigned version)
{
	return (struct span){out, (size_t)snprintf(out, 64, "value of k%u, %u", key, version)};
}

static int open_all(struct churn *c, const char *folder, bool audit, struct error *err)
{
	char keys[PATH_MAX_BYTES], kek[PATH_MAX_BYTES], log[PATH_MAX_BYTES];
	int r;

	snprintf(keys, sizeof(keys), "%s/keys", folder);
	snprintf(kek, sizeof(kek), "%s/kek", folder);
	snprintf(log, sizeof(log), "%s/audit.log", folder);
	r = key_store_new(&c->store,
		&(struct key_store_options){.directory = keys, .kek_file = kek}, err);
	if (r == 0 && audit)
		r = audit_new(&c->audit,
			&(struct audit_options){.path = log,
				.replica = "churn",
				.rotate_bytes = 256 * 1024,
				.keep = 1000},
			err);
	return r;
}

static void on_written(void *ctx, int r, const struct error *err)
{
	if (r < 0)
		fprintf(stderr, "churn: %s\n", err->message);
	*(int *)ctx = r;
}

/* Even keys are imported, odd ones made. */
static int change(struct churn *c, struct key_record *rec, unsigned key, struct error *err)
{
	const struct kek_ring *keks = key_store_keks(c->store);
	int64_t now_sec = clock_unix_usec() / (int64_t)USEC_PER_SEC;
	struct key_spec spec = {.type = KEY_PASSWORD, .size = 32, .keep_versions = 4};
	struct key_entry *e;
	char value[64];

	snprintf(spec.name, sizeof(spec.name), "k%u", key);
	if (key % 2)
		return keys_rotate(rec, &spec, keks, now_sec, err);
	e = key_record_find(rec, spec.name);
	if (!e)
		e = key_record_add(rec, spec.name);
	return key_record_add_version(rec, e, KEY_RAW, 1, now_sec,
		imported(value, key, e->n ? e->v[0].version + 1 : 1), keks, err);
}

static int turn(struct churn *c, unsigned key, struct error *err)
{
	_cleanup_record_ struct key_record rec = {0};
	struct key_id id = {"shop", "payments", ""};
	struct audit_entry entry = {.time_usec = clock_unix_usec(), .protocol = "test", .key = &id};
	int done = -EIO, r = key_store_read(c->store, &owner, &rec, err);

	if (r == -ENOENT)
		r = key_record_new(&rec, &owner, err);
	if (r == 0)
		r = change(c, &rec, key, err);
	if (r == 0)
		r = key_store_write(c->store, &rec, on_written, &done, err);
	if (r < 0 || done < 0)
		return r < 0 ? r : done;
	snprintf(id.key, sizeof(id.key), "k%u", key);
	entry.version = key_record_find(&rec, id.key)->v[0].version;
	r = audit_write(c->audit, &entry, err);
	if (r == 0)
		printf("%s %u\n", id.key, entry.version);
	return r;
}

static int churn(struct churn *c, unsigned seed, struct error *err)
{
	int r = 0;

	setvbuf(stdout, NULL, _IOLBF, 0);
	while (r == 0) {
		seed = seed * 1103515245 + 12345;
		r = turn(c, (seed >> 16) % KEYS, err);
	}
	return r;
}

static int check_version(const struct churn *c, const struct key_record *rec,
	const struct key_entry *e, const struct key_version *v, struct error *err)
{
	_cleanup_secret_ struct secret got = {0};
	unsigned key = (unsigned)strtoul(e->name + 1, NULL, 10);
	int r = key_record_open(&got, rec, e, v, key_store_keks(c->store), err);
	char want[64];

	if (r == 0 && v->type == KEY_RAW &&
		!span_equal(secret_view(&got), imported(want, key, v->version)))
		r = error_set(err, -EBADMSG, "%s, version %u, is another one", e->name, v->version);
	return r;
}

static int check(struct churn *c, struct error *err)
{
	_cleanup_record_ struct key_record rec = {0};
	int r = key_store_read(c->store, &owner, &rec, err);

	if (r == -ENOENT)
		return 0;
	for (size_t i = 0; r == 0 && i < rec.n; i++) {
		const struct key_entry *e = &rec.keys[i];

		for (size_t j = 0; r == 0 && j < e->n; j++)
			r = check_version(c, &rec, e, &e->v[j], err);
		if (r == 0)
			printf("%s %u\n", e->name, e->v[0].version);
	}
	return r;
}

int main(int argc, char **argv)
{
	bool checking = argc == 3 && strcmp(argv[2], "check") == 0;
	struct error err = {0};
	struct churn c = {0};
	int r;

	if (argc != 3)
		return 2;
	r = open_all(&c, argv[1], !checking, &err);
	if (r == 0)
		r = checking ? check(&c, &err)
			     : churn(&c, (unsigned)strtoul(argv[2], NULL, 10), &err);
	if (r < 0)
		fprintf(stderr, "churn: %s\n", err.message);
	audit_free(c.audit);
	key_store_free(c.store);
	return r < 0;
}
