/* SPDX-License-Identifier: Apache-2.0
 *
 * libcbor's streaming decoder: one item after the other, nothing is allocated. */
#include "webhook/provision/dice.h"

#include <cbor.h>
#include <errno.h>

enum { TAG = 60000 };

#define PUBKEY_HASH "pubkey-hash"

enum kind { OTHER, NUMBER, BYTES, TEXT, ARRAY, MAP, TAGGED };

struct item {
	enum kind kind;
	uint64_t n; /* the number, tag or count */
	struct span s;
};

static void on_uint8(void *ctx, uint8_t n)
{
	*(struct item *)ctx = (struct item){.kind = NUMBER, .n = n};
}

static void on_uint16(void *ctx, uint16_t n)
{
	*(struct item *)ctx = (struct item){.kind = NUMBER, .n = n};
}

static void on_uint32(void *ctx, uint32_t n)
{
	*(struct item *)ctx = (struct item){.kind = NUMBER, .n = n};
}

static void on_uint64(void *ctx, uint64_t n)
{
	*(struct item *)ctx = (struct item){.kind = NUMBER, .n = n};
}

static void on_bytes(void *ctx, cbor_data p, size_t n)
{
	*(struct item *)ctx = (struct item){.kind = BYTES, .s = {(const char *)p, n}};
}

static void on_text(void *ctx, cbor_data p, size_t n)
{
	*(struct item *)ctx = (struct item){.kind = TEXT, .s = {(const char *)p, n}};
}

static void on_array(void *ctx, size_t n)
{
	*(struct item *)ctx = (struct item){.kind = ARRAY, .n = n};
}

static void on_map(void *ctx, size_t n)
{
	*(struct item *)ctx = (struct item){.kind = MAP, .n = n};
}

static void on_tag(void *ctx, uint64_t n)
{
	*(struct item *)ctx = (struct item){.kind = TAGGED, .n = n};
}

/* The next item of *in, which must be of that kind. */
static bool take(struct span *in, enum kind kind, struct item *ret)
{
	struct cbor_callbacks on = cbor_empty_callbacks;
	struct cbor_decoder_result r;

	on.uint8 = on_uint8;
	on.uint16 = on_uint16;
	on.uint32 = on_uint32;
	on.uint64 = on_uint64;
	on.byte_string = on_bytes;
	on.string = on_text;
	on.array_start = on_array;
	on.map_start = on_map;
	on.tag = on_tag;
	*ret = (struct item){.kind = OTHER};
	if (in->len == 0)
		return false;
	r = cbor_stream_decode((cbor_data)in->p, in->len, &on, ret);
	if (r.status != CBOR_DECODER_FINISHED || r.read > in->len || ret->kind != kind)
		return false;
	*in = (struct span){in->p + r.read, in->len - r.read};
	return true;
}

static int malformed(struct error *err, const char *text)
{
	return error_set(err, -EBADMSG, "%s", text);
}

static int read_hash(struct dice *d, struct span cbor, struct error *err)
{
	struct item array, algorithm, hash;

	if (!take(&cbor, ARRAY, &array) || array.n != 2 || !take(&cbor, NUMBER, &algorithm) ||
		!take(&cbor, BYTES, &hash) || cbor.len)
		return malformed(err, "the claim " PUBKEY_HASH " is not [algorithm, hash]");
	d->algorithm = algorithm.n;
	d->hash = hash.s;
	return 0;
}

static bool pass_over(struct span *in)
{
	struct item value;

	return take(in, BYTES, &value) || take(in, TEXT, &value) || take(in, NUMBER, &value);
}

static int read_claims(struct dice *d, struct span in, struct error *err)
{
	struct item map, name, value;
	int r = 0;

	if (!take(&in, MAP, &map) || map.n > DICE_CLAIMS_MAX)
		return malformed(err, "the claims are no map, or too many");
	for (uint64_t i = 0; i < map.n && r == 0; i++) {
		if (!take(&in, TEXT, &name))
			return malformed(err, "a claim has no name");
		if (!span_is(name.s, PUBKEY_HASH)) {
			if (!pass_over(&in))
				return malformed(err, "a claim is neither number nor string");
			continue;
		}
		if (d->hash.p)
			return malformed(err, "the claim " PUBKEY_HASH " is there twice");
		if (!take(&in, BYTES, &value))
			return malformed(err, "the claim " PUBKEY_HASH " is no byte string");
		r = read_hash(d, value.s, err);
	}
	if (r < 0)
		return r;
	if (in.len)
		return malformed(err, "something is behind the claims");
	return d->hash.p ? 0 : malformed(err, "there is no claim " PUBKEY_HASH);
}

int dice_read(struct dice *ret, struct span cbor, struct error *err)
{
	struct item tag, array, evidence, claims;
	struct dice d = {0};
	int r;

	if (!take(&cbor, TAGGED, &tag) || tag.n != TAG || !take(&cbor, ARRAY, &array) ||
		array.n != 2 || !take(&cbor, BYTES, &evidence) || !take(&cbor, BYTES, &claims) ||
		cbor.len)
		return malformed(err, "it is not 60000([evidence, claims])");
	d.evidence = evidence.s;
	d.claims = claims.s;
	r = read_claims(&d, claims.s, err);
	if (r == 0)
		*ret = d;
	return r;
}
