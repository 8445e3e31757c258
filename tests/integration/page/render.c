/* SPDX-License-Identifier: Apache-2.0
 *
 * render NODE page|json|text|metrics: what is shown of a made-up node, for tests of other programs
 * that read it. */
#include <stdio.h>
#include <string.h>

#include "nodeagent/status/agent_metrics.h"
#include "tests/unit/status_fixture.h"

static int render_metrics(const struct status *s, struct buf *b)
{
	_cleanup_(metrics_free_p) struct metrics *m = metrics_new();
	_cleanup_(agent_metrics_free_p) struct agent_metrics *a = m ? agent_metrics_new(m) : NULL;

	if (!a)
		return -ENOMEM;
	agent_metrics_set(a, s);
	return metrics_expose(m, METRICS_TEXT, b);
}

int main(int argc, char **argv)
{
	static struct status_fixture f;
	_cleanup_buf_ struct buf b = BUF_INIT(16 << 20);
	int r = -EINVAL;

	if (argc != 3 || !status_fixture(&f, argv[1]))
		r = -EINVAL;
	else if (strcmp(argv[2], "page") == 0)
		r = status_page(&f.status, &b);
	else if (strcmp(argv[2], "json") == 0)
		r = status_json(&f.status, &b);
	else if (strcmp(argv[2], "text") == 0)
		r = status_text(&f.status, &b);
	else if (strcmp(argv[2], "metrics") == 0)
		r = render_metrics(&f.status, &b);
	if (r < 0) {
		fputs("Usage: render NODE page|json|text|metrics\n", stderr);
		return 2;
	}
	return fwrite(b.p, 1, b.len, stdout) == b.len ? 0 : 1;
}
