/* SPDX-License-Identifier: Apache-2.0
 *
 * Where key-encryption keys are kept outside of Casemate, as settings say: Vault's transit engine,
 * or a PKCS#11 token. Plain data. */
#pragma once

#include <stddef.h>

#include "common/base/settings.h"

enum kek_kind {
	KEK_AUTO, /* the one that there is */
	KEK_FILE,
	KEK_SECRET, /* insecure, for development */
	KEK_VAULT,
	KEK_PKCS11,
	KEK_KINDS,
};
extern const char *const kek_kind_names[]; /* by kind; NULL behind the last */

struct kek_settings {
	int use;            /* enum kek_kind: what wraps; the others only open */
	int64_t cache_usec; /* how long an opened KEK is used before it must be opened again */
	struct {
		const char *address;       /* https://…; "": no Vault */
		const char *mount, *key;   /* of the transit engine */
		const char *ca_file;       /* PEM */
		const char *token_file;    /* or */
		const char *role;          /* of its Kubernetes auth method, */
		const char *auth_mount;    /* which is there, */
		const char *account_token; /* for the token in this file */
	} vault;
	struct {
		const char *module;      /* "": no token */
		const char *token, *key; /* labels */
		const char *pin_file;
	} pkcs11;
};

/* The settings PREFIX.use, …, of a struct kek_settings at that offset. */
#define KEK_SETTINGS(prefix, at)                                                                   \
	{.name = prefix ".use",                                                                    \
		.type = SETTING_ENUM,                                                              \
		.offset = (at) + offsetof(struct kek_settings, use),                               \
		.choices = kek_kind_names,                                                         \
		.def = "auto",                                                                     \
		.meta = "KIND",                                                                    \
		.help = "which of several wraps; the others only open"},                           \
		{.name = prefix ".cacheFor",                                                       \
			.type = SETTING_DURATION,                                                  \
			.offset = (at) + offsetof(struct kek_settings, cache_usec),                \
			.def = "1h",                                                               \
			.min = 1000000,                                                            \
			.max = 86400LL * 7 * 1000000,                                              \
			.help = "how long what Vault or the token opened is used while neither "   \
				"answers"},                                                        \
		{.name = prefix ".vault.address",                                                  \
			.type = SETTING_STRING,                                                    \
			.offset = (at) + offsetof(struct kek_settings, vault.address),             \
			.meta = "URL",                                                             \
			.help = "a Vault or OpenBao whose transit engine wraps the "               \
				"key-encryption key"},                                             \
		{.name = prefix ".vault.mount",                                                    \
			.type = SETTING_STRING,                                                    \
			.offset = (at) + offsetof(struct kek_settings, vault.mount),               \
			.def = "transit",                                                          \
			.meta = "PATH",                                                            \
			.help = "where that engine is mounted"},                                   \
		{.name = prefix ".vault.key",                                                      \
			.type = SETTING_STRING,                                                    \
			.offset = (at) + offsetof(struct kek_settings, vault.key),                 \
			.meta = "NAME",                                                            \
			.help = "the key in it"},                                                  \
		{.name = prefix ".vault.caFile",                                                   \
			.type = SETTING_STRING,                                                    \
			.offset = (at) + offsetof(struct kek_settings, vault.ca_file),             \
			.meta = "FILE",                                                            \
			.help = "PEM of who vouches for it"},                                      \
		{.name = prefix ".vault.tokenFile",                                                \
			.type = SETTING_STRING,                                                    \
			.offset = (at) + offsetof(struct kek_settings, vault.token_file),          \
			.meta = "FILE",                                                            \
			.help = "a token of it, read at each use"},                                \
		{.name = prefix ".vault.role",                                                     \
			.type = SETTING_STRING,                                                    \
			.offset = (at) + offsetof(struct kek_settings, vault.role),                \
			.meta = "NAME",                                                            \
			.help = "or the role to log in with, by its Kubernetes auth method"},      \
		{.name = prefix ".vault.authMount",                                                \
			.type = SETTING_STRING,                                                    \
			.offset = (at) + offsetof(struct kek_settings, vault.auth_mount),          \
			.def = "kubernetes",                                                       \
			.meta = "PATH",                                                            \
			.help = "where that method is mounted"},                                   \
		{.name = prefix ".vault.serviceAccountToken",                                      \
			.type = SETTING_STRING,                                                    \
			.offset = (at) + offsetof(struct kek_settings, vault.account_token),       \
			.def = "/var/run/secrets/kubernetes.io/serviceaccount/token",              \
			.meta = "FILE",                                                            \
			.help = "the token to log in with"},                                       \
		{.name = prefix ".pkcs11.module",                                                  \
			.type = SETTING_STRING,                                                    \
			.offset = (at) + offsetof(struct kek_settings, pkcs11.module),             \
			.meta = "FILE",                                                            \
			.help = "a PKCS#11 module whose token wraps the key-encryption key"},      \
		{.name = prefix ".pkcs11.token",                                                   \
			.type = SETTING_STRING,                                                    \
			.offset = (at) + offsetof(struct kek_settings, pkcs11.token),              \
			.meta = "LABEL",                                                           \
			.help = "the token"},                                                      \
		{.name = prefix ".pkcs11.key",                                                     \
			.type = SETTING_STRING,                                                    \
			.offset = (at) + offsetof(struct kek_settings, pkcs11.key),                \
			.meta = "LABEL",                                                           \
			.help = "the AES or RSA key in it"},                                       \
	{                                                                                          \
		.name = prefix ".pkcs11.pinFile", .type = SETTING_STRING,                          \
		.offset = (at) + offsetof(struct kek_settings, pkcs11.pin_file), .meta = "FILE",   \
		.help = "the user's PIN"                                                           \
	}

/* Checks them against each other and against the two other places, and says in use what wraps.
 * prefix: as above; file: what the setting of a file is called. -EINVAL with what to change. */
int kek_settings_finish(struct kek_settings *s, bool in_file, bool in_secret, const char *prefix,
	const char *file, struct error *err);
bool kek_settings_same(const struct kek_settings *a, const struct kek_settings *b);
