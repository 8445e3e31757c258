/* SPDX-License-Identifier: Apache-2.0 */
#include "webhook/broker/kek_settings.h"

#include <errno.h>
#include <string.h>

#include "common/net/http.h"

enum { NAME_MAX_BYTES = 128 };

const char *const kek_kind_names[] = {"auto", "file", "secret", "vault", "pkcs11", NULL};

/* A path of the Vault's API goes into its URL as it is. */
static bool is_path(const char *s)
{
	size_t n = strlen(s);

	return n && n <= NAME_MAX_BYTES && s[0] != '/' && s[n - 1] != '/' && !strstr(s, "..") &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./") == n;
}

static int check_vault(const struct kek_settings *s, const char *prefix, struct error *err)
{
	bool https = strncmp(s->vault.address, "https://", 8) == 0;
	const struct {
		const char *name, *value;
	} paths[] = {{"mount", s->vault.mount}, {"key", s->vault.key},
		{"authMount", s->vault.auth_mount}};

	if (!*s->vault.address)
		return 0;
	if (!https && !http_is_loopback(s->vault.address))
		return error_set(err, -EINVAL,
			"%s.vault.address: \"%.100s\" is not https://…; only this machine itself "
			"may be asked without",
			prefix, s->vault.address);
	if (https && !*s->vault.ca_file)
		return error_set(err, -EINVAL,
			"%s.vault.caFile is needed: the PEM of who vouches for the Vault", prefix);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (!is_path(paths[i].value))
			return error_set(err, -EINVAL,
				"%s.vault.%s: \"%.100s\" is no name of letters, digits, - _ . and "
				"/ between",
				prefix, paths[i].name, paths[i].value);
	if (!*s->vault.token_file == !*s->vault.role)
		return error_set(err, -EINVAL,
			"%s.vault: set either tokenFile, or role to log in with the service "
			"account",
			prefix);
	return 0;
}

static int check_pkcs11(const struct kek_settings *s, const char *prefix, struct error *err)
{
	const struct {
		const char *name, *value;
	} needed[] = {{"token", s->pkcs11.token}, {"key", s->pkcs11.key},
		{"pinFile", s->pkcs11.pin_file}};

	for (size_t i = 0; *s->pkcs11.module && i < ARRAY_SIZE(needed); i++)
		if (!*needed[i].value || strlen(needed[i].value) > 4 * NAME_MAX_BYTES)
			return error_set(
				err, -EINVAL, "%s.pkcs11.%s is needed", prefix, needed[i].name);
	if (*s->pkcs11.module && s->pkcs11.module[0] != '/')
		return error_set(err, -EINVAL, "%s.pkcs11.module: \"%.100s\" is no absolute path",
			prefix, s->pkcs11.module);
	return 0;
}

int kek_settings_finish(struct kek_settings *s, bool in_file, bool in_secret, const char *prefix,
	const char *file, struct error *err)
{
	const bool there[KEK_KINDS] = {[KEK_FILE] = in_file,
		[KEK_SECRET] = in_secret,
		[KEK_VAULT] = *s->vault.address,
		[KEK_PKCS11] = *s->pkcs11.module};
	int n = 0, last = KEK_AUTO, r = check_vault(s, prefix, err);

	if (r == 0)
		r = check_pkcs11(s, prefix, err);
	if (r < 0)
		return r;
	for (int kind = KEK_FILE; kind < KEK_KINDS; kind++)
		if (there[kind]) {
			n++;
			last = kind;
		}
	if (n == 0)
		return error_set(err, -EINVAL,
			"keys are stored wrapped by a key-encryption key: name its file (%s), or "
			"%s.vault or %s.pkcs11",
			file, prefix, prefix);
	if (s->use == KEK_AUTO && n > 1)
		return error_set(err, -EINVAL,
			"%s.use: key-encryption keys are in several places; say which one wraps "
			"(the others only open)",
			prefix);
	if (s->use != KEK_AUTO && !there[s->use])
		return error_set(
			err, -EINVAL, "%s.use: %s is not set up", prefix, kek_kind_names[s->use]);
	if (s->use == KEK_AUTO)
		s->use = last;
	return 0;
}

bool kek_settings_same(const struct kek_settings *a, const struct kek_settings *b)
{
	const char *const texts[][2] = {{a->vault.address, b->vault.address},
		{a->vault.mount, b->vault.mount}, {a->vault.key, b->vault.key},
		{a->vault.ca_file, b->vault.ca_file}, {a->vault.token_file, b->vault.token_file},
		{a->vault.role, b->vault.role}, {a->vault.auth_mount, b->vault.auth_mount},
		{a->vault.account_token, b->vault.account_token},
		{a->pkcs11.module, b->pkcs11.module}, {a->pkcs11.token, b->pkcs11.token},
		{a->pkcs11.key, b->pkcs11.key}, {a->pkcs11.pin_file, b->pkcs11.pin_file}};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (strcmp(texts[i][0], texts[i][1]) != 0)
			return false;
	return a->use == b->use && a->cache_usec == b->cache_usec;
}
