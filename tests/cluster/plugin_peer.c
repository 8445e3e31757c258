/* SPDX-License-Identifier: Apache-2.0
 *
 * A small device plugin for the test of nodeagent/kubelet on a real kubelet: offers three devices
 *of a resource that asks for PreStartContainer, and writes what happens, with Unix times, one line
 * each. A container gets the device node, and a variable with its ids.
 *
 *	plugin_peer KUBELET_DIR RESOURCE DEVICE DENY	DENY: while this file exists no container
 *starts plugin_peer rival SOCKET			only listens there, as another plugin would
 *
 * SIGUSR1: the devices are healthy no more, or again. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/net/grpc.h"
#include "nodeagent/kubelet/plugin.h"
#include "nodeagent/kubelet/pod_resources.h"

enum { DEVICES = 3, IDS_MAX = 256 };

struct peer {
	struct resource resource;
	const char *device, *deny;
	char ids[IDS_MAX];
	struct plugins *plugins;
	struct pod_resources *holdings;
	bool unhealthy;
};

struct start { /* of a container */
	struct peer *peer;
	struct resource_request *request;
	char ids[IDS_MAX], first[IDS_MAX];
};

static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *fmt, ...)
{
	int64_t now = clock_unix_usec();
	va_list ap;

	printf("%lld.%06lld ", (long long)(now / USEC_PER_SEC), (long long)(now % USEC_PER_SEC));
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* In one order, whatever the kubelet's is this time. */
static void join(char out[IDS_MAX], const char *const *ids, size_t n)
{
	const char *sorted[DEVICES];
	size_t len = 0;

	if (n > DEVICES)
		n = DEVICES;
	memcpy(sorted, ids, n * sizeof(*ids));
	qsort(sorted, n, sizeof(*sorted), compare);
	out[0] = '\0';
	for (size_t i = 0; i < n && len < IDS_MAX; i++)
		len += (size_t)snprintf(out + len, IDS_MAX - len, "%s%s", i ? "," : "", sorted[i]);
}

static int allocate(
	void *ctx, const char *const *ids, size_t n, struct allocation *ret_a, struct error *err)
{
	struct peer *p = ctx;

	(void)err;
	join(p->ids, ids, n);
	say("allocate %s", p->ids);
	ret_a->devices[0].container_path = "/dev/casemate-test";
	ret_a->devices[0].host_path = p->device;
	ret_a->devices[0].permissions = "rw";
	ret_a->n_devices = 1;
	ret_a->env[0].name = "CASEMATE_TEST_IDS";
	ret_a->env[0].value = p->ids;
	ret_a->n_env = 1;
	return 0;
}

/* The list has a container's ids in any order. */
static bool holds(const struct holding *h, const char *resource, const char *id)
{
	bool found = false;

	for (size_t i = 0; i < h->n_ids; i++)
		found = found || strcmp(h->ids[i], id) == 0;
	return found && strcmp(h->resource, resource) == 0;
}

static void listed(void *ctx, const struct holdings *h, const struct error *err)
{
	struct start *s = ctx;
	struct peer *p = s->peer;
	struct error why = {0};

	for (size_t i = 0; h && i < h->n; i++)
		if (holds(&h->v[i], p->resource.name, s->first))
			say("pre-start %s of %s/%s container %s, which holds %zu", s->ids,
				h->v[i].namespace_, h->v[i].pod, h->v[i].container, h->v[i].n_ids);
	if (err)
		why = *err;
	else if (access(p->deny, F_OK) == 0)
		error_set(&why, -EACCES, "no start while %s exists: remove it", p->deny);
	say("pre-start %s %s", s->ids, why.code ? why.message : "allowed");
	resource_pre_start_done(s->request, why.code ? &why : NULL);
	free(s);
}

static void pre_start(void *ctx, const char *const *ids, size_t n, struct resource_request *rq)
{
	struct start *s = calloc(1, sizeof(*s));
	struct error err = {0};

	if (!s) {
		error_oom(&err);
		resource_pre_start_done(rq, &err);
		return;
	}
	s->peer = ctx;
	s->request = rq;
	join(s->ids, ids, n);
	join(s->first, ids, 1);
	if (pod_resources_list(s->peer->holdings, listed, s, &err) < 0) {
		resource_pre_start_done(rq, &err);
		free(s);
	}
}

static void changed(void *ctx)
{
	static const char *const names[] = {"idle", "waiting", "registered", "foreign"};
	struct peer *p = ctx;

	for (size_t i = 0; i < plugins_count(p->plugins); i++) {
		struct plugin_info info = plugins_at(p->plugins, i);

		say("state %s %s", names[info.state], info.problem);
	}
}

static int on_signal(sd_event_source *source, const struct signalfd_siginfo *si, void *ctx)
{
	struct peer *p = ctx;

	if ((int)si->ssi_signo != SIGUSR1)
		return sd_event_exit(sd_event_source_get_event(source), 0);
	p->unhealthy = !p->unhealthy;
	say("devices %s", p->unhealthy ? "unhealthy" : "healthy");
	plugins_set(p->plugins, p->resource.name, DEVICES, !p->unhealthy, "by signal", NULL);
	return 0;
}

static int run(sd_event *event, struct peer *p)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sd_event_add_signal(event, NULL, SIGUSR1, on_signal, p);
	sd_event_add_signal(event, NULL, SIGTERM, on_signal, p);
	return sd_event_loop(event);
}

static int rival(sd_event *event, const char *socket)
{
	struct grpc_server_options o = {.path = socket};
	_cleanup_(grpc_server_stop_p) struct grpc_server *server = NULL;
	struct error err = {0};

	if (grpc_server_start(&server, event, &o, &err) < 0) {
		fprintf(stderr, "%s\n", err.message);
		return EXIT_FAILURE;
	}
	say("rival listens");
	return run(event, NULL);
}

static int offer(sd_event *event, struct peer *p, const char *dir)
{
	const char *const prefixes[] = {p->resource.name, NULL};
	char plugins[128], sockets[128];
	struct plugins_options o = {.dir = plugins, .changed = changed, .ctx = p};
	struct error err = {0};
	int r;

	snprintf(plugins, sizeof(plugins), "%s/device-plugins", dir);
	snprintf(sockets, sizeof(sockets), "%s/pod-resources/kubelet.sock", dir);
	say("start");
	r = plugins_new(&p->plugins, event, &o, &err);
	if (r >= 0)
		r = pod_resources_new(&p->holdings, event, sockets, prefixes, &err);
	if (r >= 0)
		r = plugins_add(p->plugins, &p->resource, &err);
	if (r >= 0)
		r = plugins_set(p->plugins, p->resource.name, DEVICES, true, "", &err);
	if (r >= 0)
		r = run(event, p);
	else
		fprintf(stderr, "%s\n", err.message);
	plugins_free(p->plugins);
	pod_resources_free(p->holdings);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;

	signal(SIGPIPE, SIG_IGN);
	if (sd_event_default(&event) < 0)
		return EXIT_FAILURE;
	if (argc == 3 && strcmp(argv[1], "rival") == 0)
		return rival(event, argv[2]);
	if (argc == 5) {
		struct peer p = {.device = argv[3], .deny = argv[4]};

		p.resource = (struct resource){argv[2], "test-", allocate, pre_start, &p};
		return offer(event, &p, argv[1]);
	}
	fprintf(stderr, "usage: plugin_peer KUBELET_DIR RESOURCE DEVICE DENY | rival SOCKET\n");
	return 2;
}
