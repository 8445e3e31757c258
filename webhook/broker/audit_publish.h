/* SPDX-License-Identifier: Apache-2.0
 *
 * Publishes how far this replica's audit log has come, once a minute when it has: a checkpoint
 * (webhook/broker/audit_check.h) in a ConfigMap, data {"START.CHAIN": checkpoint, "key.pem": who
 * signs}, or as a line of FILE.checkpoints beside FILE.checkpoints.pem. On the loop's thread. A
 * shell: it logs. */
#pragma once

#include <openssl/evp.h>
#include <systemd/sd-event.h>

#include "common/kube/client.h"
#include "webhook/broker/audit.h"

struct audit_publisher;

struct audit_publisher_options {
	sd_event *event;
	const struct audit *audit;
	EVP_PKEY *const *key;                /* P-256; *key NULL: there is none yet */
	struct kube_client *kube;            /* NULL: a file */
	const char *namespace_, *config_map; /* copied */
	const char *path;   /* of the audit log; "" and no kube: nothing is published */
	int64_t every_usec; /* 0: a minute */
};

int audit_publisher_new(
	struct audit_publisher **ret_p, const struct audit_publisher_options *o, struct error *err);
/* A last checkpoint of a file is written. */
void audit_publisher_free(struct audit_publisher *p); /* NULL allowed; before audit and kube */
DEFINE_CLEANUP(struct audit_publisher *, audit_publisher_free)
