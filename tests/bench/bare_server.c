/* SPDX-License-Identifier: Apache-2.0
 *
 * The bound that the bench measures Casemate against: the barest libmicrohttpd TLS server that
 * reads a request's body and answers a constant. With "json-c" it parses the body, as a review's;
 * with "release" it does the cryptography of the request for a key, and nothing else of it.
 *
 *	bare_server PORT CERT KEY json-c|release|none */
#include <json-c/json.h>
#include <microhttpd.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/release/reference.h"

enum { BODY_MAX = 64 * 1024 };

static bool parse, release;

struct body {
	size_t len;
	char text[BODY_MAX];
};

static const char answer[] = "{\"kind\":\"AdmissionReview\",\"apiVersion\":\"admission.k8s.io/v1\","
			     "\"response\":{\"uid\":\"0\",\"allowed\":true}}";

static enum MHD_Result handle(void *cls, struct MHD_Connection *c, const char *url,
	const char *method, const char *version, const char *data, size_t *size, void **state)
{
	struct body *b = *state;
	struct MHD_Response *response;
	enum MHD_Result r;

	(void)cls;
	(void)method;
	(void)version;
	if (!b) {
		*state = b = malloc(sizeof(*b));
		if (b)
			b->len = 0;
		return b ? MHD_YES : MHD_NO;
	}
	if (*size) {
		if (*size > BODY_MAX - b->len)
			return MHD_NO;
		memcpy(b->text + b->len, data, *size);
		b->len += *size;
		*size = 0;
		return MHD_YES;
	}
	if (parse) {
		struct json_tokener *tok = json_tokener_new();
		struct json_object *o = json_tokener_parse_ex(tok, b->text, (int)b->len);

		json_object_put(o);
		json_tokener_free(tok);
	}
	if (release)
		reference_request(url);
	response = MHD_create_response_from_buffer(
		sizeof(answer) - 1, (void *)answer, MHD_RESPMEM_PERSISTENT);
	MHD_add_response_header(response, "Content-Type", "application/json");
	r = MHD_queue_response(c, MHD_HTTP_OK, response);
	MHD_destroy_response(response);
	return r;
}

static void completed(
	void *cls, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode code)
{
	(void)cls;
	(void)c;
	(void)code;
	free(*state);
	*state = NULL;
}

static char *slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, BODY_MAX);

	if (!f || !text || fread(text, 1, BODY_MAX - 1, f) == 0)
		exit(2);
	fclose(f);
	return text;
}

int main(int argc, char **argv)
{
	struct MHD_Daemon *d;
	sigset_t signals;
	int signal;

	if (argc != 5)
		return 2;
	parse = strcmp(argv[4], "json-c") == 0;
	release = strcmp(argv[4], "release") == 0;
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	/* As many threads and the same TLS as Casemate's servers, and the cheapest polling. */
	d = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TLS, (uint16_t)atoi(argv[1]),
		NULL, NULL, handle, NULL, MHD_OPTION_THREAD_POOL_SIZE, release ? 0u : 2u,
		MHD_OPTION_HTTPS_MEM_CERT, slurp(argv[2]), MHD_OPTION_HTTPS_MEM_KEY, slurp(argv[3]),
		MHD_OPTION_NOTIFY_COMPLETED, completed, NULL, MHD_OPTION_END);
	if (!d)
		return 1;
	sigwait(&signals, &signal);
	MHD_stop_daemon(d);
	return 0;
}
