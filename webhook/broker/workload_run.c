/* SPDX-License-Identifier: Apache-2.0
 *
 * What a container runs. */
#include <errno.h>

#include "common/kbs/delivery.h"
#include "webhook/broker/workload_match.h"
#include "webhook/policy/names.h"
#include "webhook/policy/result.h"

static bool absent(struct json_val v)
{
	return json_type(v) <= JSON_NULL;
}

static bool holds(struct json_val list, struct span s)
{
	struct json_iter it;

	json_each (it, list)
		if (json_str_equal(it.value, s))
			return true;
	return false;
}

static int one_of_digests(
	const struct running *c, struct span digest, struct span image, const char *field)
{
	if (holds(json_get(c->want, "imageDigests"), digest))
		return 0;
	return grant_refuse(c->d, REASON_WorkloadNotAllowed,
		"%s.imageDigests lacks that of the container's %s, \"" SPAN_FMT "\"", c->at, field,
		SHOWN(image));
}

/* The spec must pin the image: a tag that is moved gives a restarted container another image, and
 * the status that the API server shows is always a little older than what runs. */
int running_image(const struct running *c)
{
	struct json_val image = json_get(c->v, "image"), id = json_get(c->status, "imageID");
	struct span text = json_str(image, c->d->a);
	int r;

	if (json_count(json_get(c->want, "imageDigests")) == 0)
		return grant_refuse(c->d, REASON_WorkloadNotAllowed,
			"%s.imageDigests is empty: any image could run; list the digests that may",
			c->at);
	if (!text.p && json_is_string(image))
		return -ENOMEM;
	if (!text.p || !name_image_digest(text).p)
		return grant_refuse(c->d, REASON_WorkloadNotAllowed,
			"container %s: image \"" SPAN_FMT "\" is not pinned, and what a tag names "
			"can change at each start; name it as repository@sha256:…, with a digest "
			"of %s.imageDigests",
			c->name, SHOWN(text), c->at);
	r = one_of_digests(c, name_image_digest(text), text, "image");
	if (r || absent(id) || json_str_is(id, "")) /* not started yet */
		return r;
	text = json_str(id, c->d->a);
	if (!text.p && json_is_string(id))
		return -ENOMEM;
	return one_of_digests(c, name_image_id_digest(text), text, "imageID (what runs)");
}

/* command and args as one list. */
struct argv {
	struct json_val v[2];
	size_t n;
};

static struct json_val argv_at(const struct argv *a, size_t i)
{
	size_t first = json_count(a->v[0]);

	return i < first ? json_at(a->v[0], i) : json_at(a->v[1], i - first);
}

/* How many words in front are Casemate's own. */
static size_t argv_wrapper(const struct argv *a)
{
	return json_str_is(argv_at(a, 0), DELIVERY_EXEC) && json_str_is(argv_at(a, 1), "--") ? 2
											     : 0;
}

static int refuse_argument(
	const struct running *c, const struct argv *a, size_t skip, size_t i, size_t n_want)
{
	struct span got = json_str(argv_at(a, skip + i), c->d->a);

	if (i >= n_want)
		return grant_refuse(c->d, REASON_WorkloadNotAllowed,
			"%s.command has %zu words, and the container runs one more: \"" SPAN_FMT
			"\"",
			c->at, n_want, SHOWN(got));
	if (skip + i >= a->n)
		return grant_refuse(c->d, REASON_WorkloadNotAllowed,
			"%s.command has %zu words, and the container runs only %zu", c->at, n_want,
			a->n - skip);
	return grant_refuse(c->d, REASON_WorkloadNotAllowed,
		"%s.command[%zu] is not what the container runs there: \"" SPAN_FMT "\"", c->at, i,
		SHOWN(got));
}

/* Word by word. json_at() is linear; profiles and pods bound the words. */
static int compare_command(const struct running *c, const struct argv *a)
{
	struct json_val want = json_get(c->want, "command");
	size_t skip = argv_wrapper(a), n_want = json_count(want), i = 0;
	struct json_iter it;

	json_each (it, want) {
		i = it.index;
		if (skip + i >= a->n || !json_equal(it.value, argv_at(a, skip + i)))
			return refuse_argument(c, a, skip, i, n_want);
	}
	return a->n - skip == n_want ? 0 : refuse_argument(c, a, skip, n_want, n_want);
}

int running_command(const struct running *c)
{
	struct json_val command = json_get(c->v, "command"), args = json_get(c->v, "args");
	struct argv a = {{command, args}, json_count(command) + json_count(args)};
	bool named = json_count(json_get(c->want, "command")) > 0;

	if (!absent(json_get(c->v, "workingDir")) && !json_str_is(json_get(c->v, "workingDir"), ""))
		return grant_refuse(c->d, REASON_WorkloadNotAllowed,
			"container %s: workingDir changes what a command means, and no profile "
			"allows it; remove it, and set it in the image",
			c->name);
	if (!named && a.n > 0)
		return grant_refuse(c->d, REASON_WorkloadNotAllowed,
			"%s.command is not set, so the image's own runs, and the container names "
			"another: list it there, with its arguments",
			c->at);
	if (named && json_count(command) == 0)
		return grant_refuse(c->d, REASON_WorkloadNotAllowed,
			"%s.command is what runs, and the container names no command of its own, "
			"so the image's runs: name it in the pod",
			c->at);
	return named ? compare_command(c, &a) : 0;
}

/* LANG, or CASEMATE_* for all that begin so. */
static bool env_listed(const struct running *c, struct span name)
{
	struct json_iter it;

	json_each (it, json_get(c->want, "env")) {
		struct span pattern = json_str(it.value, c->d->a);

		if (span_equal(pattern, name))
			return true;
		if (pattern.len > 0 && pattern.p[pattern.len - 1] == '*' &&
			name.len >= pattern.len - 1 &&
			memcmp(pattern.p, name.p, pattern.len - 1) == 0)
			return true;
	}
	return false;
}

/* The name of the key that is delivered in this variable; missing: none. */
static struct json_val key_of_env(const struct running *c, struct span name)
{
	struct json_iter it;

	json_each (it, json_get(c->d->profile->spec, "keys"))
		if (json_str_equal(json_find(it.value, "deliver", "env"), name))
			return json_get(it.value, "name");
	return (struct json_val){0};
}

/* A variable that a key comes in stands for that key alone: any other value would make the program
 * use a secret that somebody else chose. */
static int judge_key_env(
	const struct running *c, struct json_val env, struct span name, struct json_val key)
{
	struct span text = json_str(key, c->d->a);
	const char *want = text.p ? arena_printf(c->d->a, DELIVERY_URL "%s/" SPAN_FMT,
					    c->d->profile->name, SPAN_ARG(text))
				  : NULL;

	if (!want)
		return -ENOMEM;
	if (json_str_is(json_get(env, "value"), want) && absent(json_get(env, "valueFrom")))
		return 0;
	return grant_refuse(c->d, REASON_WorkloadNotAllowed,
		"container %s: env " SPAN_FMT " must be \"%s\", as the profile delivers it",
		c->name, SHOWN(name), want);
}

/* What a value comes from must not be able to say "casemate://…", which casemate-exec would replace
 * by a key, in a variable whose value the program may show to anybody. */
static bool harmless_source(struct json_val from, struct arena *a)
{
	struct span path = json_str(json_find(from, "fieldRef", "fieldPath"), a);

	if (json_count(from) != 1)
		return false;
	if (json_is_object(json_get(from, "resourceFieldRef")))
		return true;
	return path.p && !span_starts(path, "metadata.annotations") &&
	       !span_starts(path, "metadata.labels");
}

/* A substring; values are the user's and may be long. */
static bool contains(struct span s, const char *what)
{
	return s.len > 0 && memmem(s.p, s.len, what, strlen(what));
}

static int judge_value(const struct running *c, struct json_val env, struct span name)
{
	struct json_val from = json_get(env, "valueFrom"), value = json_get(env, "value");
	struct span text = absent(value) ? SPAN_LIT("") : json_str(value, c->d->a);

	if (!absent(from))
		return harmless_source(from, c->d->a)
			       ? 0
			       : grant_refuse(c->d, REASON_WorkloadNotAllowed,
					 "container %s: env " SPAN_FMT
					 " takes its value from elsewhere (valueFrom), where it "
					 "can change unseen; write the value, or use fieldRef of a "
					 "field other than labels and annotations",
					 c->name, SHOWN(name));
	if (!text.p)
		return json_is_string(value)
			       ? -ENOMEM
			       : grant_refuse(c->d, REASON_WorkloadNotAllowed,
					 "container %s: env " SPAN_FMT " is no string", c->name,
					 SHOWN(name));
	if (contains(text, DELIVERY_URL) || contains(text, "$("))
		return grant_refuse(c->d, REASON_WorkloadNotAllowed,
			"container %s: env " SPAN_FMT " %s, and only deliver.env of a key puts "
			"keys into variables",
			c->name, SHOWN(name),
			contains(text, "$(") ? "is put together of other variables"
					     : "names a key");
	return 0;
}

static int judge_env(const struct running *c, struct json_val env)
{
	struct json_val name = json_get(env, "name");
	struct span text = json_str(name, c->d->a);
	struct json_val key;

	if (!text.p)
		return json_is_string(name)
			       ? -ENOMEM
			       : grant_refuse(c->d, REASON_WorkloadNotAllowed,
					 "container %s: a variable has no name", c->name);
	key = key_of_env(c, text);
	if (json_exists(key))
		return judge_key_env(c, env, text, key);
	if (!env_listed(c, text))
		return grant_refuse(c->d, REASON_WorkloadNotAllowed,
			"%s.env lacks " SPAN_FMT ", which the container sets: list it, or take it "
			"out of the pod",
			c->at, SHOWN(text));
	return judge_value(c, env, text);
}

int running_env(const struct running *c)
{
	struct json_iter it;

	if (json_count(json_get(c->v, "envFrom")) > 0)
		return grant_refuse(c->d, REASON_WorkloadNotAllowed,
			"container %s: envFrom sets variables that nobody named; name them in env, "
			"and list them in %s.env",
			c->name, c->at);
	json_each (it, json_get(c->v, "env")) {
		int r = judge_env(c, it.value);

		if (r)
			return r;
	}
	return 0;
}

/* Only the kubelet's own connections to the container. */
static bool is_network_probe(struct json_val probe)
{
	return !json_exists(json_get(probe, "exec")) &&
	       (json_is_object(json_get(probe, "httpGet")) ||
		       json_is_object(json_get(probe, "tcpSocket")) ||
		       json_is_object(json_get(probe, "grpc")));
}

int running_hooks(const struct running *c)
{
	static const char *const probes[] = {"livenessProbe", "readinessProbe", "startupProbe"};
	struct json_val allowed = json_get(c->want, "probes");
	bool exec = json_str_is(allowed, "exec"), http = exec || json_str_is(allowed, "http");
	struct json_val message = json_get(c->v, "terminationMessagePath");

	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		struct json_val probe = json_get(c->v, probes[i]);

		if (absent(probe) || exec || (http && is_network_probe(probe)))
			continue;
		return grant_refuse(c->d, REASON_WorkloadNotAllowed,
			"%s.probes is %s, and the container has a %s%s", c->at,
			http ? "http" : "none", probes[i], http ? " that runs a command" : "");
	}
	if (json_count(json_get(c->v, "lifecycle")) > 0 && !exec)
		return grant_refuse(c->d, REASON_WorkloadNotAllowed,
			"%s.probes is %s, and the container has lifecycle hooks, which need exec",
			c->at, http ? "http" : "none");
	/* the kubelet copies that file into the pod's status, where everybody reads it */
	if (!absent(message) && !json_str_is(message, "/dev/termination-log"))
		return grant_refuse(c->d, REASON_WorkloadNotAllowed,
			"container %s: terminationMessagePath would show a file of the container "
			"in the pod's status; remove it",
			c->name);
	return 0;
}
