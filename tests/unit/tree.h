/* SPDX-License-Identifier: Apache-2.0
 *
 * Made-up trees of files in a temporary folder, by steps of one string each:
 *   "f /path text"      a file ("\n" at its end is the text's own)
 *   "x /path hex"       a file of bytes
 *   "c /path 0660"      a character device (as root; else unprivileged)
 *   "d /path"           a folder
 *   "l /path target"    a symbolic link
 *   "p /path"           a FIFO
 *   "s /path"           a Unix socket that listens
 *   "o /path"           a Unix socket that nobody listens on
 *   "k /path"           close the listening sockets, leave their files
 *   "m /path /other"    move
 *   "b /path /other"    a folder that is a mount of the folder /other (as root, as above); once
 *   "- /path"           remove what is there, with all below it
 * Folders on the way are made. */
#pragma once

#include <stdbool.h>

enum { TREE_SOCKETS_MAX = 8 };

struct tree {
	char root[64];
	bool unprivileged; /* a device or a mount was wanted and may not be made here */
	char mount[128];
	int sockets[TREE_SOCKETS_MAX];
	unsigned n_sockets;
};

bool tree_new(struct tree *t);
/* steps: NULL-terminated, or NULL. A failed step fails the test. */
void tree_steps(struct tree *t, const char *const *steps);
void tree_step(struct tree *t, const char *step);
void tree_free(struct tree *t);
/* The text of a file of the tree, in a buffer that the next call reuses; "" without it. */
const char *tree_text(const struct tree *t, const char *path);
