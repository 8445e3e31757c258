/* SPDX-License-Identifier: Apache-2.0
 *
 * How keys reach a container whose requests the agent ends (tee node, and the simulated one): what
 * the webhook writes into the pod, the agent makes on the node, and casemate-exec uses.
 *
 * A container that is to get keys requests one casemate.dev/keys. The kubelet's Allocate makes a
 * folder of its own on the node, DELIVERY_HOST_DIR/<32 hex digits>, which the container sees, read
 * only, at DELIVERY_DIR: the socket, casemate-exec, the promised files, and an empty folder on
 * which the kubelet mounts the pod's token (volume DELIVERY_VOLUME: a projected service account
 * token for DELIVERY_AUDIENCE, path DELIVERY_TOKEN_NAME, read only at DELIVERY_TOKEN_DIR in each
 * such container).
 *
 * Environment (deliver.env): the webhook sets the variable to "casemate://PROFILE/KEY" and puts
 * "DELIVERY_EXEC --" before the container's command.
 *
 * Files (deliver.file): a path right below DELIVERY_FILES_DIR (delivery_file_name()), and nothing
 * else. The webhook writes the pod annotation DELIVERY_FILES_PREFIX "CONTAINER" with a JSON object
 * from each file's name to its key: {"db.pem": "PROFILE/KEY"}. It only asks: the broker judges each
 * key as any other. The agent fetches and writes them before each start of the container; a refusal
 * is the container's start error.
 *
 * The socket: one request and one answer a connection, each a length (4 bytes, big endian) and as
 * many bytes of JSON. After an answer's JSON come the keys' bytes, in the order asked for, so that
 * nothing that parses JSON ever holds a key.
 *	{"version": 1, "token": TOKEN, "keys": ["PROFILE/KEY", …]}
 *	{"status": "ok", "lengths": [32, …]}, or
 *	{"status": "refused" | "again", "reason": REASON, "message": TEXT, "key": "PROFILE/KEY"}
 * key is "" where the answer is about all of them. again: nothing was judged (the broker cannot be
 * asked now), and asking later may help. */
#pragma once

#include <stdbool.h>

#include "common/base/span.h"

/* In the container. */
#define DELIVERY_DIR         "/run/casemate"
#define DELIVERY_SOCKET_NAME "key.sock"
#define DELIVERY_SOCKET      DELIVERY_DIR "/" DELIVERY_SOCKET_NAME
#define DELIVERY_EXEC_NAME   "casemate-exec"
#define DELIVERY_EXEC        DELIVERY_DIR "/" DELIVERY_EXEC_NAME
#define DELIVERY_FILES_NAME  "files"
#define DELIVERY_FILES_DIR   DELIVERY_DIR "/" DELIVERY_FILES_NAME
#define DELIVERY_TOKEN_NAME  "token"
#define DELIVERY_TOKEN_DIR   DELIVERY_DIR "/token"
#define DELIVERY_TOKEN       DELIVERY_TOKEN_DIR "/" DELIVERY_TOKEN_NAME

/* On the node, on a tmpfs. */
#define DELIVERY_HOST_DIR "/run/casemate/keys"

/* In the pod. */
#define DELIVERY_VOLUME       "casemate-token"
#define DELIVERY_AUDIENCE     "casemate.dev"
#define DELIVERY_URL          "casemate://" /* and PROFILE/KEY: an environment variable's value */
#define DELIVERY_FILES_PREFIX "casemate.dev/files." /* and the container: a pod annotation */

enum {
	DELIVERY_VERSION = 1,
	DELIVERY_TOKEN_SEC = 600,        /* expirationSeconds of the projected token */
	DELIVERY_TOKEN_MAX = 16 << 10,   /* bytes of a token */
	DELIVERY_REQUEST_MAX = 48 << 10, /* of a request's JSON */
	DELIVERY_HEAD_MAX = 4 << 10,     /* of an answer's */
	DELIVERY_KEYS_MAX = 32,          /* asked for at once, and files of one container */
	DELIVERY_KEY_MAX = 32 << 10,     /* bytes of one key */
	DELIVERY_NAME_MAX = 317,         /* bytes of "PROFILE/KEY" */
	DELIVERY_FILE_MAX = 128,         /* bytes of a promised file's name */
};

/* Is path one at which a key can be promised: DELIVERY_FILES_DIR, a slash, and a name of at most
 * DELIVERY_FILE_MAX letters, digits, '.', '-' and '_' that begins with a letter or digit? ret_name
 * (NULL allowed) is the name, part of path. */
bool delivery_file_path(struct span path, struct span *ret_name);
/* The same of the name alone. */
bool delivery_file_name(struct span name);
/* Is name of the shape "PROFILE/KEY": two parts of letters, digits, '.', '-' and '_', of
 * at most 253 and 63 bytes? Whether there is such a key only the broker knows. */
bool delivery_key_name(struct span name);
