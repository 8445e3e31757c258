/*
 * The pause container: holds a pod's namespaces open and, as its process 1 when
 * the pod shares one PID namespace, reaps what its containers leave behind.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void)
{
	sigset_t set;
	int sig;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return EXIT_FAILURE;

	/* Process 1 gets no default actions: the signals are taken one by one. */
	while (sigwait(&set, &sig) == 0) {
		if (sig != SIGCHLD)
			return EXIT_SUCCESS;
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	}
	return EXIT_FAILURE;
}
