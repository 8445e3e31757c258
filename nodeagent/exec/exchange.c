/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/exec/exchange.h"

#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "common/base/json.h"
#include "nodeagent/exec/file.h"
#include "nodeagent/exec/wire.h"

enum { LENGTH_BYTES = 4, ANSWER_NODES_MAX = 128 };

/* --- messages --- */

int exec_request(
	struct secret *ret, struct span token, const struct span *keys, size_t n, struct error *err)
{
	int r;

	if (!exec_token_good(token))
		return error_set(err, -EBADMSG, "it holds no service account token");
	if (secret_init(ret, DELIVERY_REQUEST_MAX) < 0)
		return error_oom(err);
	r = secret_add(ret, SPAN_LIT("{\"version\":1,\"token\":\""));
	if (r == 0)
		r = secret_add(ret, token);
	if (r == 0)
		r = secret_add(ret, SPAN_LIT("\",\"keys\":["));
	for (size_t i = 0; r == 0 && i < n; i++) {
		r = secret_add(ret, i == 0 ? SPAN_LIT("\"") : SPAN_LIT(",\""));
		if (r == 0)
			r = secret_add(ret, keys[i]);
		if (r == 0)
			r = secret_add(ret, SPAN_LIT("\""));
	}
	if (r == 0)
		r = secret_add(ret, SPAN_LIT("]}"));
	return r < 0 ? error_set(err, -E2BIG, "the request is too long: ask for fewer keys") : 0;
}

static int read_lengths(struct exec_answer *ret, struct json_val lengths, size_t n)
{
	struct json_iter it;

	if (json_count(lengths) != n || !json_is_array(lengths))
		return -EBADMSG;
	json_each (it, lengths) {
		int64_t length;

		if (!json_int(it.value, &length) || length < 0 || length > DELIVERY_KEY_MAX)
			return -EBADMSG;
		ret->lengths[it.index] = (size_t)length;
	}
	return 0;
}

int exec_answer_read(struct exec_answer *ret, struct span json, size_t n, struct error *err)
{
	static const struct json_limits limits = {DELIVERY_HEAD_MAX, ANSWER_NODES_MAX, 4};
	_cleanup_json_ struct json doc = {0};
	struct exec_answer a = {0};
	struct json_val root;

	if (json_parse(&doc, json, &limits, NULL) < 0)
		return error_set(err, -EBADMSG, "the agent's answer is no JSON");
	root = json_root(&doc);
	json_copy(json_get(root, "status"), a.status, sizeof(a.status));
	json_copy(json_get(root, "reason"), a.reason, sizeof(a.reason));
	json_copy(json_get(root, "message"), a.message, sizeof(a.message));
	json_copy(json_get(root, "key"), a.key, sizeof(a.key));
	exec_clean(a.reason);
	exec_clean(a.message);
	exec_clean(a.key);
	if (strcmp(a.status, "ok") == 0) {
		if (read_lengths(&a, json_get(root, "lengths"), n) < 0)
			return error_set(
				err, -EBADMSG, "the agent's answer is not for %zu keys", n);
	} else if (strcmp(a.status, "refused") != 0 && strcmp(a.status, "again") != 0) {
		return error_set(err, -EBADMSG,
			"the agent answers in words that are not known: it is newer than this "
			"casemate-exec; start the pod again");
	}
	*ret = a;
	return 0;
}

/* --- the socket --- */

static void put_length(unsigned char out[LENGTH_BYTES], size_t n)
{
	for (size_t i = 0; i < LENGTH_BYTES; i++)
		out[i] = (unsigned char)(n >> 8 * (LENGTH_BYTES - 1 - i));
}

static size_t get_length(const unsigned char in[LENGTH_BYTES])
{
	size_t n = 0;

	for (size_t i = 0; i < LENGTH_BYTES; i++)
		n = n << 8 | in[i];
	return n;
}

static int receive_head(
	int fd, struct exec_answer *ret, size_t n, int64_t deadline_usec, struct error *err)
{
	unsigned char length[LENGTH_BYTES];
	char json[DELIVERY_HEAD_MAX];
	size_t len;
	int r = exec_receive(fd, length, sizeof(length), deadline_usec);

	if (r < 0)
		return r;
	len = get_length(length);
	if (len > sizeof(json))
		return error_set(err, -EBADMSG, "the agent's answer is too long");
	r = exec_receive(fd, json, len, deadline_usec);
	return r < 0 ? r : exec_answer_read(ret, (struct span){json, len}, n, err);
}

static int receive_keys(
	struct secret *ret, int fd, const struct exec_answer *a, size_t n, int64_t deadline_usec)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		r = secret_init(&ret[i], a->lengths[i]);
		if (r == 0)
			r = exec_receive(fd, ret[i].p, a->lengths[i], deadline_usec);
		if (r == 0)
			ret[i].len = a->lengths[i];
	}
	for (size_t i = 0; r < 0 && i < n; i++)
		secret_free(&ret[i]);
	return r;
}

static int connect_to(int *ret_fd, const char *path, int64_t deadline_usec)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};

	if (strlen(path) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	strcpy(to.sun_path, path);
	return exec_connect(ret_fd, (struct sockaddr *)&to, sizeof(to), deadline_usec);
}

/* What went wrong with the socket, for a person. Most of it passes: the agent starts again, or is
 * being updated. */
static int blame(int r, const char *path, struct error *err)
{
	if (r == -ENOMEM)
		return error_oom(err);
	if (r == -ENAMETOOLONG || r == -EACCES || r == -EPERM)
		return error_set(err, -EIO, "%s: %s", path, strerror(-r));
	if (r == -ENOENT)
		return error_set(err, -EAGAIN,
			"%s: there is no such socket: the container must request "
			"casemate.dev/keys, and Casemate's agent run on this node",
			path);
	if (r == -ECONNRESET || r == -EPIPE)
		return error_set(err, -EAGAIN,
			"%s: the agent ended the conversation: it asks too much of it, or the "
			"agent was started again",
			path);
	return error_set(err, -EAGAIN, "%s: %s: is Casemate's agent running on this node?", path,
		strerror(-r));
}

static int judge(const struct exec_answer *a)
{
	if (strcmp(a->status, "ok") == 0)
		return 0;
	return strcmp(a->status, "again") == 0 ? -EAGAIN : -EACCES;
}

int exec_exchange(struct secret *ret_keys, struct exec_answer *ret_answer, const char *socket_path,
	const char *token_path, const struct span *keys, size_t n, int64_t deadline_usec,
	struct error *err)
{
	_cleanup_secret_ struct secret token = {0}, request = {0};
	_cleanup_close_ int fd = -1;
	unsigned char length[LENGTH_BYTES];
	struct error why = {0};
	int r = exec_token_read(&token, token_path, err);

	if (r < 0)
		return r == -ENOENT ? error_prefix(err, r,
					      "the pod's token (volume " DELIVERY_VOLUME
					      ", as Casemate's webhook mounts it)")
				    : r;
	r = exec_request(&request, secret_view(&token), keys, n, err);
	if (r < 0)
		return error_prefix(err, r, "%s", token_path);
	put_length(length, request.len);
	r = connect_to(&fd, socket_path, deadline_usec);
	if (r == 0)
		r = exec_send(fd, (struct span){(char *)length, sizeof(length)}, deadline_usec);
	if (r == 0)
		r = exec_send(fd, secret_view(&request), deadline_usec);
	if (r == 0)
		r = receive_head(fd, ret_answer, n, deadline_usec, &why);
	if (why.code)
		return error_set(err, r, "%s: %s", socket_path, why.message);
	if (r == 0) {
		r = judge(ret_answer);
		if (r < 0)
			return error_set(err, r, "%s", ret_answer->message);
		r = receive_keys(ret_keys, fd, ret_answer, n, deadline_usec);
	}
	return r < 0 ? blame(r, socket_path, err) : 0;
}
