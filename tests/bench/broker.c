/* SPDX-License-Identifier: Apache-2.0
 *
 * broker [RELEASES]: what a release of a key costs the broker (challenge, attestation with an SGX
 * quote, resource, over TLS connections that are kept), beside the least that it can cost, measured
 * in the same run: its cryptography alone, and the same requests answered by the barest server of
 * the same libraries (bare_server) that does that cryptography. The bound is what the server must
 * do beyond that; the kernel's part of an answer depends on what else is done between answers, so
 * that the same server without the cryptography tells little. 500 sessions at once; memory over all
 * of it. Nothing is asked of an API server, and the audit log is on a file system that has nothing
 * to make durable. CPU time of the broker's process (user and system), medians of rounds taken in
 * turn. Fails beyond the bounds. Run from the top of the tree.
 *
 * The broker is `serve` itself in a process of its own, which believes that it is the time at which
 * the synthetic platform's collateral is good (clock_unix_usec() is wrapped). */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/credential.h"
#include "common/base/secret.h"
#include "tests/bench/release/client.h"
#include "tests/bench/release/reference.h"
#include "tests/tee/intel_world.h"
#include "webhook/commands.h"

enum {
	RELEASES = 100000,
	ROUND = 500, /* releases */
	CLIENTS = 8,
	SESSIONS = 500, /* at once */
	WARM_ROUNDS = 4,
	PATH_BYTES = 256,
	RSS_GROWTH_KB = 12 * 1024, /* nonces are remembered, up to 65536 of them */
	RSS_MAX_KB = 72 * 1024,
};

#define BOUND 1.5

/* --- the time --- */

int64_t __real_clock_unix_usec(void);
int64_t __wrap_clock_unix_usec(void);
static int64_t clock_offset_usec;

int64_t __wrap_clock_unix_usec(void)
{
	return __real_clock_unix_usec() + clock_offset_usec;
}

static void end_world(void);

/* On any thread: what exit() tears down others still use. */
void bench_fail(const char *what)
{
	fprintf(stderr, "broker: %s\n", what);
	end_world();
	_exit(1);
}

/* --- the world: a folder in memory --- */

struct world {
	char dir[64];
	char url[64], bare_url[64];
	uint16_t port, bare_port, health, metrics;
	struct tee_intel intel;
	struct buf quote;
	pid_t pid, bare_pid;
};

static char *in_dir(const struct world *w, const char *name, char path[PATH_BYTES])
{
	snprintf(path, PATH_BYTES, "%s/%s", w->dir, name);
	return path;
}

static void write_file(const struct world *w, const char *name, struct span text)
{
	char path[PATH_BYTES];
	int fd = open(in_dir(w, name, path), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text.p, text.len) != (ssize_t)text.len || close(fd) < 0)
		bench_fail(path);
}

static uint16_t free_port(void)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t n = sizeof(a);

	if (fd < 0 || bind(fd, (struct sockaddr *)&a, n) < 0 ||
		getsockname(fd, (struct sockaddr *)&a, &n) < 0)
		bench_fail("no port");
	close(fd);
	return ntohs(a.sin_port);
}

static void write_certificate(const struct world *w)
{
	_cleanup_credential_ struct credential c = {0};
	_cleanup_secret_ struct secret cert = {0}, key = {0};

	if (credential_self_signed(&c, "localhost", clock_unix_usec() / (int64_t)USEC_PER_SEC,
		    TEE_DAY, NULL) < 0 ||
		credential_write_cert(&cert, c.cert, NULL) < 0 ||
		credential_write_key(&key, c.key, NULL) < 0)
		bench_fail("no certificate");
	write_file(w, "tls.crt", secret_view(&cert));
	write_file(w, "tls.key", secret_view(&key));
}

static void write_profiles(const struct world *w)
{
	enum { MRENCLAVE = 64 };
	_cleanup_buf_ struct buf b = BUF_INIT(1 << 20);

	for (int i = 0; i < CLIENT_NAMESPACES; i++) {
		buf_printf(&b,
			"---\napiVersion: casemate.dev/v1alpha1\nkind: EnclaveProfile\n"
			"metadata: {name: p, namespace: ns-%d}\nspec:\n  tee: sgx\n"
			"  identities:\n  - name: release\n    sgx: {mrenclave: \"",
			i);
		for (int k = 0; k < 32; k++)
			buf_printf(&b, "%02x", w->intel.quote.body[MRENCLAVE + k]);
		buf_puts(&b, "\"}\n  keys:\n  - {name: key, type: symmetric, size: 32, "
			     "grant: {evidenceOnly: true}}\n");
	}
	write_file(w, "profiles/all.yaml", buf_view(&b));
}

static void write_evidence(struct world *w)
{
	_cleanup_buf_ struct buf collateral = BUF_INIT(TEE_JSON_MAX), root = BUF_INIT(TEE_PEM_MAX);
	_cleanup_buf_ struct buf config = BUF_INIT(TEE_JSON_MAX);

	tee_intel_sgx(&w->intel);
	w->quote = BUF_INIT(TEE_QUOTE_MAX);
	tee_intel_quote(&w->intel, &w->quote);
	tee_intel_collateral(&w->intel, &collateral);
	tee_intel_root(&w->intel, &root);
	buf_puts(&config, "{\"broker\":{\"policy\":{\"trustedRoots\":[");
	buf_json_string(&config, buf_view(&root));
	buf_puts(&config, "]}}}");
	write_file(w, "collateral.json", buf_view(&collateral));
	write_file(w, "config.yaml", buf_view(&config));
}

static void make_world(struct world *w)
{
	char path[PATH_BYTES];

	strcpy(w->dir, "/dev/shm/casemate-bench-XXXXXX");
	if (!mkdtemp(w->dir))
		bench_fail("no folder in /dev/shm");
	if (mkdir(in_dir(w, "profiles", path), 0700) < 0)
		bench_fail(path);
	write_evidence(w);
	write_profiles(w);
	write_certificate(w);
	write_file(w, "kek", SPAN_LIT("0123456789abcdef0123456789abcdef"));
	w->port = free_port();
	w->bare_port = free_port();
	snprintf(w->bare_url, sizeof(w->bare_url), "https://127.0.0.1:%u", w->bare_port);
	w->health = free_port();
	w->metrics = free_port();
	snprintf(w->url, sizeof(w->url), "https://127.0.0.1:%u", w->port);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static struct world world;

static void end_process(pid_t *pid)
{
	if (*pid <= 0)
		return;
	kill(*pid, SIGKILL);
	waitpid(*pid, NULL, 0);
	*pid = 0;
}

static void end_world(void)
{
	end_process(&world.pid);
	end_process(&world.bare_pid);
	if (world.dir[0])
		nftw(world.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	world.dir[0] = '\0';
}

/* --- the broker --- */

_Noreturn static void run_broker(const struct world *w)
{
	static const char *const options[] = {"--roles=broker", "--standalone",
		"--config=%s/config.yaml", "--profiles=%s/profiles", "--broker-keys=%s/keys",
		"--broker-kek-file=%s/kek", "--broker-tls-cert=%s/tls.crt",
		"--broker-tls-key=%s/tls.key", "--broker-collateral=%s/collateral.json",
		"--broker-audit-file=%s/audit", "--broker-audit-keep=1", "--broker-max-rate=100000",
		"--logging-verbosity=0", "--limits-max-in-flight=512",
		"--limits-request-timeout=120s"};
	char text[ARRAY_SIZE(options) + 3][PATH_BYTES], *argv[ARRAY_SIZE(options) + 4] = {0};
	int argc = 0;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	for (; argc < (int)ARRAY_SIZE(options); argc++)
		snprintf(text[argc], PATH_BYTES, options[argc], w->dir);
#pragma GCC diagnostic pop
	snprintf(text[argc++], PATH_BYTES, "--broker-listen=127.0.0.1:%u", w->port);
	snprintf(text[argc++], PATH_BYTES, "--health-listen=127.0.0.1:%u", w->health);
	snprintf(text[argc++], PATH_BYTES, "--metrics-listen=127.0.0.1:%u", w->metrics);
	for (int i = 0; i < argc; i++)
		argv[i] = text[i];
	signal(SIGPIPE, SIG_IGN);
	_exit(command_serve(argc, argv));
}

/* It is beside this program. */
static void run_bare_server(const struct world *w, const char *self)
{
	char path[PATH_BYTES], port[8], cert[PATH_BYTES], key[PATH_BYTES];
	const char *slash = strrchr(self, '/');

	snprintf(path, sizeof(path), "%.*s/bare_server", slash ? (int)(slash - self) : 1,
		slash ? self : ".");
	snprintf(port, sizeof(port), "%u", w->bare_port);
	execl(path, path, port, in_dir(w, "tls.crt", cert), in_dir(w, "tls.key", key), "release",
		(char *)NULL);
	bench_fail(path);
}

static double cpu_usec(pid_t pid)
{
	struct timespec t;
	clockid_t id;

	if (clock_getcpuclockid(pid, &id) != 0 || clock_gettime(id, &t) < 0)
		bench_fail("a server has ended");
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static long broker_rss_kb(void)
{
	char path[64], line[256];
	long kb = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)world.pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, "VmRSS:", 6) == 0)
			kb = strtol(line + 6, NULL, 10);
	if (f)
		fclose(f);
	return kb;
}

/* --- rounds --- */

static atomic_long left; /* releases of this round */
static struct client *clients[CLIENTS], *bare_clients[CLIENTS];

static void *run_client(void *ctx)
{
	struct client *c = ctx;
	char nonce[RCAR_NONCE_TEXT];

	while (atomic_fetch_sub(&left, 1) > 0) {
		client_challenge(c, nonce);
		client_attest(c, nonce);
		client_resource(c);
	}
	return NULL;
}

/* The same requests, whatever the answers are. */
static void *run_bare_client(void *ctx)
{
	struct client *c = ctx;

	while (atomic_fetch_sub(&left, 1) > 0) {
		client_expect(c, "bare", client_ask(c, RCAR_PATH_AUTH, buf_view(&c->jwk_text)));
		client_expect(c, "bare", client_ask(c, RCAR_PATH_ATTEST, buf_view(&c->attested)));
		client_expect(c, "bare", client_ask(c, RCAR_PATH_RESOURCE "ns-1/p/key", SPAN_NONE));
	}
	return NULL;
}

static void start(pthread_t *t, void *(*run)(void *ctx), void *ctx)
{
	pthread_attr_t a;

	pthread_attr_init(&a);
	pthread_attr_setstacksize(&a, 512 * 1024);
	if (pthread_create(t, &a, run, ctx) != 0)
		bench_fail("no thread");
	pthread_attr_destroy(&a);
}

/* A server's CPU for each of n releases. */
static double served_usec(pid_t pid, void *(*run)(void *ctx), long n)
{
	bool bare = pid == world.bare_pid;
	pthread_t threads[CLIENTS];
	double began = cpu_usec(pid);

	atomic_store(&left, n);
	for (int i = 0; i < CLIENTS; i++)
		start(&threads[i], run, bare ? bare_clients[i] : clients[i]);
	for (int i = 0; i < CLIENTS; i++)
		pthread_join(threads[i], NULL);
	return (cpu_usec(pid) - began) / (double)n;
}

static double release_usec(long n)
{
	return served_usec(world.pid, run_client, n);
}

static double barest_usec(long n)
{
	return served_usec(world.bare_pid, run_bare_client, n);
}

/* --- 500 at once --- */

static pthread_barrier_t together;

static void *run_session(void *ctx)
{
	struct client *c = client_new(world.url, buf_view(&world.quote), (unsigned)(uintptr_t)ctx);
	char nonce[RCAR_NONCE_TEXT];

	client_challenge(c, nonce);
	pthread_barrier_wait(&together);
	client_attest(c, nonce);
	pthread_barrier_wait(&together);
	client_resource(c);
	pthread_barrier_wait(&together);
	client_free(c);
	return NULL;
}

static void run_sessions(void)
{
	pthread_t threads[SESSIONS];

	pthread_barrier_init(&together, NULL, SESSIONS);
	for (int i = 0; i < SESSIONS; i++)
		start(&threads[i], run_session, (void *)(uintptr_t)i);
	for (int i = 0; i < SESSIONS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&together);
}

/* --- the run --- */

static void wait_ready(void)
{
	struct client *c = client_new(world.url, buf_view(&world.quote), 0);

	for (int i = 0; i < 600 && waitpid(world.pid, NULL, WNOHANG) == 0; i++) {
		char url[64];
		long status = 0;

		snprintf(url, sizeof(url), "http://127.0.0.1:%u/readyz", world.health);
		buf_reset(&c->body);
		curl_easy_setopt(c->curl, CURLOPT_URL, url);
		if (curl_easy_perform(c->curl) == CURLE_OK)
			curl_easy_getinfo(c->curl, CURLINFO_RESPONSE_CODE, &status);
		if (status == 200) {
			client_free(c);
			return;
		}
		nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
	}
	bench_fail("the broker does not become ready");
}

static int compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static double median(double *t, size_t n)
{
	qsort(t, n, sizeof(*t), compare);
	return t[n / 2];
}

static bool report_memory(const char *what, long kb, long bound_kb)
{
	bool ok = kb <= bound_kb;

	printf("%-44s %8ld KB (at most %ld) %s\n", what, kb, bound_kb, ok ? "ok" : "MISSED");
	return ok;
}

enum { CRYPTOGRAPHY, BAREST, RELEASE, KINDS };

static bool report_ratio(double *took[KINDS], size_t rounds)
{
	double crypto = median(took[CRYPTOGRAPHY], rounds);
	double barest = median(took[BAREST], rounds);
	double release = median(took[RELEASE], rounds);
	double ratio = release / barest;
	bool ok = ratio <= BOUND;

	printf("%-44s %8.1f us\n", "cryptography alone", crypto);
	printf("%-44s %8.1f us %6.2f of it\n", "the barest server that does it", barest,
		barest / crypto);
	printf("%-44s %8.1f us %6.2f of it; %.2f of that server (at most %.1f) %s\n", "a release",
		release, release / crypto, ratio, BOUND, ok ? "ok" : "MISSED");
	return ok;
}

static bool measure(size_t releases)
{
	size_t rounds = releases / ROUND;
	double *took[KINDS];
	long begun, peak, ended;
	bool ok;

	for (int k = 0; k < KINDS; k++) {
		took[k] = calloc(rounds, sizeof(double));
		if (!took[k])
			bench_fail("out of memory");
	}
	run_sessions();
	release_usec((long)WARM_ROUNDS * ROUND);
	begun = broker_rss_kb();
	for (size_t i = 0; i < rounds; i++) {
		took[CRYPTOGRAPHY][i] = reference_usec(ROUND);
		took[BAREST][i] = barest_usec(ROUND);
		took[RELEASE][i] = release_usec(ROUND);
	}
	ended = broker_rss_kb();
	run_sessions();
	peak = broker_rss_kb();
	ok = report_ratio(took, rounds);
	printf("%-44s %8d ok\n", "sessions at once, twice", SESSIONS);
	ok &= report_memory("resident, after 500 sessions at once", peak, RSS_MAX_KB);
	printf("%8zu releases: ", rounds * ROUND);
	ok &= report_memory("growth", ended - begun, RSS_GROWTH_KB);
	for (int k = 0; k < KINDS; k++)
		free(took[k]);
	return ok;
}

/* Each has made a release, whose requests it can send again. */
static void make_clients(void)
{
	for (unsigned i = 0; i < CLIENTS; i++) {
		char nonce[RCAR_NONCE_TEXT];

		clients[i] = client_new(world.url, buf_view(&world.quote), i);
		bare_clients[i] = client_new(world.url, buf_view(&world.quote), i);
		client_challenge(bare_clients[i], nonce);
		client_attest(bare_clients[i], nonce);
		bare_clients[i]->url = world.bare_url;
	}
}

int main(int argc, char **argv)
{
	size_t releases = argc > 1 ? strtoul(argv[1], NULL, 10) : RELEASES;
	bool ok;

	if (releases < ROUND)
		bench_fail("a number of releases from 500");
	clock_offset_usec = TEE_NOW * (int64_t)USEC_PER_SEC - __real_clock_unix_usec();
	setvbuf(stdout, NULL, _IOLBF, 0);
	make_world(&world);
	world.pid = fork();
	if (world.pid == 0)
		run_broker(&world);
	world.bare_pid = fork();
	if (world.bare_pid == 0)
		run_bare_server(&world, argv[0]);
	curl_global_init(CURL_GLOBAL_DEFAULT);
	wait_ready();
	make_clients();
	ok = measure(releases);
	for (unsigned i = 0; i < CLIENTS; i++) {
		client_free(clients[i]);
		client_free(bare_clients[i]);
	}
	buf_free(&world.quote);
	end_world();
	return ok ? 0 : 1;
}
