/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/verifier/config.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "common/base/codec.h"
#include "common/tee/verify.h"

#define AT(member) offsetof(struct verifier_config, member)
#define MINUTE     (60 * INT64_C(1000000))

const struct setting verifier_settings[] = {
	FRONT_SETTINGS("verifier", AT(front), "8444"),
	{.name = "verifier.reattestInterval",
		.type = SETTING_DURATION,
		.offset = AT(interval_usec),
		.def = "6h",
		.min = MINUTE / 60,
		.max = 30 * 24 * 60 * MINUTE,
		.help = "between two rounds of a node, on average"},
	{.name = "verifier.validity",
		.type = SETTING_DURATION,
		.offset = AT(validity_usec),
		.max = 60 * 24 * 60 * MINUTE,
		.help = "how long a verdict holds at most (twice the interval)"},
	{.name = "verifier.maxNodesPerPlatform",
		.type = SETTING_INT,
		.offset = AT(max_nodes_per_platform),
		.max = 100000,
		.help = "nodes attested on one machine at once; 0: no limit"},
	{.name = "verifier.allowedPlatforms",
		.type = SETTING_STRINGS,
		.offset = AT(allowed_platforms),
		.meta = "HEX[,HEX]",
		.help = "platform ids of machines that are yours; none: any genuine one will do"},
	{.name = "verifier.deniedPlatforms",
		.type = SETTING_STRINGS,
		.offset = AT(denied_platforms),
		.meta = "HEX[,HEX]",
		.help = "platform ids that are refused"},
	{.name = "verifier.deniedNodes",
		.type = SETTING_STRINGS,
		.offset = AT(denied_nodes),
		.meta = "NAME[,NAME]",
		.help = "nodes that are refused"},
	{.name = "verifier.trustOnFirstUse",
		.type = SETTING_BOOL,
		.offset = AT(trust_on_first_use),
		.help = "a node stays on the platform that it came with"},
	{.name = "verifier.taint",
		.type = SETTING_BOOL,
		.offset = AT(taint),
		.help = "taint nodes that are not attested: casemate.dev/unattested:NoSchedule"},
	{.name = "verifier.evict",
		.type = SETTING_BOOL,
		.offset = AT(evict),
		.help = "evict confidential pods from nodes that lost their verdict"},
	{.name = "verifier.evictAfter",
		.type = SETTING_DURATION,
		.offset = AT(evict_after_usec),
		.def = "1m",
		.max = 24 * 60 * MINUTE,
		.help = "how long such a pod has been seen there before"},
	COLLATERAL_SETTINGS("verifier", AT(collateral)),
};
const size_t n_verifier_settings = sizeof(verifier_settings) / sizeof(verifier_settings[0]);

static int check_platforms(const struct strings *list, const char *setting, struct error *err)
{
	for (size_t i = 0; i < list->n; i++) {
		unsigned char id[PLATFORM_ID_MAX];
		size_t n = strlen(list->v[i]);

		if (n == 0 || n % 2 || n / 2 > sizeof(id) ||
			codec_hex_exact(id, n / 2, span_str(list->v[i])) < 0)
			return error_set(err, -EINVAL,
				"%s: \"%.140s\" is no platform id in hexadecimal, as "
				"status.platformID of a NodeAttestation",
				setting, list->v[i]);
	}
	return 0;
}

int verifier_config_finish(struct verifier_config *c, struct error *err)
{
	int r = front_config_check(&c->front, "verifier", err);

	if (r == 0)
		r = check_platforms(&c->allowed_platforms, "verifier.allowedPlatforms", err);
	if (r == 0)
		r = check_platforms(&c->denied_platforms, "verifier.deniedPlatforms", err);
	if (r == 0)
		r = collateral_sources_finish(&c->collateral, "verifier", err);
	if (r < 0)
		return r;
	if (!c->validity_usec)
		c->validity_usec = 2 * c->interval_usec;
	if (c->validity_usec * 2 < c->interval_usec * 3)
		return error_set(err, -EINVAL,
			"verifier.validity must be at least one and a half times "
			"verifier.reattestInterval, since rounds are jittered");
	return 0;
}
