/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/exec/guest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "common/base/cleanup.h"
#include "common/kbs/key_id.h"
#include "nodeagent/exec/wire.h"

enum {
	REQUEST_MAX = 1024,
	OK = 200,
	SERVER_ERROR = 500, /* the guest components say so of everything: a refusal, no network */
	LENGTH_DIGITS = 6,
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The next line, without its end; SPAN_NONE: there is none. */
static struct span take_line(struct span *rest)
{
	const char *end = rest->len ? memmem(rest->p, rest->len, "\r\n", 2) : NULL;
	struct span line;

	if (!end)
		return SPAN_NONE;
	line = (struct span){rest->p, (size_t)(end - rest->p)};
	*rest = (struct span){end + 2, rest->len - line.len - 2};
	return line;
}

/* HTTP/1.1 200 OK */
static int read_status(struct span line)
{
	struct span code = span_after(line, "HTTP/1.");

	if (code.len < 5 || !is_digit(code.p[0]) || code.p[1] != ' ' ||
		(code.len > 5 && code.p[5] != ' '))
		return -EBADMSG;
	for (size_t i = 2; i < 5; i++)
		if (!is_digit(code.p[i]))
			return -EBADMSG;
	return (code.p[2] - '0') * 100 + (code.p[3] - '0') * 10 + code.p[4] - '0';
}

/* The value of line when it is the field of that name; SPAN_NONE else. */
static struct span field(struct span line, const char *name)
{
	size_t n = strlen(name);
	struct span v;

	if (line.len <= n || line.p[n] != ':' || strncasecmp(line.p, name, n) != 0)
		return SPAN_NONE;
	v = (struct span){line.p + n + 1, line.len - n - 1};
	while (v.len && (v.p[0] == ' ' || v.p[0] == '\t'))
		v = (struct span){v.p + 1, v.len - 1};
	while (v.len && (v.p[v.len - 1] == ' ' || v.p[v.len - 1] == '\t'))
		v.len--;
	return v;
}

static int read_length(struct span v, size_t *ret)
{
	size_t n = 0;

	if (v.len == 0 || v.len > LENGTH_DIGITS)
		return -EBADMSG;
	for (size_t i = 0; i < v.len; i++) {
		if (!is_digit(v.p[i]))
			return -EBADMSG;
		n = n * 10 + (size_t)(v.p[i] - '0');
	}
	if (n > DELIVERY_KEY_MAX)
		return -EBADMSG;
	*ret = n;
	return 0;
}

int exec_guest_head_read(struct exec_guest_head *ret, struct span head, struct error *err)
{
	struct span rest = head, line = take_line(&rest);
	struct exec_guest_head h = {.status = read_status(line)};
	bool length = false;

	if (h.status < 0)
		return error_set(err, -EBADMSG, "what answers is no HTTP server");
	for (line = take_line(&rest); line.len; line = take_line(&rest)) {
		struct span v = field(line, "content-length");

		if (field(line, "transfer-encoding").p || (v.p && length) ||
			(v.p && read_length(v, &h.length) < 0))
			return error_set(err, -EBADMSG,
				"the answer's length is not said, or beyond %d bytes",
				DELIVERY_KEY_MAX);
		length = length || v.p;
	}
	if (!line.p || rest.len)
		return error_set(err, -EBADMSG, "the answer's header is cut off");
	if (!length)
		return error_set(err, -EBADMSG, "the answer's length is not said");
	*ret = h;
	return 0;
}

static int connect_to(int *ret_fd, uint16_t port)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
		return -errno;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* Byte by byte, so that nothing of the body lands in a buffer that is not a secret's. */
static int receive_head(
	int fd, struct exec_guest_head *ret, int64_t deadline_usec, struct error *err)
{
	char head[EXEC_GUEST_HEAD_MAX] = "";
	size_t n = 0;

	while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0) {
		int r = n < sizeof(head) ? exec_receive(fd, head + n, 1, deadline_usec) : -E2BIG;

		if (r == -E2BIG)
			return error_set(err, -EBADMSG, "the answer's header is too long");
		if (r < 0)
			return r;
		n++;
	}
	return exec_guest_head_read(ret, (struct span){head, n}, err);
}

/* What the guest components say of why not, for a person. */
static int refuse(int fd, const struct exec_guest_head *head, struct exec_answer *answer,
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
	_cleanup_close_ int fd = -1;
	struct exec_guest_head head = {0};
	char request[REQUEST_MAX];
	int r = connect_to(&fd, port);

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

/* The key's whole name. */
static int name_key(struct key_id *ret, struct span key, const char *namespace_, struct error *err)
{
	const char *slash = memchr(key.p, '/', key.len);
	size_t first = slash ? (size_t)(slash - key.p) : key.len;
	struct span rest = {key.p + first, key.len - first};

	if (rest.len && memchr(rest.p + 1, '/', rest.len - 1))
		return key_id_parse(ret, key, NULL, err);
	if (!namespace_ || !*namespace_)
		return error_set(err, -EINVAL,
			"the key's namespace is not known: write kbs:///NAMESPACE/" SPAN_FMT
			", or set CASEMATE_NAMESPACE",
			SPAN_ARG(key));
	return key_id_set(ret, span_str(namespace_), (struct span){key.p, first},
		(struct span){rest.p + 1, rest.len - 1}, err);
}

int exec_guest_fetch(struct secret *ret_keys, struct exec_answer *ret_answer, uint16_t port,
	const char *namespace_, const struct span *keys, size_t n, int64_t deadline_usec,
	struct error *err)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		struct key_id id;

		snprintf(ret_answer->key, sizeof(ret_answer->key), SPAN_FMT, SPAN_ARG(keys[i]));
		r = name_key(&id, keys[i], namespace_, err);
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
