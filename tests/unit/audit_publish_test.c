/* SPDX-License-Identifier: Apache-2.0
 *
 * Checkpoints of the audit log in a ConfigMap, on an API server that keeps it. */
#include "webhook/broker/audit_publish.h"

#include <openssl/ec.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/kbs/key_id.h"
#include "tests/unit/kube_fix.h"
#include "tests/unit/test.h"
#include "webhook/broker/grant.h"

enum { LOG_MAX = 8192, BODY_MAX = 64 * 1024, OLD = 300 };

struct api {
	pthread_mutex_t lock;
	bool there;                        /* the ConfigMap */
	unsigned refusal;                  /* the status of writes; 0: none is refused */
	bool full;                         /* it holds OLD checkpoints of others */
	char log[LOG_MAX], body[BODY_MAX]; /* "METHOD STATUS\n"; the last that was taken */
};

/* What others published: the oldest is 0000000100.other. */
static void write_map(struct buf *b, const struct api *a)
{
	buf_puts(b, "{\"data\":{\"key.pem\":\"k\"");
	for (int i = 0; a->full && i < OLD; i++)
		buf_printf(b, ",\"%010d.other\":\"p\"", 100 + i);
	buf_puts(b, "}}");
}

static void answer(void *ctx, unsigned n, const char *request, struct fake_reply *reply)
{
	_cleanup_buf_ struct buf map = BUF_INIT(1 << 20);
	const char *body = strstr(request, "\r\n\r\n");
	bool create = strncmp(request, "POST ", 5) == 0;
	struct api *a = ctx;
	unsigned status;
	size_t at;

	(void)n;
	pthread_mutex_lock(&a->lock);
	status = a->refusal ? a->refusal : create ? (a->there ? 409 : 201) : a->there ? 200 : 404;
	at = strlen(a->log);
	snprintf(a->log + at, LOG_MAX - at, "%s %u\n", create ? "POST" : "PATCH", status);
	if (status < 300) {
		a->there = true;
		snprintf(a->body, BODY_MAX, "%s", body ? body + 4 : "");
		write_map(&map, a);
	}
	fake_respond(reply, (int)status, NULL, map.p ? map.p : "{}");
	pthread_mutex_unlock(&a->lock);
}

struct fix {
	struct api api;
	struct kube_fix kube;
	struct audit *audit;
	struct audit_publisher *publisher;
	EVP_PKEY *key;
	char path[96], want[LOG_MAX];
};

static const struct key_id id = {"shop", "payments", "db"};
static const struct requester who = {
	.namespace_ = "shop", .service_account = "payments", .pod = "pay-1", .container = "app"};

static void add_line(struct fix *f)
{
	const struct audit_entry e = {.time_usec = clock_unix_usec(),
		.protocol = "rcar",
		.who = &who,
		.tee = SPAN_LIT("tdx"),
		.measurement_hex = SPAN_LIT("00ff"),
		.platform_hex = "abcd",
		.key = &id,
		.version = 1,
		.reason = REASON_Ok,
		.message = ""};
	struct error err = {0};

	CHECK_ROW("line", audit_write(f->audit, &e, &err) == 0, "%s", err.message);
}

static bool begin(struct fix *f, const struct api *api)
{
	struct error err = {0};

	*f = (struct fix){.api = *api, .key = EVP_EC_gen("P-256")};
	pthread_mutex_init(&f->api.lock, NULL);
	if (!kube_fix_begin(&f->kube, answer, &f->api))
		return false;
	snprintf(f->path, sizeof(f->path), "%s/audit", f->kube.dir);
	return CHECK_ROW("audit",
		       audit_new(&f->audit,
			       &(struct audit_options){
				       .path = f->path, .replica = "here", .keep = 1},
			       &err) == 0,
		       "%s", err.message) &&
	       CHECK_ROW("publisher",
		       audit_publisher_new(&f->publisher,
			       &(struct audit_publisher_options){.event = f->kube.event,
				       .audit = f->audit,
				       .key = &f->key,
				       .kube = f->kube.client,
				       .namespace_ = "casemate",
				       .config_map = "casemate-audit",
				       .path = f->path,
				       .every_usec = 20 * USEC_PER_MSEC},
			       &err) == 0,
		       "%s", err.message);
}

static void end(struct fix *f)
{
	audit_publisher_free(f->publisher);
	audit_free(f->audit);
	unlink(f->path);
	kube_fix_end(&f->kube);
	EVP_PKEY_free(f->key);
	pthread_mutex_destroy(&f->api.lock);
}

static bool is_wanted(void *ctx)
{
	struct fix *f = ctx;
	bool same;

	pthread_mutex_lock(&f->api.lock);
	same = strncmp(f->api.log, f->want, strlen(f->want)) == 0;
	pthread_mutex_unlock(&f->api.lock);
	return same;
}

/* Requests come, and no others after them. */
static void expect(struct fix *f, const char *row, const char *log, bool last)
{
	snprintf(f->want, sizeof(f->want), "%s", log);
	CHECK_ROW(row, kube_fix_wait(&f->kube, is_wanted, f), "%s", f->api.log);
	if (!last)
		return;
	kube_fix_linger(&f->kube, 200 * USEC_PER_MSEC);
	pthread_mutex_lock(&f->api.lock);
	CHECK_STR(row, span_str(f->api.log), log);
	pthread_mutex_unlock(&f->api.lock);
}

/* Is the last body's checkpoint of that line of our chain? */
static bool says(struct fix *f, const char *text)
{
	bool found;

	pthread_mutex_lock(&f->api.lock);
	found = strstr(f->api.body, text);
	pthread_mutex_unlock(&f->api.lock);
	return found;
}

/* The ConfigMap is made when it is not there; only what is new is published. */
static void test_made(void)
{
	struct audit_head head = {0};
	char name[96];
	struct fix f;

	if (!begin(&f, &(struct api){0}))
		return;
	expect(&f, "no line", "", true);
	add_line(&f);
	expect(&f, "the first", "PATCH 404\nPOST 201\n", true);
	audit_where(f.audit, &head);
	snprintf(name, sizeof(name), ".%s\":\"ey", head.chain);
	CHECK_ROW("checkpoint", says(&f, name) && says(&f, "BEGIN PUBLIC KEY"), "%s", f.api.body);
	CU_ASSERT_TRUE(says(&f, "\"name\":\"casemate-audit\""));
	add_line(&f);
	expect(&f, "the next", "PATCH 404\nPOST 201\nPATCH 200\n", true);
	CU_ASSERT_FALSE(says(&f, "\"name\":"));
	CHECK_ROW("nothing goes", !says(&f, ":null"), "%s", f.api.body);
	/* Somebody deletes it: the next one makes it anew. */
	pthread_mutex_lock(&f.api.lock);
	f.api.there = false;
	pthread_mutex_unlock(&f.api.lock);
	add_line(&f);
	expect(&f, "deleted", "PATCH 404\nPOST 201\nPATCH 200\nPATCH 404\nPOST 201\n", true);
	end(&f);
}

/* What is refused is tried again, until it is published. */
static void test_refused(void)
{
	struct fix f;

	if (!begin(&f, &(struct api){.there = true, .refusal = 403}))
		return;
	add_line(&f);
	expect(&f, "refused", "PATCH 403\nPATCH 403\n", false);
	pthread_mutex_lock(&f.api.lock);
	f.api.refusal = 0;
	f.api.log[0] = '\0';
	pthread_mutex_unlock(&f.api.lock);
	expect(&f, "published", "PATCH 200\n", true);
	end(&f);
}

/* The oldest of too many goes, one a time. */
static void test_full(void)
{
	struct fix f;

	if (!begin(&f, &(struct api){.there = true, .full = true}))
		return;
	add_line(&f);
	expect(&f, "not known yet", "PATCH 200\n", true);
	CHECK_ROW("nothing goes", !says(&f, ":null"), "%s", f.api.body);
	add_line(&f);
	expect(&f, "known", "PATCH 200\nPATCH 200\n", true);
	CHECK_ROW("the oldest", says(&f, ",\"0000000100.other\":null,"), "%s", f.api.body);
	end(&f);
}

CU_TestInfo audit_publish_tests[] = {
	{"made", test_made},
	{"refused", test_refused},
	{"full", test_full},
	CU_TEST_INFO_NULL,
};
