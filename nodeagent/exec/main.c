/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-exec: puts keys in the place of their names in the environment, and becomes the program
 * that it is given. Static, so that it runs in any image. Keys are in no argument, file or message;
 * in the program's own environment, where it asked for them. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#include "common/base/clock.h"
#include "common/base/secret.h"
#include "common/kbs/key_id.h"
#include "nodeagent/exec/guest.h"
#include "nodeagent/exec/resolve.h"

#define TIMEOUT_NAME   "CASEMATE_EXEC_TIMEOUT"
#define NAMESPACE_NAME "CASEMATE_NAMESPACE"

enum {
	EXIT_REFUSED = 1,
	EXIT_USAGE = 2,
	EXIT_NOT_EXECUTABLE = 126, /* the last two as shells have them */
	EXIT_NOT_FOUND = 127,
	TIMEOUT_SEC = 60,
};

static const char help[] =
	"Usage: casemate-exec -- COMMAND [ARGUMENT...]\n"
	"\n"
	"Asks Casemate's agent on this node for the keys that environment variables name, by\n"
	"values like " DELIVERY_URL "PROFILE/KEY, puts the keys in their place, and becomes\n"
	"COMMAND, which is searched in PATH. Without such variables it just becomes COMMAND.\n"
	"\n"
	"The socket is " DELIVERY_SOCKET ", the pod's token " DELIVERY_TOKEN ":\n"
	"Casemate's webhook puts both into containers that are promised keys.\n"
	"\n"
	"Where there is no " DELIVERY_DIR ", it asks the guest components of Confidential\n"
	"Containers on 127.0.0.1:8006, as in Kata's confidential VMs. There values may also "
	"be\n" KEY_ID_KBS "NAMESPACE/PROFILE/KEY; the others are keys of " NAMESPACE_NAME ".\n"
	"\n"
	"Environment:\n"
	"  " NAMESPACE_NAME "     namespace of the pod, in a confidential VM\n"
	"  " TIMEOUT_NAME "  how long to ask again while agent or broker cannot answer\n"
	"                         (60s; 0s: once)\n"
	"\n"
	"Exit code: COMMAND's own; 1 a key was refused or cannot be had, and the message names\n"
	"variable, key, reason and what to do; 2 wrong usage; 126 COMMAND cannot be executed;\n"
	"127 there is no such COMMAND.\n";

static void say(const struct error *err)
{
	fprintf(stderr, "casemate-exec: %s\n", err->message);
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
	const char *text = getenv(TIMEOUT_NAME);

	*ret_usec = TIMEOUT_SEC * (int64_t)USEC_PER_SEC;
	if (!text || !*text)
		return 0;
	if (clock_parse_duration(span_str(text), ret_usec) < 0 || *ret_usec < 0 ||
		*ret_usec > 24 * 3600 * (int64_t)USEC_PER_SEC)
		return error_set(err, -EINVAL,
			TIMEOUT_NAME ": must be a duration of at most a day, as 60s or 2m");
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

int main(int argc, char **argv)
{
	struct exec_resolve_options o = {.dir = DELIVERY_DIR,
		.socket = DELIVERY_SOCKET,
		.token = DELIVERY_TOKEN,
		.guest_port = EXEC_GUEST_PORT,
		.namespace_ = getenv(NAMESPACE_NAME),
		.waits = say};
	_cleanup_exec_environment_ struct exec_environment e = {0};
	struct error err = {0};
	int r;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(help, stdout);
		return 0;
	}
	if (argc < 3 || strcmp(argv[1], "--") != 0) {
		fputs("casemate-exec: needs -- and a command; see casemate-exec --help\n", stderr);
		return EXIT_USAGE;
	}
	end_on_signals();
	/* Others of the container cannot look at the keys while they are here; execve() makes the
	 * program what it would have been. */
	prctl(PR_SET_DUMPABLE, 0);
	(void)secret_lock(); /* how much a container may lock is not ours to say */
	r = read_timeout(&o.timeout_usec, &err);
	if (r == 0)
		r = exec_resolve(&e, environ, &o, &err);
	if (r < 0) {
		say(&err);
		return r == -EINVAL ? EXIT_USAGE : EXIT_REFUSED;
	}
	return become(argv + 2);
}
