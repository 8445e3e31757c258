/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-webhook seal: the text that stands for a key in a variable, or in a mounted Secret, of a
 * confidential VM's pod. There is nothing secret in it. */
#include <errno.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "common/base/settings_file.h"
#include "common/kbs/sealed.h"
#include "webhook/commands.h"

enum { MEMORY_MAX = 1 << 20, KEY_FILE_MAX = 64 * 1024 };

struct seal_options {
	const char *namespace_, *key, *kid;
};

#define AT(member) offsetof(struct seal_options, member)

static const struct setting table[] = {
	{"namespace", SETTING_STRING, AT(namespace_), .meta = "NAME",
		.help = "of keys that are named casemate://PROFILE/KEY"},
	{"signKey", SETTING_STRING, AT(key), .meta = "FILE",
		.help = "sign with this private key on P-256 (PEM)"},
	{"signedBy", SETTING_STRING, AT(kid), .meta = "NAME",
		.help = "and say that guests find its public half (JWK) as this: kbs:///… or a "
			"file's name"},
};

DEFINE_CLEANUP(BIO *, BIO_free)
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free)

static int read_key(EVP_PKEY **ret, const char *path, struct arena *a, struct error *err)
{
	_cleanup_(BIO_free_p) BIO *bio = NULL;
	char group[32] = "";
	struct span text;
	int r = settings_read_file(path, KEY_FILE_MAX, a, &text, err);

	if (r < 0)
		return r;
	bio = BIO_new_mem_buf(text.p, (int)text.len);
	*ret = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *)"") : NULL;
	OPENSSL_cleanse((void *)text.p, text.len);
	if (!*ret || EVP_PKEY_get_group_name(*ret, group, sizeof(group), NULL) != 1 ||
		strcmp(group, "prime256v1") != 0)
		return error_set(err, -EBADMSG, "%s: no private key on P-256 (PEM)", path);
	return 0;
}

static int seal(const struct seal_options *o, EVP_PKEY *key, const char *name, struct error *err)
{
	_cleanup_buf_ struct buf out = BUF_INIT(SEALED_MAX);
	struct key_id id;
	int r = key_id_parse(&id, span_str(name), *o->namespace_ ? o->namespace_ : NULL, err);

	if (r < 0)
		return error_prefix(err, r, "%.300s", name);
	r = key ? sealed_sign(&out, &id, o->kid, key, err) : sealed_write(&out, &id);
	if (r < 0)
		return r == -ENOMEM ? error_oom(err) : r;
	printf("%s\n", out.p);
	return 0;
}

static int run(int argc, char **argv, struct arena *a, struct error *err)
{
	const struct settings_input in = {
		.table = table, .n = ARRAY_SIZE(table), .argc = argc, .argv = argv};
	_cleanup_(EVP_PKEY_free_p) EVP_PKEY *key = NULL;
	struct seal_options o = {0};
	struct strings names = {0};
	int r = settings_read(&in, &o, a, &names, err);

	if (r == 0 && names.n == 0)
		r = error_set(err, -EINVAL, "which key? name it as kbs:///NAMESPACE/PROFILE/KEY");
	if (r == 0 && !*o.key != !*o.kid)
		r = error_set(err, -EINVAL, "--sign-key and --signed-by go together");
	if (r == 0 && *o.key)
		r = read_key(&key, o.key, a, err);
	for (size_t i = 0; i < names.n && r == 0; i++)
		r = seal(&o, key, names.v[i], err);
	if (r == 0 && fflush(stdout) != 0)
		r = error_set(err, -EIO, "standard output: %m");
	return r;
}

static void usage(FILE *f)
{
	_cleanup_buf_ struct buf options = BUF_INIT(64 * 1024);

	settings_help(&options, table, ARRAY_SIZE(table));
	fprintf(f,
		"Usage: casemate-webhook seal [OPTIONS] KEY...\n"
		"Prints what stands for a key in a confidential VM (Kata): a sealed secret of\n"
		"Confidential Containers, which the guest replaces by the key before a container\n"
		"starts, in variables and in the files of mounted Secrets. It only names the key: "
		"the\n"
		"broker decides. KEY is kbs:///NAMESPACE/PROFILE/KEY, or casemate://PROFILE/KEY "
		"with\n"
		"--namespace. Without a signature, guests must be told not to ask for one\n"
		"(skip_sealed_secret_verification), as Casemate's own init-data "
		"does.\n\nOptions:\n%s",
		options.p ? options.p : "");
}

int command_seal(int argc, char **argv)
{
	_cleanup_arena_ struct arena a = ARENA_INIT(MEMORY_MAX);
	struct error err = {0};
	int r;

	if (argc > 0 && strcmp(argv[argc - 1], "--help") == 0) {
		usage(stdout);
		return COMMAND_DONE;
	}
	r = run(argc, argv, &a, &err);
	if (r < 0)
		fprintf(stderr, "casemate-webhook seal: %s\n", err.message);
	if (r == -EINVAL)
		return COMMAND_USAGE;
	return r < 0 ? COMMAND_REFUSED : COMMAND_DONE;
}
