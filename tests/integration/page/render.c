/* SPDX-License-Identifier: Apache-2.0
 *
 * render NODE page|json|text: what is shown of a made-up node, for the browser test. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/status_fixture.h"

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
	if (r < 0) {
		fputs("Usage: render NODE page|json|text\n", stderr);
		return 2;
	}
	return fwrite(b.p, 1, b.len, stdout) == b.len ? 0 : 1;
}
