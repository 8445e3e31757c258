/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/exec/sgx/https.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "common/kbs/rcar.h"
#include "nodeagent/exec/http_head.h"
#include "nodeagent/exec/sgx/tls.h"

enum { HEAD_MAX = 2048 + EXEC_HTTP_HEAD_MAX /* of a request: the cookie came in an answer's */ };

/* The host of an address of IPv6 is in brackets, as in the URL. */
static struct span authority(const struct sgx_broker *b)
{
	return span_after(span_str(b->url), "https://");
}

static int write_request(
	struct secret *ret, const struct sgx_https *h, const char *path, struct span body)
{
	char head[HEAD_MAX];
	int n = snprintf(head, sizeof(head),
		"%s %s HTTP/1.1\r\nHost: " SPAN_FMT "\r\nUser-Agent: casemate-exec-sgx\r\n"
		"Connection: close\r\n%s%s%s",
		body.p ? "POST" : "GET", path, SPAN_ARG(authority(h->broker)),
		h->cookie.len ? "Cookie: " : "", h->cookie.len ? h->cookie.p : "",
		h->cookie.len ? "\r\n" : "");
	int r;

	if (n >= 0 && (size_t)n < sizeof(head) && body.p)
		n += snprintf(head + n, sizeof(head) - (size_t)n,
			"Content-Type: application/json\r\nContent-Length: %zu\r\n", body.len);
	if (n < 0 || (size_t)n >= sizeof(head))
		return -E2BIG;
	r = secret_init(ret, (size_t)n + 2 + body.len);
	if (r == 0)
		r = secret_add(ret, (struct span){head, (size_t)n});
	if (r == 0)
		r = secret_add(ret, SPAN_LIT("\r\n"));
	if (r == 0 && body.p)
		r = secret_add(ret, body);
	OPENSSL_cleanse(head, sizeof(head));
	return r;
}

/* Byte by byte, so that what follows stays in OpenSSL's buffer. */
static int receive_head(struct sgx_tls *t, char head[EXEC_HTTP_HEAD_MAX],
	struct exec_http_head *ret, struct error *err)
{
	size_t n = 0;

	while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4) != 0) {
		int r;

		if (n == EXEC_HTTP_HEAD_MAX)
			return error_set(err, -EBADMSG, "the answer's header is too long");
		r = sgx_tls_receive(t, head + n, 1, err);
		if (r < 0)
			return r;
		n++;
	}
	return exec_http_head_read(ret, (struct span){head, n}, SGX_HTTPS_ANSWER_MAX, err);
}

static int receive_body(struct sgx_tls *t, struct buf *out, size_t len, struct error *err)
{
	char piece[4096];

	while (len) {
		size_t n = len < sizeof(piece) ? len : sizeof(piece);
		int r = sgx_tls_receive(t, piece, n, err);

		if (r < 0)
			return r;
		if (buf_add(out, piece, n) < 0)
			return error_oom(err);
		len -= n;
	}
	return 0;
}

/* The session is in the cookie itself: what comes last counts. */
static int keep_cookie(struct sgx_https *h, struct span cookie, struct error *err)
{
	if (!span_starts(cookie, RCAR_COOKIE "="))
		return 0;
	secret_free(&h->cookie);
	return secret_copy(&h->cookie, cookie) < 0 ? error_oom(err) : 0;
}

static int converse(struct sgx_https *h, struct span request, int *ret_status, struct buf *answer,
	struct error *err)
{
	_cleanup_sgx_tls_ struct sgx_tls t = {.fd = -1};
	char text[EXEC_HTTP_HEAD_MAX] = "";
	struct exec_http_head head;
	int r = sgx_tls_open(&t, h->broker->host, h->broker->port, h->ca, h->deadline_usec, err);

	if (r == 0)
		r = sgx_tls_send(&t, request, err);
	if (r == 0)
		r = receive_head(&t, text, &head, err);
	if (r == 0)
		r = keep_cookie(h, head.cookie, err);
	if (r == 0)
		r = receive_body(&t, answer, head.length, err);
	if (r == 0)
		*ret_status = head.status;
	OPENSSL_cleanse(text, sizeof(text));
	return r;
}

int sgx_https_ask(struct sgx_https *h, const char *path, struct span body, int *ret_status,
	struct buf *answer, struct error *err)
{
	_cleanup_secret_ struct secret request = {0};
	int r = write_request(&request, h, path, body);

	if (r < 0)
		return r == -ENOMEM ? error_oom(err) : error_set(err, r, "the request is too long");
	r = converse(h, secret_view(&request), ret_status, answer, err);
	if (r == -EKEYREJECTED)
		return error_prefix(err, r,
			"%s: what answers is not the broker that %s vouches for", h->broker->url,
			h->broker->ca);
	if (r == -ENOKEY)
		return error_prefix(err, r, "%s", h->broker->ca);
	if (r == -EAGAIN)
		return error_prefix(err, r, "%s: the broker cannot be asked", h->broker->url);
	return r < 0 && r != -ENOMEM ? error_prefix(err, r, "%s", h->broker->url) : r;
}

void sgx_https_free(struct sgx_https *h)
{
	secret_free(&h->cookie);
}
