/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/keys/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "nodeagent/keys/keys_private.h"
#include "tests/unit/keys_world.h"
#include "tests/unit/test.h"

#define FILES "{\\\"db.pem\\\":\\\"profile/key\\\"}"
#define REFUSAL                                                                                    \
	"{\"type\":\"https://github.com/confidential-containers/kbs/errors/PolicyDeny\","          \
	"\"detail\":\"the command differs\",\"reason\":\"WorkloadNotAllowed\"}"

/* Asks, and checks how it ends. */
static void check_ask(struct keys_world *w, const char *row, const char *folder, const char *token,
	int want, const char *reason)
{
	struct asker a = {0};

	keys_world_ask(w, &a, folder, token);
	CHECK_ROW(row, keys_world_answered(w, &a), "no answer");
	CHECK_ROW(row, a.r == want, "%d %s", a.r, a.err.message);
	CHECK_STR(row, span_str(a.answer.reason), reason);
	if (want == 0)
		CHECK_STR(row, secret_view(&a.keys[0]), "s3cret");
	secret_free(&a.keys[0]);
}

static void test_a_key_for_its_container(void)
{
	struct keys_world w = {0};
	_cleanup_free_ char *token = keys_world_token("pod-1", KEYS_WORLD_UID);
	_cleanup_free_ char *other = keys_world_token("pod-2", KEYS_WORLD_UID);
	char folder[128];

	if (keys_world_begin(&w)) {
		keys_world_allocate(&w, "key-0", folder);
		check_ask(&w, "right", folder, token, 0, "");
		CU_ASSERT(atomic_load(&w.bound));
		CU_ASSERT_STRING_EQUAL(w.told, "ns/pod-1/app 1 socket Ok: ");
		check_ask(&w, "another pod's token", folder, other, -EACCES, "TokenInvalid");
		check_ask(&w, "no token of a pod", folder, "a.e30.c", -EACCES, "TokenInvalid");
		w.held_id = "key-1";
		check_ask(&w, "nobody holds it", folder, token, -EAGAIN, "ContainerUnknown");
		w.held_id = "key-0";
		atomic_store(&w.refusal, REFUSAL);
		atomic_store(&w.status, 403);
		check_ask(&w, "the broker refuses", folder, token, -EACCES, "WorkloadNotAllowed");
		CHECK_ROW("told", strstr(w.told, "the command differs"), "%s", w.told);
		atomic_store(&w.status, 503);
		check_ask(&w, "it cannot be asked", folder, token, -EAGAIN, "WorkloadNotAllowed");
		CU_ASSERT_EQUAL(w.ended, 6);
		CU_ASSERT_EQUAL(keys_view(w.keys).delivered, 1);
		CU_ASSERT_EQUAL(keys_view(w.keys).refused, 3);
		CU_ASSERT_EQUAL(keys_view(w.keys).failed, 2);
	}
	keys_world_end(&w);
}

static int connect_to(const char *folder)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(to.sun_path, sizeof(to.sun_path), "%.90s/key.sock", folder);
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* The peer closed it, possibly after an answer. */
static bool is_closed(int fd)
{
	char bytes[4096];
	ssize_t n;

	while ((n = recv(fd, bytes, sizeof(bytes), 0)) > 0)
		;
	return n == 0 || errno == ECONNRESET;
}

static void test_an_id_given_back(void)
{
	struct keys_world w = {0};
	_cleanup_free_ char *token = keys_world_token("pod-1", KEYS_WORLD_UID);
	char first[128], second[128];
	struct stat st;
	int fd;

	if (keys_world_begin(&w)) {
		keys_world_allocate(&w, "key-0", first);
		fd = connect_to(first);
		CU_ASSERT(fd >= 0);
		fake_kubelet_wait(w.kube.event, 20000);
		keys_world_allocate(&w, "key-0", second);
		CU_ASSERT(strcmp(first, second) != 0);
		CU_ASSERT(is_closed(fd));
		close(fd);
		CU_ASSERT(stat(first, &st) < 0);
		CU_ASSERT_EQUAL(connect_to(first), -1);
		check_ask(&w, "the new holder", second, token, 0, "");
	}
	keys_world_end(&w);
}

static void test_after_a_restart(void)
{
	struct keys_world w = {0};
	_cleanup_free_ char *token = keys_world_token("pod-1", KEYS_WORLD_UID);
	char folder[128], command[160];

	if (keys_world_begin(&w)) {
		keys_world_allocate(&w, "key-0", folder);
		plugins_free(w.plugins);
		w.plugins = NULL;
		keys_world_renew(&w);
		check_ask(&w, "the agent was restarted", folder, token, 0, "");
		snprintf(command, sizeof(command), "rm -rf %s", w.dir);
		CU_ASSERT_EQUAL(system(command), 0);
		keys_world_renew(&w);
		check_ask(&w, "the node was restarted", folder, token, 0, "");
	}
	keys_world_end(&w);
}

static void check_start(struct keys_world *w, const char *row, const char *want)
{
	struct fake_answer a;
	const char *got = keys_world_start(w, "key-0", &a);

	CHECK_ROW(row, *want ? strstr(got, want) != NULL : !*got, "got '%s', want '%s'", got, want);
}

static const char *file_of(const char *folder, char text[64])
{
	char path[200];
	FILE *f;
	size_t n = 0;

	snprintf(path, sizeof(path), "%s/files/db.pem", folder);
	f = fopen(path, "re");
	if (f) {
		n = fread(text, 1, 63, f);
		fclose(f);
	}
	text[n] = '\0';
	return text;
}

static void test_promised_files(void)
{
	struct keys_world w = {0};
	_cleanup_free_ char *token = keys_world_token("pod-1", KEYS_WORLD_UID);
	_cleanup_free_ char *stale = keys_world_token("pod-1", "0");
	char folder[128], text[64];

	if (keys_world_begin(&w)) {
		check_start(&w, "nothing allocated", "nothing was allocated");
		keys_world_allocate(&w, "key-0", folder);
		check_start(&w, "nothing promised", "");
		CU_ASSERT_EQUAL(w.ended, 0);
		atomic_store(&w.annotation, FILES);
		check_start(&w, "no token there", "casemate-token");
		keys_world_project(&w, stale);
		check_start(&w, "a token of an earlier pod of that name", "TokenInvalid");
		keys_world_project(&w, token);
		check_start(&w, "promised", "");
		CHECK_STR("the file", span_str(file_of(folder, text)), "s3cret");
		CU_ASSERT(atomic_load(&w.bound));
		atomic_store(&w.refusal, REFUSAL);
		atomic_store(&w.status, 403);
		check_start(&w, "refused",
			"file db.pem (key profile/key): WorkloadNotAllowed: the command differs");
		CHECK_STR("the earlier start's file", span_str(file_of(folder, text)), "s3cret");
		atomic_store(&w.annotation, "{\\\"../x\\\":\\\"profile/key\\\"}");
		check_start(&w, "a file outside", "AnnotationInvalid");
		atomic_store(&w.annotation, NULL);
		check_start(&w, "not promised any more", "");
		CHECK_STR("no file", span_str(file_of(folder, text)), "");
	}
	keys_world_end(&w);
}

static bool is_alive(void *ctx, const char *uid)
{
	return strcmp(uid, ctx) == 0;
}

static void test_pods_that_end(void)
{
	struct keys_world w = {0};
	_cleanup_free_ char *token = keys_world_token("pod-1", KEYS_WORLD_UID);
	char folder[128], idle[128];
	char alive[] = KEYS_WORLD_UID, gone[] = "0";
	struct stat st;

	if (keys_world_begin(&w)) {
		keys_world_allocate(&w, "key-0", folder);
		keys_world_allocate(&w, "key-1", idle);
		check_ask(&w, "asks", folder, token, 0, "");
		keys_tidy(w.keys, is_alive, alive);
		CU_ASSERT_EQUAL(stat(folder, &st), 0);
		/* Whose it was is known after a restart as well. */
		plugins_free(w.plugins);
		w.plugins = NULL;
		keys_world_renew(&w);
		keys_tidy(w.keys, is_alive, gone);
		CU_ASSERT(stat(folder, &st) < 0);
		CU_ASSERT_EQUAL(stat(idle, &st), 0);
		CU_ASSERT_EQUAL(keys_view(w.keys).folders, 1);
	}
	keys_world_end(&w);
}

static void send_bytes(int fd, const void *p, size_t n)
{
	CU_ASSERT_EQUAL(send(fd, p, n, MSG_NOSIGNAL), (ssize_t)n);
}

static void test_hostile_peers(void)
{
	struct keys_world w = {.timeout_usec = 300 * 1000};
	_cleanup_free_ char *token = keys_world_token("pod-1", KEYS_WORLD_UID);
	static const struct {
		const char *name;
		struct span bytes;
	} rows[] = {
		{"silence", SPAN_LIT("")},
		{"half a length", SPAN_LIT("\0\0")},
		{"no length", SPAN_LIT("\0\0\0\0")},
		{"a length without end", SPAN_LIT("\377\377\377\377")},
		{"half a request", SPAN_LIT("\0\0\0\20{\"version\"")},
		{"no JSON", SPAN_LIT("\0\0\0\3abc")},
		{"another protocol", SPAN_LIT("GET / HTTP/1.1\r\n\r\n")},
		{"no request", SPAN_LIT("\0\0\0\2{}")},
	};
	int fds[12];
	char folder[128];

	if (keys_world_begin(&w)) {
		keys_world_allocate(&w, "key-0", folder);
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			int fd = connect_to(folder);

			if (rows[i].bytes.len)
				send_bytes(fd, rows[i].bytes.p, rows[i].bytes.len);
			CHECK_ROW(rows[i].name, FAKE_UNTIL(w.kube.event, is_closed(fd)),
				"is kept open");
			close(fd);
		}
		/* More than are served at once, and none of them says anything. */
		for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
			fds[i] = connect_to(folder);
		check_ask(&w, "behind them", folder, token, 0, "");
		for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
			if (fds[i] >= 0)
				close(fds[i]);
		CU_ASSERT_EQUAL(keys_view(w.keys).waiting, 0);
	}
	keys_world_end(&w);
}

static void test_many_at_once(void)
{
	struct keys_world w = {0};
	_cleanup_free_ char *token = keys_world_token("pod-1", KEYS_WORLD_UID);
	struct asker askers[KEYS_WORLD_ASKERS] = {0};
	char folder[128];

	if (keys_world_begin(&w)) {
		keys_world_allocate(&w, "key-0", folder);
		for (size_t i = 0; i < KEYS_WORLD_ASKERS; i++)
			keys_world_ask(&w, &askers[i], folder, token);
		for (size_t i = 0; i < KEYS_WORLD_ASKERS; i++) {
			CU_ASSERT(FAKE_UNTIL(w.kube.event, atomic_load(&askers[i].done)));
			CHECK_ROW("asker", askers[i].r == 0, "%d %s", askers[i].r,
				askers[i].err.message);
		}
		for (size_t i = 0; i < KEYS_WORLD_ASKERS; i++) {
			keys_world_answered(&w, &askers[i]);
			secret_free(&askers[i].keys[0]);
		}
	}
	keys_world_end(&w);
}

/* Who asks over and over waits, and nobody else does. */
static void test_too_often(void)
{
	struct keys_world w = {0};
	_cleanup_free_ char *token = keys_world_token("pod-1", KEYS_WORLD_UID);
	struct asker askers[KEYS_WORLD_ASKERS] = {0};
	char often[128], other[128], renewed[128];
	int64_t begun;
	size_t n_done = 0;

	if (keys_world_begin(&w)) {
		keys_world_allocate(&w, "key-0", often);
		keys_world_allocate(&w, "key-1", other);
		begun = clock_monotonic_usec();
		for (int i = 0; i < KEYS_BURST + 1; i++)
			check_ask(&w, "over and over", often, token, 0, "");
		CU_ASSERT(clock_monotonic_usec() - begun >= (int64_t)USEC_PER_SEC / KEYS_RATE);
		for (size_t i = 0; i < KEYS_WORLD_ASKERS; i++)
			keys_world_ask(&w, &askers[i], often, token);
		CU_ASSERT(FAKE_UNTIL(w.kube.event, keys_view(w.keys).waiting == KEYS_CLIENTS_MAX));
		w.held_id = "key-1";
		check_ask(&w, "another container", other, token, 0, "");
		for (size_t i = 0; i < KEYS_WORLD_ASKERS; i++)
			n_done += atomic_load(&askers[i].done);
		CHECK_ROW("it came first", n_done < KEYS_WORLD_ASKERS, "%zu before it", n_done);
		keys_world_allocate(&w, "key-0", renewed);
		for (size_t i = 0; i < KEYS_WORLD_ASKERS; i++) {
			CU_ASSERT(keys_world_answered(&w, &askers[i]));
			secret_free(&askers[i].keys[0]);
		}
		w.held_id = "key-0";
		check_ask(&w, "who has the id next", renewed, token, 0, "");
	}
	keys_world_end(&w);
}

const CU_TestInfo key_sockets_tests[] = {
	{"a key for its container, and for nobody else", test_a_key_for_its_container},
	{"an id given back", test_an_id_given_back},
	{"after a restart", test_after_a_restart},
	{"promised files", test_promised_files},
	{"pods that end", test_pods_that_end},
	{"hostile peers", test_hostile_peers},
	{"many at once", test_many_at_once},
	{"too often", test_too_often},
	CU_TEST_INFO_NULL,
};
