/* SPDX-License-Identifier: Apache-2.0
 *
 * The grammars of Kubernetes' names (RFC 1123 labels and subdomains, label keys and values,
 * k8s.io/apimachinery/pkg/util/validation), of images, and of what profiles hand to a process. */
#pragma once

#include <stdbool.h>

#include "common/base/span.h"

enum {
	NAME_LABEL_MAX = 63,      /* RFC 1123 label, a label's value, a label key's name part */
	NAME_SUBDOMAIN_MAX = 253, /* RFC 1123 subdomain, a label key's prefix */
	NAME_PATH_MAX = 1024,
};

bool name_is_dns_label(struct span s);
bool name_is_dns_subdomain(struct span s);
bool name_is_label_key(struct span s);
bool name_is_label_value(struct span s); /* "" is one */

/* [A-Za-z_][A-Za-z0-9_]*: what every shell can export. */
bool name_is_env(struct span s);

/* Absolute, and in its shortest form: no "//", ".", "..", no slash at the end, no control byte. */
bool name_is_path(struct span s);

/* Is n bytes of lower- or upper-case hexadecimal? */
bool name_is_hex(struct span s, size_t n_bytes);

/* What follows the last "@": the digest of an image named as "repository@sha256:…". SPAN_NONE: a
 * tag names it, which may come to mean another image. */
struct span name_image_digest(struct span image);
/* The same of a container status' imageID, which some runtimes give as a digest alone. */
struct span name_image_id_digest(struct span id);

/* How many single-character edits lead from a to b, if at most 2; else 3. */
unsigned name_distance(struct span a, struct span b);
