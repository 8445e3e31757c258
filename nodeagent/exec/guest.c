/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/exec/guest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "common/base/cleanup.h"
#include "nodeagent/exec/environment.h"
#include "nodeagent/exec/http_head.h"
#include "nodeagent/exec/wire.h"

enum {
	REQUEST_MAX = 1024,
	OK = 200,
	SERVER_ERROR = 500, /* the guest components say so of everything: a refusal, no network */
};

/* Byte by byte, so that nothing of the body lands in a buffer that is not a secret's. */
static int receive_head(
	int fd, struct exec_http_head *ret, int64_t deadline_usec, struct error *err)
{
	char head[EXEC_HTTP_HEAD_MAX] = "";
	size_t n = 0;

	while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0) {
		int r = n < sizeof(head) ? exec_receive(fd, head + n, 1, deadline_usec) : -E2BIG;

		if (r == -E2BIG)
			return error_set(err, -EBADMSG, "the answer's header is too long");
		if (r < 0)
			return r;
		n++;
	}
	return exec_http_head_read(ret, (struct span){head, n}, DELIVERY_KEY_MAX, err);
}

/* What the guest components say of why not, for a person. */
static int refuse(int fd, const struct exec_http_head *head, struct exec_answer *answer,
	int64_t deadline_usec)
{
	size_t n =
		head->length < sizeof(answer->message) ? head->length : sizeof(answer->message) - 1;
	bool again = head->status >= SERVER_ERROR;

	if (exec_receive(fd, answer->message, n, deadline_usec) < 0)
		n = 0;
	answer->message[n] = '\0';
	exec_clean(answer->message);
	snprintf(answer->reason, sizeof(answer->reason), "HTTP %d of the guest components",
		head->status);
	snprintf(answer->status, sizeof(answer->status), "%s", again ? "again" : "refused");
	return again ? -EAGAIN : -EACCES;
}

static int ask(struct secret *ret, struct exec_answer *answer, uint16_t port,
	const struct key_id *id, int64_t deadline_usec, struct error *err)
{
	const struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	_cleanup_close_ int fd = -1;
	struct exec_http_head head = {0};
	char request[REQUEST_MAX];
	int r = exec_connect(&fd, (const struct sockaddr *)&to, sizeof(to), deadline_usec);

	snprintf(request, sizeof(request),
		"GET /cdh/resource/%s/%s/%s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
		"Connection: close\r\n\r\n",
		id->namespace_, id->profile, id->key, port);
	if (r == 0)
		r = exec_send(fd, span_str(request), deadline_usec);
	if (r == 0)
		r = receive_head(fd, &head, deadline_usec, err);
	if (r == 0 && head.status != OK)
		r = refuse(fd, &head, answer, deadline_usec);
	else if (r == 0)
		r = secret_init(ret, head.length);
	if (r == 0)
		r = exec_receive(fd, ret->p, head.length, deadline_usec);
	if (r == 0)
		ret->len = head.length;
	return r;
}

/* What went wrong, for a person; what the server said is in the answer, and what of it was no
 * answer in err. */
static int blame(int r, const struct exec_answer *answer, uint16_t port, struct error *err)
{
	if (r == -ENOMEM)
		return error_oom(err);
	if (*answer->status)
		return error_set(err, r, "%s", answer->message);
	if (r == -EBADMSG)
		return error_prefix(err, r, "http://127.0.0.1:%u", port);
	return error_set(err, -EAGAIN,
		"http://127.0.0.1:%u: %s: in a confidential VM its guest components serve keys "
		"there "
		"(kernel parameter agent.guest_components_rest_api=resource); elsewhere the "
		"container "
		"must request casemate.dev/keys, for there is no " DELIVERY_DIR " in it",
		port, strerror(-r));
}

int exec_guest_fetch(struct secret *ret_keys, struct exec_answer *ret_answer, uint16_t port,
	const char *namespace_, const struct span *keys, size_t n, int64_t deadline_usec,
	struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		struct key_id id;

		snprintf(ret_answer->key, sizeof(ret_answer->key), SPAN_FMT, SPAN_ARG(keys[i]));
		r = exec_key_id(&id, keys[i], namespace_, "CASEMATE_NAMESPACE", err);
		if (r < 0)
			break;
		r = ask(&ret_keys[i], ret_answer, port, &id, deadline_usec, err);
		if (r < 0)
			r = blame(r, ret_answer, port, err);
	}
	for (size_t i = 0; r < 0 && i < n; i++)
		secret_free(&ret_keys[i]);
	return r;
}
