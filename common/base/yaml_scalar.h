/* SPDX-License-Identifier: Apache-2.0
 *
 * What an untagged plain YAML scalar is, decided as kubectl decides it: resolve.go of
 * go.yaml.in/yaml/v2 (YAML 1.1 without base 60, Go's number literals), then the conversions of
 * sigs.k8s.io/yaml and encoding/json. Pure. */
#pragma once

#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/span.h"

enum yaml_scalar_type {
	YAML_SCALAR_STRING, /* of timestamps, too: kubectl keeps their text */
	YAML_SCALAR_NULL,
	YAML_SCALAR_BOOL,
	YAML_SCALAR_INT,
	YAML_SCALAR_FLOAT, /* infinities and NaN included; JSON has neither */
};

struct yaml_scalar {
	enum yaml_scalar_type type;
	bool negative; /* INT */
	union {
		bool b;
		uint64_t n; /* INT: the absolute value; of a negative one at most 2^63 */
		double f;
	};
};

/* What text is. 0 or -ENOMEM. */
int yaml_scalar_resolve(struct yaml_scalar *ret_s, struct span text);

/* Appends s, which is neither a string nor beyond JSON, as encoding/json writes it; -0.0 keeps its
 * fraction, since "-0" would be read back as the integer 0. 0 or the buffer's error. */
int yaml_scalar_json(struct buf *out, const struct yaml_scalar *s);

/* Appends s, which is neither a string nor null, as sigs.k8s.io/yaml spells it when it is the key
 * of a mapping (floats in single precision). */
int yaml_scalar_key(struct buf *out, const struct yaml_scalar *s);
