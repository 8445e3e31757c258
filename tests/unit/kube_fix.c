/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/kube_fix.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "tests/unit/test.h"

void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	CU_ASSERT_PTR_NOT_NULL(file);
	if (!file)
		return;
	fputs(text, file);
	fclose(file);
}

void kube_fix_token(struct kube_fix *f, const char *token)
{
	write_text(f->token, token);
}

bool kube_fix_begin(struct kube_fix *f, fake_fn fn, void *ctx)
{
	static const char *const labels[] = {"method", "code", NULL};
	struct kube_client_options o = {.kubeconfig = f->config, .user_agent = "casemate-test/1"};
	struct error err = {0};
	char text[512];

	*f = (struct kube_fix){.dir = "/tmp/casemate-test-XXXXXX"};
	f->server = fake_server_start(fn, ctx);
	CU_ASSERT_PTR_NOT_NULL(mkdtemp(f->dir));
	CU_ASSERT_EQUAL(sd_event_new(&f->event), 0);
	if (!f->server)
		return false;
	snprintf(f->config, sizeof(f->config), "%s/config", f->dir);
	snprintf(f->token, sizeof(f->token), "%s/token", f->dir);
	snprintf(text, sizeof(text),
		"current-context: c\n"
		"contexts: [{name: c, context: {cluster: k, user: u, namespace: ns1}}]\n"
		"clusters: [{name: k, cluster: {server: 'http://127.0.0.1:%u'}}]\n"
		"users: [{name: u, user: {tokenFile: token}}]\n",
		fake_server_port(f->server));
	write_text(f->config, text);
	kube_fix_token(f, "token-1\n");
	f->metrics = metrics_new();
	o.requests = metrics_counter(f->metrics, "test_api_requests_total", "Requests.", labels);
	CHECK_ROW(
		"client", kube_client_new(&f->client, f->event, &o, &err) == 0, "%s", err.message);
	return f->client;
}

bool kube_fix_wait(struct kube_fix *f, bool (*until)(void *ctx), void *ctx)
{
	int64_t end = clock_monotonic_usec() + KUBE_FIX_PATIENCE_USEC;

	while (!until(ctx)) {
		if (clock_monotonic_usec() > end)
			return false;
		sd_event_run(f->event, 10 * USEC_PER_MSEC);
	}
	return true;
}

void kube_fix_linger(struct kube_fix *f, int64_t usec)
{
	int64_t end = clock_monotonic_usec() + usec;

	while (clock_monotonic_usec() < end)
		sd_event_run(f->event, 5 * USEC_PER_MSEC);
}

void kube_fix_end(struct kube_fix *f)
{
	kube_client_free(f->client);
	fake_server_stop(f->server);
	metrics_free(f->metrics);
	sd_event_unref(f->event);
	unlink(f->config);
	unlink(f->token);
	rmdir(f->dir);
}
