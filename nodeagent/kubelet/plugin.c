/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/kubelet/plugin.h"

#include <stdarg.h>
#include <stdio.h>

#include "common/base/clock.h"
#include "common/base/utf8.h"
#include "nodeagent/kubelet/plugin_private.h"

/* --- what happens --- */

/* Timers that are not urgent may be late, so that they coalesce with others. */
static void run_at(struct plugins *all, int64_t due_usec)
{
	int64_t wait = due_usec - clock_monotonic_usec();

	if (!all->timer)
		return;
	if (due_usec == INT64_MAX) {
		sd_event_source_set_enabled(all->timer, SD_EVENT_OFF);
		return;
	}
	if (wait < 0)
		wait = 0;
	sd_event_source_set_time_relative(all->timer, (uint64_t)wait);
	sd_event_source_set_time_accuracy(all->timer, (uint64_t)wait / 8 + 1);
	sd_event_source_set_enabled(all->timer, SD_EVENT_ONESHOT);
}

void plugin_event(struct plugin *p, enum registration_event e)
{
	registration_event(&p->registration, e, clock_monotonic_usec(), backoff_chance());
	run_at(p->all, 0);
}

void plugin_problem(struct plugin *p, const char *fmt, ...)
{
	char text[PLUGIN_PROBLEM_MAX + 1]; /* one more shows whether a character was cut */
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text[utf8_cut(span_str(text), PLUGIN_PROBLEM_MAX - 1).len] = '\0';
	if (strcmp(text, p->problem) == 0)
		return;
	strcpy(p->problem, text);
	p->all->dirty = true;
}

int plugin_path(
	const struct plugins *all, char out[PLUGIN_PATH_MAX], const char *file, struct error *err)
{
	int n = snprintf(out, PLUGIN_PATH_MAX, "%s/%s", all->dir, file);

	if (n < 0 || n >= PLUGIN_PATH_MAX)
		return error_set(err, -ENAMETOOLONG,
			"%s/%s: a socket's path has at most %d bytes: choose a shorter kubelet.dir",
			all->dir, file, PLUGIN_PATH_MAX - 1);
	return 0;
}

static void register_anew(struct plugin *p)
{
	struct error err = {0};
	int r;

	plugin_stop(p);
	if (plugin_rival(p))
		return;
	r = plugin_serve(p, &err);
	if (r < 0)
		dir_watch_renew(p->all->watch);
	else
		r = plugin_register(p, &err);
	if (r < 0) {
		plugin_problem(p, "%s; trying again", err.message);
		plugin_event(p, REGISTRATION_REFUSED);
	}
}

static void act(struct plugin *p, enum registration_action a)
{
	if (a == REGISTRATION_STOP) {
		plugin_stop(p);
	} else if (a == REGISTRATION_REGISTER) {
		register_anew(p);
	} else if (a == REGISTRATION_LOOK && !plugin_rival(p)) {
		plugin_problem(p,
			"the other device plugin of %s has gone; taking over in some seconds",
			p->resource.name);
		plugin_event(p, REGISTRATION_RIVAL_GONE);
	}
}

static enum plugin_state state_of(const struct plugin *p)
{
	switch (p->registration.state) {
	case REGISTRATION_RIVALLED:
		return PLUGIN_FOREIGN;
	case REGISTRATION_IDLE:
		return PLUGIN_IDLE;
	case REGISTRATION_WATCHED:
		return p->devices.count ? PLUGIN_REGISTERED : PLUGIN_IDLE;
	default:
		return PLUGIN_WAITING;
	}
}

static void settle(struct plugin *p)
{
	const struct registration *r = &p->registration;

	if (r->state != REGISTRATION_RIVALLED)
		plugin_forget_rival(p);
	if (state_of(p) == PLUGIN_REGISTERED || state_of(p) == PLUGIN_IDLE)
		plugin_problem(p, "%s", "");
	else if (r->state == REGISTRATION_ACCEPTED)
		plugin_problem(p, "registered, but the kubelet has not asked for the devices yet");
	else if (r->state == REGISTRATION_WAITING && !r->kubelet)
		plugin_problem(p,
			"no kubelet: there is no %s/%s; if the kubelet runs, its --root-dir is not "
			"this agent's kubelet.dir",
			p->all->dir, PLUGIN_KUBELET_SOCKET);
	else if (!p->problem[0])
		plugin_problem(p, "registering with the kubelet");
	if (state_of(p) != p->shown)
		p->all->dirty = true;
	p->shown = state_of(p);
}

/* Does what is due, and says what has changed. */
static int on_timer(sd_event_source *source, uint64_t usec, void *ctx)
{
	struct plugins *all = ctx;
	int64_t due = INT64_MAX;
	bool dirty;

	(void)source;
	(void)usec;
	for (size_t i = 0; i < all->n; i++) {
		struct plugin *p = &all->v[i];

		act(p, registration_act(
			       &p->registration, clock_monotonic_usec(), backoff_chance()));
		settle(p);
		if (registration_due(&p->registration) < due)
			due = registration_due(&p->registration);
	}
	run_at(all, due);
	metric_set(all->m_connected, plugins_connected(all), NULL);
	dirty = all->dirty;
	all->dirty = false;
	if (dirty && all->changed)
		all->changed(all->ctx);
	return 0;
}

/* --- the kubelet's folder --- */

/* Its inode may be the old one's: the time tells them apart. */
static struct kubelet_id kubelet_at(const struct plugins *all)
{
	struct kubelet_id id = {0};
	char path[PLUGIN_PATH_MAX];
	struct stat st;

	if (plugin_path(all, path, PLUGIN_KUBELET_SOCKET, NULL) == 0 && stat(path, &st) == 0)
		id = (struct kubelet_id){st.st_dev, st.st_ino, st.st_ctim};
	return id;
}

static void look_for_kubelet(struct plugins *all)
{
	struct kubelet_id now = kubelet_at(all), *was = &all->kubelet;

	if (now.dev == was->dev && now.ino == was->ino && now.made.tv_sec == was->made.tv_sec &&
		now.made.tv_nsec == was->made.tv_nsec)
		return;
	*was = now;
	for (size_t i = 0; i < all->n; i++)
		plugin_event(
			&all->v[i], now.ino ? REGISTRATION_KUBELET_NEW : REGISTRATION_KUBELET_GONE);
}

static void look_for_socket(struct plugin *p)
{
	if (!p->server || grpc_server_in_place(p->server))
		return;
	plugin_problem(
		p, "the socket %s/%s was removed; registering again", p->all->dir, p->socket);
	plugin_event(p, REGISTRATION_SOCKET_LOST);
}

/* Who makes this socket now is about to register: making way at once, before a kubelet up to 1.36
 * takes the end of our stream for the end of the other's. */
static void look_for_rival(struct plugin *p, bool made)
{
	if (p->registration.state == REGISTRATION_IDLE)
		return;
	if (made) {
		plugin_rival_problem(p, p->rival);
		plugin_event(p, REGISTRATION_RIVAL);
	}
	if (!plugin_rival(p))
		plugin_event(p, REGISTRATION_RIVAL_CHANGED);
}

static void on_entry(void *ctx, const char *name, bool there)
{
	struct plugins *all = ctx;

	if (strcmp(name, PLUGIN_KUBELET_SOCKET) == 0)
		look_for_kubelet(all);
	for (size_t i = 0; i < all->n; i++) {
		if (strcmp(name, all->v[i].socket) == 0)
			look_for_socket(&all->v[i]);
		else if (strcmp(name, all->v[i].rival) == 0)
			look_for_rival(&all->v[i], there);
	}
}

static void on_look(void *ctx)
{
	struct plugins *all = ctx;

	look_for_kubelet(all);
	for (size_t i = 0; i < all->n; i++) {
		look_for_socket(&all->v[i]);
		look_for_rival(&all->v[i], false);
	}
}

/* --- made and freed --- */

static void add_metrics(struct plugins *all, struct metrics *m)
{
	static const char *const devices[] = {"resource", "health", NULL};
	static const char *const results[] = {"resource", "result", NULL};
	static const char *const resource[] = {"resource", NULL};
	static const double bounds[] = {
		50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3};

	all->m_devices = metrics_gauge(m, "casemate_agent_devices",
		"Devices that are offered to the kubelet, by resource and health.", devices);
	all->m_allocations = metrics_counter(m, "casemate_agent_allocations_total",
		"Requests of the kubelet for a container's devices, by resource and result.",
		results);
	all->m_duration = metrics_histogram(m, "casemate_agent_allocation_duration_seconds",
		"How long answering such a request took.", resource, bounds, ARRAY_SIZE(bounds));
	all->m_registrations = metrics_counter(m, "casemate_agent_registrations_total",
		"Registrations with the kubelet, by resource and result.", results);
	all->m_connected = metrics_gauge(m, "casemate_agent_kubelet_connected",
		"1 when the kubelet follows the list of every resource that has devices.", NULL);
}

static int start(struct plugins *all, struct error *err)
{
	struct dir_watch_options watch = {
		.path = all->dir, .entry = on_entry, .look = on_look, .ctx = all};
	int r = sd_event_add_time_relative(
		all->event, &all->timer, CLOCK_MONOTONIC, 0, 1, on_timer, all);

	if (r < 0)
		return error_set(err, r, "event loop: %s", strerror(-r));
	r = dir_watch_new(&all->watch, all->event, &watch, err);
	if (r < 0)
		return r;
	look_for_kubelet(all);
	return 0;
}

int plugins_new(
	struct plugins **ret_p, sd_event *event, const struct plugins_options *o, struct error *err)
{
	_cleanup_(plugins_free_p) struct plugins *all = calloc(1, sizeof(*all));
	char path[PLUGIN_PATH_MAX];
	int r;

	if (!all)
		return error_oom(err);
	all->event = sd_event_ref(event);
	all->changed = o->changed;
	all->ctx = o->ctx;
	all->dir = strdup(o->dir);
	if (!all->dir)
		return error_oom(err);
	if (o->metrics)
		add_metrics(all, o->metrics);
	r = plugin_path(all, path, PLUGIN_KUBELET_SOCKET, err);
	if (r >= 0)
		r = start(all, err);
	if (r < 0)
		return r;
	*ret_p = TAKE_PTR(all);
	return 0;
}

void plugins_free(struct plugins *all)
{
	if (!all)
		return;
	all->timer = sd_event_source_disable_unref(all->timer);
	dir_watch_free(all->watch);
	for (size_t i = 0; i < all->n; i++) {
		grpc_channel_free(all->v[i].channel);
		plugin_stop(&all->v[i]);
		plugin_forget_rival(&all->v[i]);
	}
	sd_event_unref(all->event);
	free(all->dir);
	free(all);
}

/* --- resources --- */

static struct plugin *find_plugin(struct plugins *all, const char *resource)
{
	for (size_t i = 0; i < all->n; i++)
		if (strcmp(all->v[i].resource.name, resource) == 0)
			return &all->v[i];
	return NULL;
}

static void set_metrics(const struct plugin *p)
{
	const struct devices *d = &p->devices;

	metric_set(p->all->m_devices, d->healthy ? d->count : 0,
		METRIC_VALUES(p->resource.name, "healthy"));
	metric_set(p->all->m_devices, d->healthy ? 0 : d->count,
		METRIC_VALUES(p->resource.name, "unhealthy"));
}

static void name_socket(char out[PLUGIN_FILE_MAX], const char *prefix, const char *resource)
{
	snprintf(out, PLUGIN_FILE_MAX, "%s%s.sock", prefix, resource);
	*strchr(out, '/') = '-';
}

int plugins_add(struct plugins *all, const struct resource *res, struct error *err)
{
	struct plugin *p = &all->v[all->n];
	char path[PLUGIN_PATH_MAX];
	int r = devices_check(res, err);

	if (r < 0)
		return r;
	if (find_plugin(all, res->name))
		return error_set(err, -EEXIST, "resource '%s': is there already", res->name);
	if (all->n == PLUGINS_MAX)
		return error_set(err, -ENOSPC, "resource '%s': there are %d already", res->name,
			PLUGINS_MAX);
	*p = (struct plugin){.all = all, .resource = *res};
	name_socket(p->socket, "casemate-", res->name);
	name_socket(p->rival, "", res->name);
	r = plugin_path(all, path, p->socket, err);
	if (r < 0)
		return r;
	p->devices = (struct devices){.resource = &p->resource, .healthy = true};
	registration_init(&p->registration);
	all->n++;
	if (all->kubelet.ino)
		plugin_event(p, REGISTRATION_KUBELET_NEW);
	set_metrics(p);
	return 0;
}

int plugins_set(struct plugins *all, const char *resource, unsigned count, bool healthy,
	const char *why, struct error *err)
{
	struct plugin *p = find_plugin(all, resource);

	if (!p)
		return error_set(err, -ENOENT, "resource '%s': is not offered", resource);
	if (count > RESOURCE_DEVICES_MAX)
		return error_set(err, -ERANGE,
			"resource '%s': %u devices; at most %d can be offered", resource, count,
			RESOURCE_DEVICES_MAX);
	p->devices.count = count;
	p->devices.healthy = healthy;
	snprintf(p->devices.why, sizeof(p->devices.why), "%s", why ? why : "");
	set_metrics(p);
	plugin_send_list(p);
	plugin_event(p, count ? REGISTRATION_DEVICES : REGISTRATION_NO_DEVICES);
	return 0;
}

size_t plugins_count(const struct plugins *all)
{
	return all->n;
}

struct plugin_info plugins_at(const struct plugins *all, size_t i)
{
	const struct plugin *p = &all->v[i];
	enum plugin_state state = state_of(p);

	return (struct plugin_info){
		.resource = p->resource.name,
		.state = state,
		.problem = state == PLUGIN_REGISTERED || state == PLUGIN_IDLE ? "" : p->problem,
		.devices = p->devices.count,
		.healthy = p->devices.healthy ? p->devices.count : 0,
	};
}

bool plugins_connected(const struct plugins *all)
{
	for (size_t i = 0; i < all->n; i++)
		if (state_of(&all->v[i]) != PLUGIN_REGISTERED && all->v[i].devices.count)
			return false;
	return true;
}
