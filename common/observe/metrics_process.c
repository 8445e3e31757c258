/* SPDX-License-Identifier: Apache-2.0
 *
 * process_* as Prometheus' client libraries name them (proc(5): /proc/self/stat, /proc/stat) and
 * casemate_build_info. What /proc does not tell is left out. */
#include "common/observe/metrics_process.h"

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/observe/metrics.h"

struct metrics_process {
	struct metric *cpu, *resident, *virtual, *open_fds, *max_fds, *start_time;
	double boot; /* Unix seconds; 0 when unknown */
};

/* Line "btime SECONDS" of /proc/stat. */
static double boot_time(void)
{
	FILE *f = fopen("/proc/stat", "re");
	char line[512];
	unsigned long long t = 0;

	while (f && t == 0 && fgets(line, sizeof(line), f))
		if (sscanf(line, "btime %llu", &t) != 1)
			t = 0;
	if (f)
		fclose(f);
	return (double)t;
}

int metrics_process_new(struct metrics_process **ret_p, struct metrics *m, const char *version)
{
	static const char *const build_labels[] = {"version", "compiler", NULL};
	struct metrics_process *p = calloc(1, sizeof(*p));
	struct metric *build;

	if (!p)
		return -ENOMEM;
	p->boot = boot_time();
	p->cpu = metrics_counter(m, "process_cpu_seconds_total",
		"User and system CPU time spent.", NULL);
	p->resident = metrics_gauge(m, "process_resident_memory_bytes",
		"Resident memory size.", NULL);
	p->virtual = metrics_gauge(m, "process_virtual_memory_bytes",
		"Virtual memory size.", NULL);
	p->open_fds = metrics_gauge(m, "process_open_fds", "Open file descriptors.", NULL);
	p->max_fds = metrics_gauge(m, "process_max_fds", "Most file descriptors allowed.", NULL);
	p->start_time = metrics_gauge(m, "process_start_time_seconds",
		"Start of the process since the Unix epoch.", NULL);
	build = metrics_info(m, "casemate_build_info", "What this program was built from.",
		build_labels);
	if (!p->cpu || !p->resident || !p->virtual || !p->open_fds || !p->max_fds ||
		!p->start_time || !build) {
		free(p);
		return -ENOMEM;
	}
	metric_set(build, 1, METRIC_VALUES(version, __VERSION__));
	*ret_p = p;
	return 0;
}

static void collect_stat(struct metrics_process *p)
{
	unsigned long long utime, stime, start, vsize, rss;
	double tick = (double)sysconf(_SC_CLK_TCK);
	FILE *f = fopen("/proc/self/stat", "re");
	char line[1024];
	const char *end;
	bool read;

	if (!f)
		return;
	read = fgets(line, sizeof(line), f);
	fclose(f);
	/* The name in parentheses may hold anything; fields count from behind its last one. */
	end = read ? strrchr(line, ')') : NULL;
	if (!end || sscanf(end + 1,
			    " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d "
			    "%*d %*d %llu %llu %llu",
			    &utime, &stime, &start, &vsize, &rss) != 5)
		return;
	metric_set(p->cpu, (double)(utime + stime) / tick, NULL);
	metric_set(p->virtual, (double)vsize, NULL);
	metric_set(p->resident, (double)rss * (double)sysconf(_SC_PAGESIZE), NULL);
	if (p->boot > 0)
		metric_set(p->start_time, p->boot + (double)start / tick, NULL);
}

static void collect_fds(struct metrics_process *p)
{
	struct rlimit limit;
	DIR *d = opendir("/proc/self/fd");
	double n = -3; /* ".", ".." and the folder itself */

	if (d) {
		/* cppcheck-suppress readdirCalled ; the stream is nobody else's */
		while (readdir(d))
			n++;
		closedir(d);
		metric_set(p->open_fds, n, NULL);
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		metric_set(p->max_fds, (double)limit.rlim_cur, NULL);
}

void metrics_process_collect(struct metrics_process *p)
{
	if (!p)
		return;
	collect_stat(p);
	collect_fds(p);
}

void metrics_process_free(struct metrics_process *p)
{
	free(p);
}
