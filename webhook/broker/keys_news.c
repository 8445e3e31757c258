/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/keys_news.h"

#include <stdio.h>

#include "common/base/log.h"

enum { PATH_MAX_BYTES = 400 };

static void note(char (*names)[KEY_NAME_MAX], size_t *n, size_t max, const char *name)
{
	if (*n < max)
		snprintf(names[(*n)++], KEY_NAME_MAX, "%s", name);
}

void keys_news_of(struct keys_news *ret, const struct profile *p, const struct keys_plan *plan)
{
	size_t n = 0;

	*ret = (struct keys_news){0};
	snprintf(ret->owner.namespace_, sizeof(ret->owner.namespace_), "%s", p->namespace_);
	snprintf(ret->owner.profile, sizeof(ret->owner.profile), "%s", p->name);
	snprintf(ret->uid, sizeof(ret->uid), "%s", p->uid ? p->uid : "");
	for (size_t i = 0; i < plan->n; i++) {
		const struct key_step *s = &plan->v[i];

		if (s->kind == KEY_STEP_MAKE || s->kind == KEY_STEP_ROTATE)
			note(ret->made, &ret->n_made, KEYS_OF_PROFILE_MAX, s->name);
		else if (s->kind == KEY_STEP_DROP)
			note(ret->dropped, &ret->n_dropped, KEY_RECORD_KEYS_MAX, s->name);
		if (s->kind == KEY_STEP_ROTATE && n < sizeof(ret->rotated) - KEY_NAME_MAX - 2)
			n += (size_t)snprintf(ret->rotated + n, sizeof(ret->rotated) - n, "%s%s",
				n ? ", " : "", s->name);
	}
}

int keys_news_register(struct keys_counters *ret, struct metrics *m, struct error *err)
{
	static const char *const by_path[] = {"resource_path", NULL};

	*ret = (struct keys_counters){0};
	if (!m)
		return 0;
	ret->rotations = metrics_counter(m, "casemate_webhook_key_rotations_total",
		"Writes of new versions of keys that were due.", NULL);
	ret->writes = metrics_counter(m, "kbs_resource_writes_total",
		"Versions of keys that the broker made and stored, by path.", by_path);
	ret->deletes = metrics_counter(m, "kbs_resource_deletes_total",
		"Keys that the broker removed from what is stored, by path.", by_path);
	if (!ret->rotations || !ret->writes || !ret->deletes)
		return error_oom(err);
	metric_add(ret->rotations, 0, NULL);
	return 0;
}

static void count(
	const struct keys_news *news, struct metric *m, const char (*names)[KEY_NAME_MAX], size_t n)
{
	struct key_id id = news->owner;

	for (size_t i = 0; i < n; i++) {
		_cleanup_buf_ struct buf path = BUF_INIT(PATH_MAX_BYTES);

		snprintf(id.key, sizeof(id.key), "%s", names[i]);
		key_id_write(&path, &id);
		metric_add(m, 1, METRIC_VALUES(path.p ? path.p : ""));
	}
}

void keys_news_tell(const struct keys_news *news, const struct keys_counters *counters,
	struct kube_event_recorder *events)
{
	const struct key_id *id = &news->owner;
	const struct kube_object_ref ref = {
		"casemate.dev/v1alpha1", "EnclaveProfile", id->namespace_, id->profile, news->uid};
	char text[700];

	count(news, counters->writes, news->made, news->n_made);
	count(news, counters->deletes, news->dropped, news->n_dropped);
	if (!news->rotated[0])
		return;
	metric_add(counters->rotations, 1, NULL);
	snprintf(text, sizeof(text), "%s/%s", id->namespace_, id->profile);
	log_info(1, "Rotated keys", LOG_STR("profile", text), LOG_STR("keys", news->rotated));
	snprintf(text, sizeof(text), "a new version of: %s", news->rotated);
	if (events)
		kube_event(events, &ref, "Normal", "KeyRotated", "Rotate", text);
}
