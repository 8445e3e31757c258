/* SPDX-License-Identifier: Apache-2.0
 *
 * put_key FOLDER KEK-FILE NAMESPACE PROFILE KEY: stores standard input as that raw key. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "common/base/clock.h"
#include "webhook/broker/store.h"

static void written(void *ctx, int r, const struct error *err)
{
	if (r < 0)
		fprintf(stderr, "put_key: %s\n", err->message);
	*(int *)ctx = r;
}

static int put(struct key_store *s, char **argv, struct span bytes, struct error *err)
{
	const struct key_owner owner = {argv[3], "", argv[4], ""};
	int64_t now_sec = clock_unix_usec() / (int64_t)USEC_PER_SEC;
	_cleanup_record_ struct key_record rec = {0};
	struct key_entry *e;
	int done = -EIO, r = key_store_read(s, &owner, &rec, err);

	if (r == -ENOENT)
		r = key_record_new(&rec, &owner, err);
	if (r < 0)
		return r;
	e = key_record_find(&rec, argv[5]);
	if (!e)
		e = key_record_add(&rec, argv[5]);
	if (!e)
		return error_set(err, -E2BIG, "too many keys");
	r = key_record_add_version(
		&rec, e, KEY_RAW, (unsigned)bytes.len, now_sec, bytes, key_store_keks(s), err);
	if (r == 0)
		r = key_store_write(s, &rec, written, &done, err);
	return r < 0 ? r : done;
}

int main(int argc, char **argv)
{
	_cleanup_(key_store_free_p) struct key_store *s = NULL;
	char bytes[KEY_BYTES_MAX];
	size_t n = fread(bytes, 1, sizeof(bytes), stdin);
	struct error err = {0};
	int r;

	if (argc != 6)
		return 2;
	r = key_store_new(
		&s, &(struct key_store_options){.directory = argv[1], .kek_file = argv[2]}, &err);
	if (r == 0)
		r = put(s, argv, (struct span){bytes, n}, &err);
	if (r < 0)
		fprintf(stderr, "put_key: %s\n", err.message);
	return r < 0;
}
