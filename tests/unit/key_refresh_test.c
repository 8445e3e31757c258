/* SPDX-License-Identifier: Apache-2.0
 *
 * Promised files of running containers, replaced when their key was rotated; what is remembered of
 * them; the question for versions. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/kbs/versions.h"
#include "nodeagent/keys/folders.h"
#include "nodeagent/keys/held.h"
#include "tests/unit/keys_world.h"
#include "tests/unit/test.h"

#define FILES "{\\\"db.pem\\\":\\\"profile/key\\\"}"
#define REFUSAL                                                                                    \
	"{\"type\":\"https://github.com/confidential-containers/kbs/errors/PolicyDeny\","          \
	"\"detail\":\"the command differs\",\"reason\":\"WorkloadNotAllowed\"}"

enum { REFRESH_USEC = 100 * 1000 };

/* A container that runs with its file, of version 1. */
struct running {
	struct keys_world w;
	char *token;
	char folder[128], path[160];
};

static bool begin(struct running *r)
{
	struct fake_answer a;
	const char *message;

	r->w.refresh_usec = REFRESH_USEC;
	r->token = keys_world_token("pod-1", KEYS_WORLD_UID);
	if (!keys_world_begin(&r->w))
		return false;
	atomic_store(&r->w.annotation, FILES);
	atomic_store(&r->w.version, 1);
	atomic_store(&r->w.told_of, true);
	keys_world_allocate(&r->w, "key-0", r->folder);
	snprintf(r->path, sizeof(r->path), "%s/files/db.pem", r->folder);
	keys_world_project(&r->w, r->token);
	message = keys_world_start(&r->w, "key-0", &a);
	return CHECK_ROW("start", !*message, "%s", message);
}

static void end(struct running *r)
{
	keys_world_end(&r->w);
	free(r->token);
}

static bool file_is(const struct running *r, const char *want)
{
	_cleanup_close_ int fd = open(r->path, O_RDONLY | O_CLOEXEC);
	char text[64];
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text));

	return n >= 0 && span_is((struct span){text, (size_t)n}, want);
}

static bool polled(struct running *r, int times)
{
	int until = atomic_load(&r->w.polls) + times;

	return FAKE_UNTIL(r->w.kube.event, atomic_load(&r->w.polls) >= until);
}

static void test_replaced(void)
{
	struct running r = {0};
	struct stat before, after;

	if (begin(&r)) {
		_cleanup_close_ int open_fd = open(r.path, O_RDONLY | O_CLOEXEC);
		char text[64];

		CU_ASSERT_EQUAL(fstat(open_fd, &before), 0);
		CU_ASSERT(polled(&r, 3));
		CU_ASSERT_EQUAL(r.w.ended, 1);
		atomic_store(&r.w.version, 2);
		CU_ASSERT(FAKE_UNTIL(r.w.kube.event, file_is(&r, "s3cret-2")));
		CU_ASSERT_STRING_EQUAL(r.w.told, "ns/pod-1/app 1 again Ok: ");
		CU_ASSERT(atomic_load(&r.w.bound));
		/* By another file, of the same mode and owner: who has the old one open reads it
		 * to its end. */
		CU_ASSERT_EQUAL(stat(r.path, &after), 0);
		CU_ASSERT(before.st_ino != after.st_ino);
		CU_ASSERT(before.st_mode == after.st_mode && before.st_uid == after.st_uid);
		CU_ASSERT_EQUAL(read(open_fd, text, sizeof(text)), 6);
		/* Once, however often it is asked. */
		CU_ASSERT(polled(&r, 3));
		CU_ASSERT_EQUAL(r.w.ended, 2);
	}
	end(&r);
}

static void test_left_alone(void)
{
	struct running r = {0};

	if (begin(&r)) {
		/* rotation.onChange is not File. */
		atomic_store(&r.w.told_of, false);
		atomic_store(&r.w.version, 2);
		CU_ASSERT(polled(&r, 3));
		CU_ASSERT(file_is(&r, "s3cret"));
		/* The broker refuses: the old file stays, and it is told. */
		atomic_store(&r.w.refusal, REFUSAL);
		atomic_store(&r.w.status, 403);
		atomic_store(&r.w.told_of, true);
		CU_ASSERT(FAKE_UNTIL(r.w.kube.event, r.w.ended > 1));
		CU_ASSERT_STRING_EQUAL(
			r.w.told, "ns/pod-1/app 1 again WorkloadNotAllowed: the command differs");
		CU_ASSERT(file_is(&r, "s3cret"));
		/* Until it does not refuse any more. */
		atomic_store(&r.w.status, 200);
		CU_ASSERT(FAKE_UNTIL(r.w.kube.event, file_is(&r, "s3cret-2")));
	}
	end(&r);
}

/* A restarted agent knows what it wrote, and a promise that was changed is kept as it was made. */
static void test_remembered(void)
{
	struct running r = {0};

	if (begin(&r)) {
		plugins_free(r.w.plugins);
		r.w.plugins = NULL;
		keys_world_renew(&r.w);
		atomic_store(&r.w.version, 2);
		CU_ASSERT(FAKE_UNTIL(r.w.kube.event, file_is(&r, "s3cret-2")));
		atomic_store(&r.w.annotation, "{\\\"other\\\":\\\"profile/other\\\"}");
		atomic_store(&r.w.version, 3);
		CU_ASSERT(polled(&r, 4));
		CU_ASSERT(file_is(&r, "s3cret-2"));
	}
	end(&r);
}

static void test_broker_without_versions(void)
{
	struct running r = {0};

	if (begin(&r)) {
		kube_fix_token(&r.w.kube, "not-a-token");
		CU_ASSERT(FAKE_UNTIL(r.w.kube.event, r.w.ended > 2));
		CHECK_ROW("told", strstr(r.w.told, "// 0 again StoreUnavailable"), "%s", r.w.told);
		CU_ASSERT(file_is(&r, "s3cret"));
	}
	end(&r);
}

static const struct key_held held = {.namespace_ = "ns",
	.v = {{"a.pem", "p/a", 3, 0}, {"b", "p.q/b", 1, 0}, {"c", "p/a", 2, 0}},
	.n = 3};

static void test_held(void)
{
	_cleanup_buf_ struct buf text = BUF_INIT(KEY_HELD_MAX), again = BUF_INIT(KEY_HELD_MAX);
	struct key_held h;
	struct key_names wanted;

	CU_ASSERT_EQUAL(key_held_write(&text, &held), 0);
	CU_ASSERT_EQUAL(key_held_read(&h, buf_view(&text)), 0);
	key_held_write(&again, &h);
	CU_ASSERT_STRING_EQUAL(text.p, again.p);
	for (size_t n = 0; n < text.len; n++)
		CHECK_ROW("truncated", key_held_read(&h, (struct span){text.p, n}) == -EBADMSG,
			"%zu bytes are accepted", n);
	h = held;
	CU_ASSERT_FALSE(key_held_news(&h, "p/a", 2));
	CU_ASSERT_FALSE(key_held_news(&h, "p/z", 9));
	CU_ASSERT(key_held_news(&h, "p/a", 3)); /* of c, which has 2 */
	key_held_wanted(&h, &wanted);
	CU_ASSERT_EQUAL(wanted.n, 1);
	CU_ASSERT_STRING_EQUAL(wanted.v[0], "p/a");
	key_held_replaced(&h, "c", 3);
	key_held_wanted(&h, &wanted);
	CU_ASSERT_EQUAL(wanted.n, 0);
}

static void test_held_refused(void)
{
	static const char *const rows[] = {"", "[]", "{}", "{\"namespace\":\"ns\"}",
		"{\"namespace\":\"n\\ns\",\"files\":[]}", "{\"namespace\":\"\",\"files\":[]}",
		"{\"namespace\":\"ns\",\"files\":[{}]}",
		"{\"namespace\":\"ns\",\"files\":[{\"file\":\"../a\",\"key\":\"p/"
		"k\",\"version\":1}]}",
		"{\"namespace\":\"ns\",\"files\":[{\"file\":\"a\",\"key\":\"k\",\"version\":1}]}",
		"{\"namespace\":\"ns\",\"files\":[{\"file\":\"a\",\"key\":\"p/"
		"k\",\"version\":-1}]}"};
	struct key_held h;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		CHECK_ROW(rows[i], key_held_read(&h, span_str(rows[i])) == -EBADMSG, "accepted");
}

static void test_versions(void)
{
	static const struct key_id ids[] = {{"ns", "p", "a"}, {"ns", "p.q", "b"}};
	static const unsigned versions[] = {3, 0};
	_cleanup_buf_ struct buf text = BUF_INIT(4096), answer = BUF_INIT(4096);
	struct key_id got[VERSIONS_MAX];
	unsigned numbers[2];

	versions_ask_write(&text, ids, 2);
	CU_ASSERT_STRING_EQUAL(text.p, "{\"keys\":[\"ns/p/a\",\"ns/p.q/b\"]}");
	CU_ASSERT_EQUAL(versions_ask_read(got, buf_view(&text), NULL), 2);
	CU_ASSERT_STRING_EQUAL(got[1].profile, "p.q");
	for (size_t n = 0; n < text.len; n++)
		CU_ASSERT_EQUAL(versions_ask_read(got, (struct span){text.p, n}, NULL), -EBADMSG);
	versions_answer_write(&answer, versions, 2);
	CU_ASSERT_STRING_EQUAL(answer.p, "{\"versions\":[3,0]}");
	CU_ASSERT_EQUAL(versions_answer_read(numbers, 2, buf_view(&answer), NULL), 0);
	CU_ASSERT(numbers[0] == 3 && numbers[1] == 0);
	CU_ASSERT_EQUAL(versions_answer_read(numbers, 1, buf_view(&answer), NULL), -EBADMSG);
	for (size_t n = 0; n < answer.len; n++)
		CU_ASSERT_EQUAL(versions_answer_read(numbers, 2, (struct span){answer.p, n}, NULL),
			-EBADMSG);
}

static void test_versions_refused(void)
{
	static const char *const asks[] = {"{\"keys\":\"ns/p/a\"}", "{\"keys\":[1]}",
		"{\"keys\":[\"ns/p\"]}", "{\"keys\":[\"ns/p/a/b\"]}", "{\"keys\":[\"NS/p/a\"]}"};
	static const char *const answers[] = {"{\"versions\":[-1]}", "{\"versions\":[1.5]}",
		"{\"versions\":[\"1\"]}", "{\"versions\":[4294967296]}", "{\"versions\":{}}"};
	static const struct {
		const char *text;
		unsigned want;
	} etags[] = {{"\"3\"", 3}, {"\"2147483647\"", INT32_MAX}, {NULL, 0}, {"", 0}, {"3", 0},
		{"\"3", 0}, {"\"\"", 0}, {"W/\"3\"", 0}, {"\"-3\"", 0}, {"\"2147483648\"", 0},
		{"\"99999999999\"", 0}, {"\"3\"x", 0}};
	_cleanup_buf_ struct buf many = BUF_INIT(VERSIONS_REQUEST_MAX);
	struct key_id ids[VERSIONS_MAX + 1], got[VERSIONS_MAX];
	unsigned number;

	for (size_t i = 0; i < ARRAY_SIZE(asks); i++)
		CHECK_ROW(asks[i], versions_ask_read(got, span_str(asks[i]), NULL) == -EBADMSG,
			"accepted");
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		CHECK_ROW(answers[i],
			versions_answer_read(&number, 1, span_str(answers[i]), NULL) == -EBADMSG,
			"accepted");
	for (size_t i = 0; i < ARRAY_SIZE(etags); i++)
		CHECK_ROW(etags[i].text ? etags[i].text : "none",
			versions_etag(etags[i].text) == etags[i].want, "%u",
			versions_etag(etags[i].text));
	for (size_t i = 0; i <= VERSIONS_MAX; i++)
		ids[i] = (struct key_id){"ns", "p", "a"};
	versions_ask_write(&many, ids, VERSIONS_MAX + 1);
	CU_ASSERT_EQUAL(versions_ask_read(got, buf_view(&many), NULL), -EBADMSG);
}

const CU_TestInfo key_refresh_tests[] = {
	{"replaced where a container runs", test_replaced},
	{"left alone, or refused", test_left_alone},
	{"remembered", test_remembered},
	{"the broker cannot be asked", test_broker_without_versions},
	{"what is remembered", test_held},
	{"what is not to be believed of it", test_held_refused},
	{"questions for versions", test_versions},
	{"questions and answers that are none", test_versions_refused},
	CU_TEST_INFO_NULL,
};
