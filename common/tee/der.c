/* SPDX-License-Identifier: Apache-2.0 */
#include "common/tee/der.h"

enum { DER_LENGTH_MAX = 3 }; /* bytes of a long length: 16 MiB are beyond anything read here */

/* Header and content of the first element. */
static bool measure(struct span in, unsigned tag, size_t *ret_header, size_t *ret_len)
{
	const unsigned char *p = (const unsigned char *)in.p;
	size_t header = 2, len, n;

	if (in.len < 2 || p[0] != tag)
		return false;
	len = p[1];
	if (len >= 0x80) {
		n = len - 0x80;
		if (n == 0 || n > DER_LENGTH_MAX || n > in.len - 2 || p[2] == 0)
			return false;
		len = 0;
		for (size_t i = 0; i < n; i++)
			len = len << 8 | p[2 + i];
		if (len < 0x80)
			return false;
		header += n;
	}
	if (len > in.len - header)
		return false;
	*ret_header = header;
	*ret_len = len;
	return true;
}

bool der_take(struct span *in, unsigned tag, struct span *ret_content)
{
	size_t header, len;

	if (!measure(*in, tag, &header, &len))
		return false;
	*ret_content = (struct span){in->p + header, len};
	*in = (struct span){in->p + header + len, in->len - header - len};
	return true;
}

bool der_take_whole(struct span *in, unsigned tag, struct span *ret_whole)
{
	size_t header, len;

	if (!measure(*in, tag, &header, &len))
		return false;
	*ret_whole = (struct span){in->p, header + len};
	*in = (struct span){in->p + header + len, in->len - header - len};
	return true;
}

bool der_unsigned(struct span content, uint32_t max, uint32_t *ret)
{
	const unsigned char *p = (const unsigned char *)content.p;
	uint64_t v = 0;

	/* five bytes: a zero before four keeps them from being negative */
	if (content.len == 0 || content.len > 5 || p[0] >= 0x80)
		return false;
	if (content.len > 1 && p[0] == 0 && p[1] < 0x80)
		return false;
	for (size_t i = 0; i < content.len; i++)
		v = v << 8 | p[i];
	if (v > max)
		return false;
	*ret = (uint32_t)v;
	return true;
}

bool der_boolean(struct span content, bool *ret)
{
	unsigned char v;

	if (content.len != 1)
		return false;
	v = (unsigned char)content.p[0];
	if (v != 0 && v != 0xff)
		return false;
	*ret = v != 0;
	return true;
}
