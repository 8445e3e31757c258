/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/layer_service.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

#include "common/base/log.h"
#include "common/kbs/keyprovider.h"
#include "common/net/grpc.h"
#include "webhook/layer_wrap.h"

static enum grpc_status status_of(enum reason reason)
{
	switch (reason) {
	case REASON_Ok:
		return GRPC_OK;
	case REASON_Malformed:
		return GRPC_INVALID_ARGUMENT;
	case REASON_KeyNotFound:
		return GRPC_NOT_FOUND;
	case REASON_StoreUnavailable:
		return GRPC_UNAVAILABLE;
	case REASON_Internal:
		return GRPC_INTERNAL;
	default:
		return GRPC_PERMISSION_DENIED;
	}
}

static void refuse(
	struct grpc_call *call, enum grpc_status status, enum reason reason, const char *message)
{
	char text[GRPC_STATUS_TEXT_MAX];

	snprintf(text, sizeof(text), "%s: %s", reason_name(reason), message);
	log_warn("A layer's key was not wrapped", LOG_STR("reason", reason_name(reason)),
		LOG_STR("message", message));
	grpc_finish(call, status, text);
}

/* The store has a loop of its own meanwhile: who else asks waits. */
static void on_wrap(void *ctx, struct grpc_call *call, struct span message)
{
	_cleanup_secret_ struct secret json = {0}, answer = {0};
	struct key_session_options o = *(const struct key_session_options *)ctx;
	enum reason reason = REASON_Malformed;
	struct error err = {0};
	struct span request;
	int r = keyprovider_unframe(&request, message, &err);

	if (r == 0)
		r = layer_wrap(&json, &o, request, &reason, &err);
	if (r == 0 && (r = keyprovider_frame(&answer, secret_view(&json))) == 0)
		r = grpc_reply(call, secret_view(&answer));
	if (r < 0) {
		refuse(call, status_of(reason == REASON_Ok ? REASON_Internal : reason), reason,
			err.message);
		return;
	}
	log_info(2, "Wrapped a layer's key");
	grpc_finish(call, GRPC_OK, "");
}

static void on_unwrap(void *ctx, struct grpc_call *call, struct span message)
{
	(void)ctx;
	(void)message;
	refuse(call, GRPC_UNIMPLEMENTED, REASON_AccessDenied,
		"this only wraps; layers are unwrapped where their image runs, by the node's agent "
		"(keys.provider)");
}

static int take_path(const char **ret, const char *address, struct error *err)
{
	const char *path = strncmp(address, "unix:", 5) == 0 ? address + 5 : "";
	struct stat st;

	if (strncmp(path, "//", 2) == 0)
		path += 2;
	if (*path != '/')
		return error_set(err, -EINVAL,
			"--listen: \"%.100s\" is no unix:///PATH of a socket (absolute)", address);
	if (lstat(path, &st) == 0 && !S_ISSOCK(st.st_mode))
		return error_set(err, -EINVAL,
			"--listen: %.100s is there and no socket; name another path", path);
	*ret = path;
	return 0;
}

/* What is wrong with the options, the store or its key-encryption key shows at the start. */
static int try_store(const struct key_session_options *options, struct error *err)
{
	struct key_session_options o = *options;
	struct key_session s = {0};
	int r = key_session_open(&s, &o, err);

	key_session_close(&s);
	return r;
}

static int prepare(sd_event **ret, struct error *err)
{
	int r = sd_event_new(ret);

	/* without a handler they end the loop */
	if (r >= 0)
		r = sd_event_add_signal(*ret, NULL, SIGTERM | SD_EVENT_SIGNAL_PROCMASK, NULL, NULL);
	if (r >= 0)
		r = sd_event_add_signal(*ret, NULL, SIGINT | SD_EVENT_SIGNAL_PROCMASK, NULL, NULL);
	return r < 0 ? error_set(err, r, "event loop: %s", strerror(-r)) : 0;
}

int layer_service_run(const char *address, struct key_session_options *o, struct error *err)
{
	static const struct grpc_method methods[] = {
		{KEYPROVIDER_PATH_WRAP, on_wrap},
		{KEYPROVIDER_PATH_UNWRAP, on_unwrap},
	};
	struct grpc_server_options server = {
		.methods = methods,
		.n_methods = ARRAY_SIZE(methods),
		.ctx = o,
		.max_message = KEYPROVIDER_MAX,
	};
	_cleanup_(grpc_server_stop_p) struct grpc_server *s = NULL;
	_cleanup_(sd_event_unrefp) sd_event *event = NULL;
	int r = take_path(&server.path, address, err);

	if (r == 0)
		r = try_store(o, err);
	if (r == 0)
		r = prepare(&event, err);
	if (r == 0)
		r = grpc_server_start(&s, event, &server, err);
	if (r < 0)
		return r;
	log_info(2, "Serving the key provider of image tools", LOG_STR("socket", server.path));
	r = sd_event_loop(event);
	return r < 0 ? error_set(err, r, "event loop: %s", strerror(-r)) : 0;
}
