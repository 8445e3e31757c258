/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/exec/program.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "common/base/clock.h"
#include "common/base/secret.h"

enum {
	EXIT_REFUSED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_EXECUTABLE = 126, /* the last two as shells have them */
	EXIT_NOT_FOUND = 127,
	TIMEOUT_SEC = 60,
};

static void say(const struct error *err)
{
	fprintf(stderr, "%s: %s\n", program_invocation_short_name, err->message);
}

/* Process 1 of a container has no default for signals. A signal that was ignored stays so. */
static void on_signal(int number)
{
	_exit(128 + number);
}

static void end_on_signals(void)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct sigaction now;

		if (sigaction(signals[i], NULL, &now) == 0 && now.sa_handler == SIG_DFL)
			signal(signals[i], on_signal);
	}
}

static int read_timeout(int64_t *ret_usec, struct error *err)
{
	const char *text = getenv(EXEC_TIMEOUT_NAME);

	*ret_usec = TIMEOUT_SEC * (int64_t)USEC_PER_SEC;
	if (!text || !*text)
		return 0;
	if (clock_parse_duration(span_str(text), ret_usec) < 0 || *ret_usec < 0 ||
		*ret_usec > 24 * 3600 * (int64_t)USEC_PER_SEC)
		return error_set(err, -EINVAL,
			EXEC_TIMEOUT_NAME ": must be a duration of at most a day, as 60s or 2m");
	/* Once, with time for an answer. */
	if (*ret_usec < USEC_PER_SEC)
		*ret_usec = USEC_PER_SEC;
	return 0;
}

static int become(char **argv)
{
	struct error err = {0};
	int e;

	execvp(argv[0], argv);
	e = errno;
	error_set(&err, -e, "%s: %s%s", argv[0], strerror(e),
		e == ENOENT ? ": the command must name a program of the image (with its path, or "
			      "found in PATH)"
			    : "");
	say(&err);
	return e == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE;
}

int exec_program(
	const char *name, const char *help, struct exec_resolve_options *o, int argc, char **argv)
{
	_cleanup_exec_environment_ struct exec_environment e = {0};
	struct error err = {0};
	int r;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(help, stdout);
		return 0;
	}
	if (argc < 3 || strcmp(argv[1], "--") != 0) {
		fprintf(stderr, "%s: needs -- and a command; see %s --help\n", name, name);
		return EXIT_USAGE;
	}
	end_on_signals();
	/* Others of the container cannot look at the keys while they are here; execve() makes the
	 * program what it would have been. */
	prctl(PR_SET_DUMPABLE, 0);
	(void)secret_lock(); /* how much a container may lock is not ours to say */
	o->waits = say;
	r = read_timeout(&o->timeout_usec, &err);
	if (r == 0)
		r = exec_resolve(&e, environ, o, &err);
	if (r < 0) {
		say(&err);
		return r == -EINVAL ? EXIT_USAGE : EXIT_REFUSED;
	}
	return become(argv + 2);
}
