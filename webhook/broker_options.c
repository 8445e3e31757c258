/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker_options.h"

void broker_options_set(struct broker_options *o, const struct webhook_config *c)
{
	o->config = &c->broker;
	o->allow_simulated = c->policy.allow_simulated;
	o->alone = !webhook_config_has_role(c, ROLE_ADMISSION) &&
		   !webhook_config_has_role(c, ROLE_VERIFIER);
	o->tls_min = c->tls.min_version ? "1.3" : "1.2";
	o->tls_ciphers = c->tls.cipher_suites;
	o->ca_lifetime_usec = c->tls.ca_lifetime_usec;
	o->leaf_lifetime_usec = c->tls.leaf_lifetime_usec;
	o->threads = (unsigned)c->threads;
	o->limits = webhook_config_limits(c);
}
