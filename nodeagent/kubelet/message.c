/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/kubelet/message.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

struct memory {
	struct arena *arena;
	bool bounded; /* something wants more than the arena may have */
	bool exhausted;
};

static void *from_arena(void *data, size_t size)
{
	struct memory *m = data;
	const struct arena *a = m->arena;
	bool fits = size <= a->max && a->used <= a->max - size;
	void *p = arena_alloc(m->arena, size);

	m->bounded = m->bounded || !fits;
	m->exhausted = m->exhausted || !p;
	return p;
}

static void to_arena(void *data, void *p)
{
	(void)data;
	(void)p;
}

int message_unpack(ProtobufCMessage **ret_m, struct arena *a,
	const ProtobufCMessageDescriptor *type, struct span bytes, struct error *err)
{
	struct memory m = {.arena = a};
	ProtobufCAllocator allocator = {from_arena, to_arena, &m};
	ProtobufCMessage *message = protobuf_c_message_unpack(
		type, &allocator, bytes.len, (const uint8_t *)(bytes.p ? bytes.p : ""));

	if (m.bounded)
		return error_set(err, -EBADMSG,
			"%s of %zu bytes takes more than %zu bytes of memory", type->short_name,
			bytes.len, a->max);
	if (m.exhausted)
		return error_oom(err);
	if (!message)
		return error_set(err, -EBADMSG, "%s of %zu bytes is no valid protobuf message",
			type->short_name, bytes.len);
	*ret_m = message;
	return 0;
}

struct packer {
	ProtobufCBuffer base;
	struct buf *out;
};

static void append(ProtobufCBuffer *base, size_t len, const uint8_t *data)
{
	struct packer *p = (struct packer *)base;

	buf_add(p->out, data, len);
}

int message_pack(struct buf *out, const ProtobufCMessage *message)
{
	struct packer p = {{append}, out};

	protobuf_c_message_pack_to_buffer(message, &p.base);
	return out->err;
}

static bool is_plain(uint8_t c)
{
	return c > ' ' && c < 0x7f;
}

int message_name(const char **ret_name, struct arena *a, const ProtobufCBinaryData *bytes)
{
	const char *name;

	if (bytes->len == 0)
		return -EBADMSG;
	for (size_t i = 0; i < bytes->len; i++)
		if (!is_plain(bytes->data[i]))
			return -EBADMSG;
	name = arena_strdup(a, (struct span){(const char *)bytes->data, bytes->len});
	if (!name)
		return -ENOMEM;
	*ret_name = name;
	return 0;
}

const char *message_quote(char out[MESSAGE_QUOTE_MAX], const ProtobufCBinaryData *bytes)
{
	size_t n = 0;

	for (size_t i = 0; i < bytes->len; i++) {
		uint8_t c = bytes->data[i];

		if (n > MESSAGE_QUOTE_MAX - sizeof("\\xff...")) {
			strcpy(out + n, "...");
			return out;
		}
		if (is_plain(c) && c != '\\' && c != '"')
			out[n++] = (char)c;
		else
			n += (size_t)sprintf(out + n, "\\x%02x", c);
	}
	out[n] = '\0';
	return out;
}
