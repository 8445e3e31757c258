/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/layer_wrap.h"

#include <errno.h>
#include <stdio.h>

#include "common/kbs/key_id.h"
#include "common/kbs/keyprovider.h"
#include "common/kbs/packet.h"

struct wrapping {
	struct keyprovider_request request;
	struct key_id id;
	struct key_session s;
	struct buf packet;
	enum reason reason; /* why not, where it is known */
	struct error why;
};

static int read_request(struct wrapping *w, struct span text, struct error *err)
{
	int r = keyprovider_read(&w->request, text, err);

	if (r == 0 && w->request.op != KEYPROVIDER_WRAP)
		r = error_set(err, -EBADMSG,
			"layers are unwrapped by the node's agent (gRPC, keys.provider) alone");
	return r < 0 ? r : key_id_parse(&w->id, span_str(w->request.recipient), NULL, err);
}

/* Only keys of images: another one is given to workloads, and who has it could open the layer. */
static int check_use(struct wrapping *w, struct json_val keys, struct error *err)
{
	const struct key_id *id = &w->id;
	struct json_iter it;

	json_each (it, keys)
		if (json_str_is(json_get(it.value, "name"), id->key) &&
			json_str_is(json_get(it.value, "use"), "image"))
			return 0;
	w->reason = REASON_KeyNotFound;
	return error_set(err, -EINVAL,
		"EnclaveProfile %s/%s has no key %s with use: image; add it to spec.keys",
		id->namespace_, id->profile, id->key);
}

static void on_key(void *ctx, const struct secret *key, unsigned version, enum reason reason,
	const struct error *why)
{
	struct wrapping *w = ctx;
	char kid[PACKET_KID_MAX];
	int r;

	(void)version;
	w->reason = reason;
	if (!key) {
		w->why = *why;
		return;
	}
	snprintf(kid, sizeof(kid), KEY_ID_KBS "%s/%s/%s", w->id.namespace_, w->id.profile,
		w->id.key);
	r = packet_seal(
		&w->packet, kid, secret_view(key), secret_view(&w->request.options), &w->why);
	if (r < 0)
		w->reason = REASON_Internal;
}

static int seal(struct wrapping *w, struct error *err)
{
	struct json_val keys = {0};
	struct key_owner owner;
	char name[sizeof(w->id.namespace_) + sizeof(w->id.profile) + 1];
	int r;

	snprintf(name, sizeof(name), "%s/%s", w->id.namespace_, w->id.profile);
	r = key_session_owner(&w->s, name, &owner, &keys, err);
	if (r == 0)
		r = check_use(w, keys, err);
	if (r == 0)
		r = key_store_fetch(w->s.store, &owner, w->id.key, 0, on_key, w, err);
	if (r == 0 && w->reason != REASON_Ok)
		r = error_set(err, -EACCES, "%s", w->why.message);
	return r;
}

/* Where it is not. */
static enum reason reason_of(int r)
{
	switch (r) {
	case 0:
		return REASON_Ok;
	case -EINVAL:
	case -EBADMSG:
		return REASON_Malformed;
	case -ENOENT:
		return REASON_KeyNotFound;
	case -ENOMEM:
		return REASON_Internal;
	default:
		return REASON_StoreUnavailable;
	}
}

int layer_wrap(struct secret *ret, struct key_session_options *o, struct span request,
	enum reason *ret_reason, struct error *err)
{
	struct wrapping w = {.packet = BUF_INIT(PACKET_MAX)};
	int r = read_request(&w, request, err);

	if (r == 0)
		r = key_session_open(&w.s, o, err);
	if (r == 0)
		r = seal(&w, err);
	if (r == 0 && keyprovider_wrapped(ret, buf_view(&w.packet)) < 0)
		r = error_oom(err);
	*ret_reason = r < 0 && w.reason != REASON_Ok ? w.reason : reason_of(r);
	key_session_close(&w.s);
	keyprovider_request_free(&w.request);
	buf_free(&w.packet);
	return r;
}
