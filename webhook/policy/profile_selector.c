/* SPDX-License-Identifier: Apache-2.0
 *
 * Label selectors (metav1.LabelSelector) over JSON as it stands. */
#include "common/base/cleanup.h"
#include "webhook/policy/names.h"
#include "webhook/policy/schema.h"

enum {
	SELECTOR_LABELS_MAX = 64,
	SELECTOR_VALUES_MAX = 256,
};

static int check_label_key(struct check *c, const struct place *at, struct json_val v)
{
	return check_name(c, at, v, name_is_label_key, "label key");
}

static int check_label_value(struct check *c, const struct place *at, struct json_val v)
{
	return check_name(c, at, v, name_is_label_value, "label value");
}

static int check_match_labels(struct check *c, const struct place *at, struct json_val v)
{
	struct json_iter it;

	if (!json_is_object(v))
		return check_fail(c, at, "must be an object");
	if (json_count(v) > SELECTOR_LABELS_MAX)
		return check_fail(c, at, "has %zu labels, at most %d are allowed", json_count(v),
			SELECTOR_LABELS_MAX);
	json_each (it, v) {
		struct place here = {.up = at, .key = check_shown(it.key)};
		int r = check_label_key(c, &here, it.key);

		if (r == 0)
			r = check_label_value(c, &here, it.value);
		if (r < 0)
			return r;
	}
	return 0;
}

static int check_operator(struct check *c, const struct place *at, struct json_val v)
{
	static const char *const operators[] = {"In", "NotIn", "Exists", "DoesNotExist", NULL};

	return check_enum(c, at, v, operators, NULL);
}

static int check_values(struct check *c, const struct place *at, struct json_val v)
{
	return check_array(c, at, v, SELECTOR_VALUES_MAX, false, check_label_value);
}

static int check_expression(struct check *c, const struct place *at, struct json_val v)
{
	static const struct field fields[] = {
		{"key", check_label_key, true},
		{"operator", check_operator, true},
		{"values", check_values, false},
	};
	int r = check_object(c, at, v, fields, ARRAY_SIZE(fields));
	struct json_val op = json_get(v, "operator");
	bool takes = json_str_is(op, "In") || json_str_is(op, "NotIn");

	if (r < 0)
		return r;
	if (takes && json_count(json_get(v, "values")) == 0)
		return check_fail(c, PLACE(at, "values"), "must not be empty for In and NotIn");
	if (!takes && json_count(json_get(v, "values")) > 0)
		return check_fail(
			c, PLACE(at, "values"), "must be empty for Exists and DoesNotExist");
	return 0;
}

static int check_expressions(struct check *c, const struct place *at, struct json_val v)
{
	return check_array(c, at, v, SELECTOR_LABELS_MAX, false, check_expression);
}

int check_pod_selector(struct check *c, const struct place *at, struct json_val v)
{
	static const struct field fields[] = {
		{"matchLabels", check_match_labels, false},
		{"matchExpressions", check_expressions, false},
	};

	return check_object(c, at, v, fields, ARRAY_SIZE(fields));
}

/* The label whose key is key (a JSON string); missing when there is none. */
static struct json_val label_of(struct json_val labels, struct json_val key)
{
	struct json_iter it;

	json_each (it, labels)
		if (json_equal(it.key, key))
			return it.value;
	return (struct json_val){0};
}

static bool expression_matches(struct json_val e, struct json_val labels)
{
	struct json_val label = label_of(labels, json_get(e, "key"));
	struct json_val op = json_get(e, "operator");

	if (json_str_is(op, "Exists"))
		return json_exists(label);
	if (json_str_is(op, "DoesNotExist"))
		return !json_exists(label);
	/* NotIn holds for pods without the label, as in Kubernetes. */
	return check_holds(json_get(e, "values"), label) == json_str_is(op, "In");
}

bool selector_matches(struct json_val selector, struct json_val labels)
{
	struct json_iter it;

	json_each (it, json_get(selector, "matchLabels"))
		if (!json_equal(label_of(labels, it.key), it.value))
			return false;
	json_each (it, json_get(selector, "matchExpressions"))
		if (!expression_matches(it.value, labels))
			return false;
	return true;
}
