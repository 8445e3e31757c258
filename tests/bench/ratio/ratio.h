/* SPDX-License-Identifier: Apache-2.0
 *
 * What work costs beside one signature verification of OpenSSL in the same run: CPU time of the
 * calling thread, medians of rounds taken in turn. Whatever goes wrong ends the program with a
 * message. */
#pragma once

#include <stddef.h>

#include "common/base/buf.h"

struct ratio_kind {
	const char *name;
	/* i: which of the batch's runs. */
	void (*run)(void *ctx, int i);
	double bound; /* times the reference */
};

struct ratio {
	const char *program; /* "verify", for messages */
	const char *curve;   /* of the reference: "P-256", "P-384" */
	const struct ratio_kind *kinds;
	size_t n_kinds;
	size_t rounds;              /* unless the first argument says otherwise */
	int batch;                  /* runs of each kind in a round */
	void (*prepare)(void *ctx); /* before each round, not measured; NULL: nothing */
	void *ctx;
};

/* Measures and prints. Returns the exit code: 1 when a bound was missed. */
int ratio_main(const struct ratio *r, int argc, char **argv);

__attribute__((noreturn)) void ratio_fail(const char *program, const char *what);
/* The file's content; buf_free() it. */
void ratio_read_file(struct buf *ret, const char *program, const char *path);
