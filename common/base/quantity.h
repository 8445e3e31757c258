/* SPDX-License-Identifier: Apache-2.0
 *
 * Kubernetes quantities (k8s.io/apimachinery/pkg/api/resource): decimal number with an optional
 * suffix: n u m k M G T P E, Ki Mi Gi Ti Pi Ei, or an exponent e/E. Equal by value: 1Mi is
 * 1048576. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/json.h"

struct quantity {
	__int128 nano; /* value times 10^9; what is finer is rounded away from zero, as in
			  Kubernetes */
};

/* Parses the whole of text. -EINVAL: not a quantity; -ERANGE: beyond plus or minus 2^63-1 (which
 * Kubernetes would silently cap). */
int quantity_parse(struct quantity *ret_q, struct span text, struct error *err);

/* From JSON as a pod carries it: a string or a number. */
int quantity_from_json(struct quantity *ret_q, struct json_val v, struct error *err);

/* A count, as of an extended resource: whole and not negative. -EINVAL says what it is instead. */
int quantity_count_from_json(int64_t *ret_n, struct json_val v, struct error *err);

/* Whole numbers only (extended resources): 0 and *ret_n, or -EINVAL. */
int quantity_int64(struct quantity q, int64_t *ret_n);

/* A non-negative count of bytes in canonical BinarySI, as resource.Quantity prints it: 2097152 is
 * 2Mi, 1000000 stays 1000000, 1536Mi is 1536Mi. */
int quantity_format_binary(struct buf *b, int64_t bytes);
