/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/keys_overdue.h"

#include "common/base/clock.h"
#include "webhook/broker/keys_status.h"

enum { MARGIN_MIN_SEC = 600, MARGIN_MAX_SEC = 86400 };

int64_t keys_overdue_margin(const struct key_spec *spec)
{
	int64_t tenth = spec->rotate_usec / (10 * (int64_t)USEC_PER_SEC);

	if (tenth < MARGIN_MIN_SEC)
		return MARGIN_MIN_SEC;
	return tenth > MARGIN_MAX_SEC ? MARGIN_MAX_SEC : tenth;
}

/* When the newest version was made; -1: there is none, or nobody knows. */
static int64_t made_sec(
	const struct profile *p, const struct key_record *rec, const struct key_spec *spec)
{
	const struct key_entry *e = rec ? key_record_find(rec, spec->name) : NULL;

	if (rec)
		return e && e->n ? e->v[0].made_sec : -1;
	return keys_status_made(p, spec->name);
}

unsigned keys_overdue_count(const struct profile *p, const struct key_record *rec, int64_t now_sec)
{
	struct json_iter it;
	unsigned n = 0;

	if (!p->valid || keys_being_deleted(p))
		return 0;
	json_each (it, json_get(p->spec, "keys")) {
		struct key_spec spec;
		int64_t made;

		key_spec_read(&spec, it.value);
		made = spec.rotate_usec ? made_sec(p, rec, &spec) : -1;
		if (made >= 0 && made + spec.rotate_usec / (int64_t)USEC_PER_SEC +
						 keys_overdue_margin(&spec) <
					 now_sec)
			n++;
	}
	return n;
}
