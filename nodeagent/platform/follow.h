/* SPDX-License-Identifier: Apache-2.0
 *
 * inotify on folders that come and go: each is watched itself while it exists, else its nearest
 * existing parent, for the folder's return. Private to the room platform. */
#pragma once

#include "nodeagent/platform/platform.h"
#include "nodeagent/platform/root.h"

enum { FOLLOW_MAX = 16 };

struct follow {
	const struct root *root;
	char path[PLATFORM_PATH_MAX];    /* the folder, absolute */
	bool (*cares)(struct span name); /* of what in it; NULL: of everything */
	uint32_t mask;                   /* inotify events of its entries */
	bool aesm;                       /* this is where AESM's socket lives */
	/* The follower's own: */
	size_t watched; /* so many characters of path exist; all: the folder itself */
	int wd;         /* the watch of these; -1: none */
	int up;         /* and of the folder above, which tells when it goes even while something
			 * (a socket bound in it) keeps its inode */
	bool dirty;     /* to be looked up again */
};

struct follows {
	int inotify;
	struct follow v[FOLLOW_MAX];
	size_t n;
	bool overflow; /* events were lost */
};

int follows_init(struct follows *f);
void follows_done(struct follows *f);
/* Copies what *one says and begins to watch; -ENAMETOOLONG, -ENOBUFS, or inotify's errors. */
int follows_add(struct follows *f, const struct follow *one);

/* What has happened since. */
struct follows_news {
	bool changed; /* something that somebody cares about */
	bool aesm;    /* where AESM's socket lives */
};
/* Reads what inotify has (a bounded amount: call it again while the descriptor is readable) and
 * watches anew what moved. */
void follows_read(struct follows *f, struct follows_news *ret_news);
