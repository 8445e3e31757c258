/* SPDX-License-Identifier: Apache-2.0
 *
 * DER (X.690) by hand, for what OpenSSL has no template for: one element after the other, tags of
 * one byte, lengths in their shortest form. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "common/base/span.h"

enum {
	DER_BOOLEAN = 0x01,
	DER_INTEGER = 0x02,
	DER_BIT_STRING = 0x03,
	DER_OCTET_STRING = 0x04,
	DER_OID = 0x06,
	DER_ENUMERATED = 0x0a,
	DER_IA5_STRING = 0x16,
	DER_SEQUENCE = 0x30,
};

/* Takes the first element off *in, which must have that tag, and gives its content. False: there is
 * no such element, or it does not fit; *in is then as before. */
bool der_take(struct span *in, unsigned tag, struct span *ret_content);
/* The same, and gives the whole element, header included. */
bool der_take_whole(struct span *in, unsigned tag, struct span *ret_whole);
/* The content of an INTEGER or ENUMERATED between 0 and max. */
bool der_unsigned(struct span content, uint32_t max, uint32_t *ret);
/* The content of a BOOLEAN. */
bool der_boolean(struct span content, bool *ret);
