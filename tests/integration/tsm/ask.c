/* SPDX-License-Identifier: Apache-2.0
 *
 * ask ROOT BYTE [N]: asks configfs-tsm at ROOT for a report whose report data is 64 times BYTE, N
 * times from threads of their own; prints what came of each as one line. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "nodeagent/evidence/tsm.h"

enum { THREADS_MAX = 16 };

static const char *root;
static unsigned char report_data[64];
static pthread_mutex_t print = PTHREAD_MUTEX_INITIALIZER;

static void *ask(void *unused)
{
	_cleanup_buf_ struct buf out = BUF_INIT(1 << 20), aux = BUF_INIT(1 << 20);
	char provider[TSM_PROVIDER_MAX] = "untouched";
	struct error err = {0};
	int r = tsm_report(root, report_data, &out, &aux, provider, &err);

	pthread_mutex_lock(&print);
	printf("%s\t%s\t%zu\t%zu\t%s\n", r ? strerror(-r) : "ok", provider, out.len, aux.len,
		err.message);
	pthread_mutex_unlock(&print);
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS_MAX];
	int n = argc > 3 ? atoi(argv[3]) : 1;

	if (argc < 3 || n < 1 || n > THREADS_MAX)
		return 2;
	root = argv[1];
	memset(report_data, atoi(argv[2]), sizeof(report_data));
	for (int i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, ask, NULL) != 0)
			return 1;
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
