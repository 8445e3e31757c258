/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-webhook keyprovider: who encrypts images asks it to wrap the keys of layers (ocicrypt's
 * key provider that is a command: one request on standard input, one answer on standard output). */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "common/base/settings.h"
#include "common/kbs/key_id.h"
#include "common/kbs/keyprovider.h"
#include "common/kbs/packet.h"
#include "webhook/commands.h"
#include "webhook/key_session.h"

enum { MEMORY_MAX = 1 << 20 };

#define AT(member) offsetof(struct key_session_options, member)

static const struct setting table[] = {
	{"keys", SETTING_STRING, AT(keys), .meta = "DIR",
		.help = "the folder of the wrapped keys (broker.keys)"},
	{"profilesDir", SETTING_STRING, AT(profiles_dir), .meta = "DIR",
		.help = "the folder of profiles beside it"},
	{"kubeconfig", SETTING_STRING, AT(kubeconfig), .meta = "FILE",
		.help = "or a cluster: how to reach it"},
	{"namespace", SETTING_STRING, AT(namespace_), .meta = "NAME",
		.help = "and the namespace that Casemate is in"},
	{"kekFile", SETTING_STRING, AT(kek_file), .meta = "FILE",
		.help = "the key-encryption key (broker.kekFile)"},
	{"insecureKekInSecret", SETTING_BOOL, AT(insecure_kek_in_secret),
		.help = "it is in a Secret (broker.insecureKekInSecret)"},
	KEK_SETTINGS("kek", AT(kek)),
};

struct run {
	struct key_session_options o;
	struct key_session s;
	struct arena arena;
	struct keyprovider_request request;
	struct key_id id;
	struct buf packet;
};

/* Standard input, up to its end. */
static int read_input(struct secret *ret, struct error *err)
{
	ssize_t n;

	if (secret_init(ret, KEYPROVIDER_MAX) < 0)
		return error_oom(err);
	while ((n = read(STDIN_FILENO, ret->p + ret->len, ret->cap - ret->len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_set(err, -errno, "standard input: %m");
		ret->len += (size_t)n;
		if (ret->len == ret->cap)
			return error_set(
				err, -E2BIG, "standard input: more than a request of ocicrypt has");
	}
	return 0;
}

static int read_request(struct run *run, struct error *err)
{
	_cleanup_secret_ struct secret text = {0};
	int r = read_input(&text, err);

	if (r == 0)
		r = keyprovider_read(&run->request, secret_view(&text), err);
	if (r == 0 && run->request.op != KEYPROVIDER_WRAP)
		r = error_set(err, -EBADMSG,
			"layers are unwrapped by the node's agent (gRPC, keys.provider) alone");
	return r < 0 ? r : key_id_parse(&run->id, span_str(run->request.recipient), NULL, err);
}

/* Only keys of images: another one is given to workloads, and who has it could open the layer. */
static int check_use(struct json_val keys, const struct key_id *id, struct error *err)
{
	struct json_iter it;

	json_each (it, keys)
		if (json_str_is(json_get(it.value, "name"), id->key) &&
			json_str_is(json_get(it.value, "use"), "image"))
			return 0;
	return error_set(err, -EINVAL,
		"EnclaveProfile %s/%s has no key %s with use: image; add it to spec.keys",
		id->namespace_, id->profile, id->key);
}

static void on_key(void *ctx, const struct secret *key, unsigned version, enum reason reason,
	const struct error *why)
{
	struct run *run = ctx;
	char kid[PACKET_KID_MAX];
	struct error err = {0};

	(void)version;
	snprintf(kid, sizeof(kid), KEY_ID_KBS "%s/%s/%s", run->id.namespace_, run->id.profile,
		run->id.key);
	if (!key)
		fprintf(stderr, "casemate-webhook keyprovider: %s: %s\n", reason_name(reason),
			why->message);
	else if (packet_seal(&run->packet, kid, secret_view(key),
			 secret_view(&run->request.options), &err) < 0)
		fprintf(stderr, "casemate-webhook keyprovider: %s\n", err.message);
}

static int wrap(struct run *run, struct error *err)
{
	_cleanup_secret_ struct secret answer = {0};
	struct json_val keys = {0};
	struct key_owner owner;
	char name[sizeof(run->id.namespace_) + sizeof(run->id.profile) + 1];
	int r;

	snprintf(name, sizeof(name), "%s/%s", run->id.namespace_, run->id.profile);
	r = key_session_owner(&run->s, name, &owner, &keys, err);
	if (r == 0)
		r = check_use(keys, &run->id, err);
	if (r == 0)
		r = key_store_fetch(run->s.store, &owner, run->id.key, 0, on_key, run, err);
	if (r < 0)
		return r;
	if (run->packet.len == 0)
		return error_set(err, -ENOENT, "nothing was wrapped");
	if (keyprovider_wrapped(&answer, buf_view(&run->packet)) < 0)
		return error_oom(err);
	fwrite(answer.p, 1, answer.len, stdout);
	return fflush(stdout) == 0 ? 0 : error_set(err, -EIO, "standard output: %m");
}

static void usage(FILE *f)
{
	_cleanup_buf_ struct buf options = BUF_INIT(64 * 1024);

	settings_help(&options, table, ARRAY_SIZE(table));
	fprintf(f,
		"Usage: casemate-webhook keyprovider [OPTIONS]\n"
		"Wraps the keys of an image's layers while the image is encrypted: a key provider "
		"of\n"
		"ocicrypt that is a command. Name it in the file OCICRYPT_KEYPROVIDER_CONFIG:\n"
		"  {\"key-providers\": {\"casemate\": {\"cmd\": {\"path\": \"casemate-webhook\", "
		"\"args\": [\"keyprovider\", …]}}}}\n"
		"and encrypt with: ctr images encrypt --recipient "
		"provider:casemate:kbs:///NAMESPACE/PROFILE/KEY …\n"
		"KEY is one of the profile's with use: image.\n\nOptions:\n%s",
		options.p ? options.p : "");
}

int command_keyprovider(int argc, char **argv)
{
	struct run run = {
		.arena = ARENA_INIT(MEMORY_MAX),
		.packet = BUF_INIT(PACKET_MAX),
	};
	const struct settings_input in = {
		.table = table, .n = ARRAY_SIZE(table), .argc = argc, .argv = argv};
	struct error err = {0};
	int r;

	if (argc > 0 && strcmp(argv[argc - 1], "--help") == 0) {
		usage(stdout);
		return COMMAND_DONE;
	}
	(void)secret_protect_process();
	r = settings_read(&in, &run.o, &run.arena, NULL, &err);
	if (r == 0)
		r = read_request(&run, &err);
	if (r == 0)
		r = key_session_open(&run.s, &run.o, &err);
	if (r == 0)
		r = wrap(&run, &err);
	if (r < 0)
		fprintf(stderr, "casemate-webhook keyprovider: %s\n", err.message);
	key_session_close(&run.s);
	keyprovider_request_free(&run.request);
	buf_free(&run.packet);
	arena_free(&run.arena);
	if (r == -EINVAL)
		return COMMAND_USAGE;
	return r < 0 ? COMMAND_REFUSED : COMMAND_DONE;
}
