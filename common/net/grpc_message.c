/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/grpc_message.h"

#include <errno.h>

static uint32_t message_length(const struct grpc_message *m)
{
	const unsigned char *p = m->prefix + 1;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int check_prefix(const struct grpc_message *m)
{
	if (m->prefix[0] > 1)
		return -EBADMSG;
	if (m->prefix[0] == 1)
		return -EOPNOTSUPP;
	return message_length(m) > m->max ? -EMSGSIZE : 0;
}

int grpc_message_feed(struct grpc_message *m, struct span *in)
{
	size_t n;
	int r;

	if (m->n_prefix < GRPC_PREFIX_LEN) {
		while (in->len && m->n_prefix < GRPC_PREFIX_LEN) {
			m->prefix[m->n_prefix++] = (unsigned char)*in->p++;
			in->len--;
		}
		if (m->n_prefix < GRPC_PREFIX_LEN)
			return 0;
		r = check_prefix(m);
		if (r < 0)
			return r;
		m->body = (struct scrub){.max = message_length(m)};
	}
	n = message_length(m) - m->body.len;
	if (n > in->len)
		n = in->len;
	if (n && scrub_add(&m->body, (struct span){in->p, n}) < 0)
		return -ENOMEM;
	in->p += n;
	in->len -= n;
	return m->body.len == message_length(m);
}

bool grpc_message_begun(const struct grpc_message *m)
{
	return m->n_prefix > 0;
}

struct scrub grpc_message_take(struct grpc_message *m)
{
	struct scrub body = m->body;

	m->body = (struct scrub){0};
	m->n_prefix = 0;
	return body;
}

void grpc_message_free(struct grpc_message *m)
{
	scrub_free(&m->body);
	m->n_prefix = 0;
}

void grpc_message_prefix(unsigned char out[GRPC_PREFIX_LEN], uint32_t len)
{
	out[0] = 0;
	out[1] = (unsigned char)(len >> 24);
	out[2] = (unsigned char)(len >> 16);
	out[3] = (unsigned char)(len >> 8);
	out[4] = (unsigned char)len;
}
