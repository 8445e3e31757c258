/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "common/base/log.h"
#include "nodeagent/agent.h"

/* An event on this agent's Node, once that is known. */
static void node_event(struct agent *a, const char *type, const char *reason, const char *note)
{
	const struct kube_object_ref node = {
		.api_version = "v1",
		.kind = "Node",
		.namespace_ = "",
		.name = a->config->node_name,
		.uid = a->capacity ? capacity_node_uid(a->capacity) : "",
	};

	if (a->events)
		kube_event(a->events, &node, type, reason, "Discover", note);
}

static void report(struct agent *a, enum offer_resource r, const struct offer_devices *had)
{
	const struct offer_devices *now = &a->offer.devices[r];
	const char *name = offer_resource_names[r];
	char note[PLATFORM_MESSAGE_MAX + 64];

	if (had->count == 0 && now->count == 0)
		return;
	if (had->count > 0 && had->healthy && !now->healthy) {
		log_warn("Devices became unhealthy", LOG_STR("resource", name),
			LOG_STR("why", now->why));
		snprintf(note, sizeof(note), "%s: %s", name, now->why);
		node_event(a, "Warning", "DeviceUnhealthy", note);
	} else if (had->count > 0 && !had->healthy && now->healthy) {
		log_info(2, "Devices recovered", LOG_STR("resource", name));
		snprintf(note, sizeof(note), "%s: healthy again", name);
		node_event(a, "Normal", "DeviceRecovered", note);
	} else if (had->count != now->count) {
		log_info(2, "Offers devices", LOG_STR("resource", name),
			LOG_INT("count", now->count));
	}
}

/* What is switched off has no plugin. */
static bool has_plugin(const struct agent *a, size_t resource)
{
	return (resource != OFFER_AESM || a->aesm) && (resource != OFFER_KEYS || a->keys);
}

void agent_publish(struct agent *a)
{
	struct error err = {0};
	bool trusted = !*a->distrust;

	for (size_t i = 0; a->offered && a->plugins && i < OFFER_RESOURCE_N; i++) {
		const struct offer_devices *d = &a->offer.devices[i];

		if (!has_plugin(a, i))
			continue;
		if (plugins_set(a->plugins, offer_resource_names[i], d->count,
			    d->healthy && trusted, trusted ? d->why : a->distrust, &err) < 0)
			log_error(err.message, "Could not offer devices",
				LOG_STR("resource", offer_resource_names[i]));
	}
	for (size_t i = 0; a->offered && a->capacity && i < CAPACITY_KEY_N; i++)
		capacity_set(a->capacity, (enum capacity_key)i, a->offer.capacity[i]);
}

void agent_plugins_changed(void *ctx)
{
	struct agent *a = ctx;

	for (size_t i = 0; i < plugins_count(a->plugins); i++) {
		struct plugin_info now = plugins_at(a->plugins, i);

		if (now.state == a->plugin_states[i])
			continue;
		if (now.state == PLUGIN_REGISTERED)
			log_info(2, "Registered with the kubelet",
				LOG_STR("resource", now.resource), LOG_INT("devices", now.devices));
		else if (now.state != PLUGIN_IDLE)
			log_warn("Not registered with the kubelet",
				LOG_STR("resource", now.resource), LOG_STR("why", now.problem));
		a->plugin_states[i] = now.state;
	}
}

void agent_offer(struct agent *a)
{
	struct offer had = a->offer;

	offer_compute(&a->offer, &a->platform, a->config, a->offered ? &had : NULL);
	for (size_t i = 0; i < OFFER_RESOURCE_N; i++)
		report(a, (enum offer_resource)i, &had.devices[i]);
	a->offered = true;
	agent_publish(a);
}

static void log_findings(const struct platform *now, const struct platform *had)
{
	for (size_t i = 0; i < PLATFORM_CHECK_N; i++) {
		const struct finding *f = &now->findings[i];

		if (had && f->state == had->findings[i].state &&
			strcmp(f->message, had->findings[i].message) == 0)
			continue;
		if (f->state == FINDING_MISCONFIGURED)
			log_warn("Platform is misconfigured",
				LOG_STR("check", platform_check_name((enum platform_check)i)),
				LOG_STR("message", f->message));
		else if (had || f->state == FINDING_READY)
			log_info(had ? 2 : 3, "Platform finding",
				LOG_STR("check", platform_check_name((enum platform_check)i)),
				LOG_STR("state", finding_state_name(f->state)),
				LOG_STR("message", f->message));
	}
}

void agent_discover(struct agent *a)
{
	struct platform had = a->platform;

	if (!*a->config->simulate)
		platform_discover(&a->platform, &a->source);
	else
		simulation_discover(
			&a->config->simulation, a->config->simulation_dir, &a->platform);
	log_findings(&a->platform, a->offered ? &had : NULL);
	if (a->attest)
		attest_platform(a->attest, &a->platform);
	agent_offer(a);
}
