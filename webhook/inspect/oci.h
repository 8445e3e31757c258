/* SPDX-License-Identifier: Apache-2.0
 *
 * What runs of an image: an OCI layout (OCI Image Specification 1.1: image-layout, index, manifest,
 * config). Pure; whoever calls reads the files. */
#pragma once

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/error.h"
#include "common/base/span.h"

enum { OCI_BLOB_MAX = 4 << 20 /* bytes of an index, manifest or config */ };

/* Gives the bytes of a blob; they live on. digest is "sha256:" and 64 lower-case digits, nothing
 * else; whether the bytes have it is checked afterwards. */
typedef int oci_blob(void *ctx, struct span digest, struct span *ret, struct error *err);

/* Appends {"workload": {"containers": [{…}]}} for the image of an index.json: the digests by which
 * it can be named (of all platforms of an index), and the command of the first. -EBADMSG: not as
 * the specification says, or a blob has another digest; -E2BIG; what blob() returns; -ENOMEM. */
int oci_write(struct buf *out, struct span index, oci_blob *blob, void *ctx, struct arena *a,
	struct error *err);
