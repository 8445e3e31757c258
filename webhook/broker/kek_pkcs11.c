/* SPDX-License-Identifier: Apache-2.0
 *
 * A key of a PKCS#11 token (version 2.40), which never leaves it. An AES key: CKM_AES_GCM with a
 * random nonce of 96 bits, bound to the id of the key-encryption key that it wraps; the token
 * authenticates what it opens, so nobody without it can put a key of their own in place. An RSA
 * key: kek_pkcs11_rsa.c. A token may take seconds, or hang: everything runs on a thread of its own,
 * one session each time. */
#include <errno.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdio.h>

#include "common/base/codec.h"
#include "common/base/credential.h"
#include "common/net/background.h"
#include "webhook/broker/kek_pkcs11_private.h"

enum {
	SLOTS_MAX = 256,
	NONCE = 12,
	TAG = 16,
	SEALED = NONCE + KEK_LEN + TAG,
	QUEUE_MAX = 4,
	AAD_MAX = 64,
};

/* Loaded once, and for good: a module may keep threads, and a call may still hang in it. */
struct module {
	pthread_mutex_t lock;
	char *path;
	CK_FUNCTION_LIST *f;
};

struct token {
	const struct kek_settings *s;
	struct loop_queue *queue;
	struct background *work; /* NULL: none is under way */
	kek_wrapper_done done;
	void *ctx;
};

static const char *const failures[][2] = {
	{"CKR_PIN_INCORRECT", "the PIN is wrong: correct pkcs11.pinFile before the token locks it"},
	{"CKR_PIN_LOCKED", "the PIN is locked: unlock it with the security officer's"},
	{"CKR_ENCRYPTED_DATA_INVALID", "this token's key did not wrap it, or it was changed"},
	{"CKR_MECHANISM_INVALID",
		"the key or token does not know AES-GCM (of an RSA key: OAEP and PSS)"},
	{"CKR_KEY_FUNCTION_NOT_PERMITTED",
		"the key may not encrypt and decrypt (an RSA key: decrypt and sign)"},
};
static const CK_RV failure_codes[] = {CKR_PIN_INCORRECT, CKR_PIN_LOCKED, CKR_ENCRYPTED_DATA_INVALID,
	CKR_MECHANISM_INVALID, CKR_KEY_FUNCTION_NOT_PERMITTED};

int pkcs11_failed(const struct pkcs11_job *job, const char *what, CK_RV rv, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(failure_codes); i++)
		if (failure_codes[i] == rv)
			return error_set(err, -EACCES, "token %.64s, %s: %s (%s)", job->token, what,
				failures[i][1], failures[i][0]);
	return error_set(err, -EIO, "token %.64s, %s: %s", job->token, what, p11_kit_strerror(rv));
}

static void job_free(void *arg)
{
	struct pkcs11_job *job = arg;

	free(job->module);
	free(job->token);
	free(job->key);
	free(job->pin_file);
	secret_free(&job->in);
	secret_free(&job->out);
	free(job);
}

/*
 * On the thread
 */

static int load(const struct pkcs11_job *job, CK_FUNCTION_LIST **ret, struct error *err)
{
	static struct module loaded = {.lock = PTHREAD_MUTEX_INITIALIZER};
	int r = 0;

	pthread_mutex_lock(&loaded.lock);
	if (loaded.path && strcmp(loaded.path, job->module) != 0)
		r = error_set(err, -EBUSY, "another PKCS#11 module is loaded: start anew");
	if (r == 0 && !loaded.path) {
		loaded.f = p11_kit_module_load(job->module, 0);
		loaded.path = loaded.f ? strdup(job->module) : NULL;
		if (!loaded.path)
			r = error_set(err, -ENOENT, "PKCS#11 module %.200s: %s", job->module,
				p11_kit_message() ? p11_kit_message() : "cannot be loaded");
		else if (p11_kit_module_initialize(loaded.f) != CKR_OK) {
			r = error_set(err, -EIO, "PKCS#11 module %.200s: %s", job->module,
				p11_kit_message() ? p11_kit_message() : "cannot be initialised");
			free(loaded.path);
			loaded.path = NULL;
		}
	}
	*ret = loaded.f;
	pthread_mutex_unlock(&loaded.lock);
	return r;
}

/* Labels are padded with blanks. */
static bool is_label(const unsigned char *padded, size_t size, const char *label)
{
	size_t n = strlen(label);

	if (n > size || memcmp(padded, label, n) != 0)
		return false;
	for (; n < size; n++)
		if (padded[n] != ' ')
			return false;
	return true;
}

static int open_session(struct pkcs11_job *job, struct error *err)
{
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG n = SLOTS_MAX;
	CK_RV rv = job->f->C_GetSlotList(CK_TRUE, slots, &n);

	if (rv != CKR_OK)
		return pkcs11_failed(job, "looking for it", rv, err);
	for (CK_ULONG i = 0; i < n; i++) {
		CK_TOKEN_INFO info;

		if (job->f->C_GetTokenInfo(slots[i], &info) != CKR_OK ||
			!is_label(info.label, sizeof(info.label), job->token))
			continue;
		rv = job->f->C_OpenSession(slots[i], CKF_SERIAL_SESSION, NULL, NULL, &job->session);
		return rv == CKR_OK ? 0 : pkcs11_failed(job, "opening a session", rv, err);
	}
	return error_set(err, -ENODEV,
		"there is no token %.64s: plug it in, or correct pkcs11.token", job->token);
}

static int log_in(const struct pkcs11_job *job, struct error *err)
{
	_cleanup_secret_ struct secret pin = {0};
	int r = credential_read_file(&pin, job->pin_file, err);
	CK_RV rv;

	if (r < 0)
		return r;
	rv = job->f->C_Login(
		job->session, CKU_USER, (unsigned char *)pin.p, strcspn(pin.p, "\r\n"));
	return rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN
		       ? 0
		       : pkcs11_failed(job, "logging in", rv, err);
}

static int find_objects(const struct pkcs11_job *job, CK_ATTRIBUTE *wanted, CK_ULONG n_wanted,
	CK_OBJECT_HANDLE *ret, struct error *err)
{
	CK_OBJECT_HANDLE found[2] = {0};
	CK_ULONG n = 0;
	CK_RV rv = job->f->C_FindObjectsInit(job->session, wanted, n_wanted);

	if (rv == CKR_OK) {
		rv = job->f->C_FindObjects(job->session, found, 2, &n);
		job->f->C_FindObjectsFinal(job->session);
	}
	if (rv != CKR_OK)
		return pkcs11_failed(job, "looking for the key", rv, err);
	*ret = found[0];
	return (int)n;
}

/* How many objects of that class and type have the job's label (two at most are counted), one of
 * them in *ret; or -errno. */
static int find_key(const struct pkcs11_job *job, CK_OBJECT_CLASS class, CK_KEY_TYPE type,
	CK_OBJECT_HANDLE *ret, struct error *err)
{
	CK_ATTRIBUTE wanted[] = {{CKA_CLASS, &class, sizeof(class)},
		{CKA_KEY_TYPE, &type, sizeof(type)}, {CKA_LABEL, job->key, strlen(job->key)}};

	return find_objects(job, wanted, ARRAY_SIZE(wanted), ret, err);
}

/* There is no key that wraps: what is there instead? */
static int no_key(const struct pkcs11_job *job, struct error *err)
{
	CK_ATTRIBUTE wanted[] = {{CKA_LABEL, job->key, strlen(job->key)}};
	CK_OBJECT_HANDLE found;
	int n = find_objects(job, wanted, ARRAY_SIZE(wanted), &found, err);

	if (n < 0)
		return n;
	return error_set(err, n ? -EKEYREJECTED : -ENOENT,
		"token %.64s: there is no AES key and no private RSA key of the label %.64s%s; "
		"make an AES key (CKA_ENCRYPT and CKA_DECRYPT true) or an RSA key of 3072 bits "
		"(CKA_DECRYPT and CKA_SIGN true)",
		job->token, job->key, n ? ", but something of another type" : "");
}

/* in to out, nonce in front of the wrapped. */
static int transform(
	const struct pkcs11_job *job, CK_OBJECT_HANDLE key, struct secret *out, struct error *err)
{
	CK_FUNCTION_LIST *f = job->f;
	CK_SESSION_HANDLE session = job->session;
	unsigned char nonce[NONCE], aad[AAD_MAX];
	const unsigned char *in = (unsigned char *)job->in.p;
	CK_GCM_PARAMS gcm = {.pIv = nonce,
		.ulIvLen = NONCE,
		.ulIvBits = 8 * NONCE,
		.pAAD = aad,
		.ulTagBits = 8 * TAG};
	CK_MECHANISM mechanism = {CKM_AES_GCM, &gcm, sizeof(gcm)};
	CK_ULONG n = SEALED;
	CK_RV rv;

	gcm.ulAADLen = (CK_ULONG)snprintf((char *)aad, sizeof(aad), "casemate kek 1 %s", job->id);
	if (secret_init(out, SEALED) < 0)
		return error_oom(err);
	if (job->seals) {
		if (RAND_bytes(nonce, NONCE) != 1)
			return error_set(err, -EIO, "no randomness for a nonce");
		secret_add(out, (struct span){(char *)nonce, NONCE});
		n -= NONCE;
		rv = f->C_EncryptInit(session, &mechanism, key);
		if (rv == CKR_OK)
			rv = f->C_Encrypt(session, (unsigned char *)in, KEK_LEN,
				(unsigned char *)out->p + NONCE, &n);
	} else {
		memcpy(nonce, in, NONCE);
		rv = f->C_DecryptInit(session, &mechanism, key);
		if (rv == CKR_OK)
			rv = f->C_Decrypt(session, (unsigned char *)in + NONCE, SEALED - NONCE,
				(unsigned char *)out->p, &n);
	}
	if (rv != CKR_OK)
		return pkcs11_failed(job, job->seals ? "wrapping" : "opening", rv, err);
	if (n != (job->seals ? SEALED - NONCE : KEK_LEN))
		return error_set(err, -EBADMSG, "token %.64s: its answer has a length of %lu",
			job->token, n);
	out->len += n;
	return 0;
}

/* An AES key of that label wraps rather than an RSA key; what is wrapped says which it was. */
static int use_key(const struct pkcs11_job *job, struct secret *out, struct error *err)
{
	bool by_rsa = !job->seals && job->in.len != SEALED;
	CK_OBJECT_HANDLE key = 0;
	const char *type = "AES";
	int n = by_rsa ? 0 : find_key(job, CKO_SECRET_KEY, CKK_AES, &key, err);

	if (n == 1)
		return transform(job, key, out, err);
	if (n == 0) {
		type = "RSA";
		n = find_key(job, CKO_PRIVATE_KEY, CKK_RSA, &key, err);
	}
	if (n == 1)
		return pkcs11_rsa(job, key, out, err);
	if (n > 1)
		return error_set(err, -EEXIST,
			"token %.64s: there are several %s keys of the label %.64s: give the one "
			"that wraps a label of its own",
			job->token, type, job->key);
	return n < 0 ? n : no_key(job, err);
}

static int run(void *arg, struct error *err)
{
	_cleanup_secret_ struct secret out = {0};
	struct pkcs11_job *job = arg;
	int r = load(job, &job->f, err);

	if (r == 0)
		r = open_session(job, err);
	if (r < 0)
		return r;
	r = log_in(job, err);
	if (r == 0)
		r = use_key(job, &out, err);
	job->f->C_CloseSession(job->session); /* the last one: logs out */
	if (r < 0)
		return r;
	if (!job->seals) {
		job->out = out;
		out = (struct secret){0};
		return 0;
	}
	if (secret_init(&job->out, secret_base64_len(out.len)) < 0)
		return error_oom(err);
	return secret_add_base64(&job->out, secret_view(&out));
}

/*
 * On the loop
 */

static void finished(void *ctx, void *arg, int r, const struct error *err)
{
	struct token *t = ctx;
	const struct pkcs11_job *job = arg;

	t->work = NULL;
	t->done(t->ctx, r, r == 0 ? secret_view(&job->out) : SPAN_NONE, err);
}

static struct pkcs11_job *new_job(const struct token *t, bool seals, const char *id)
{
	struct pkcs11_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->seals = seals;
	snprintf(job->id, sizeof(job->id), "%s", id);
	job->module = strdup(t->s->pkcs11.module);
	job->token = strdup(t->s->pkcs11.token);
	job->key = strdup(t->s->pkcs11.key);
	job->pin_file = strdup(t->s->pkcs11.pin_file);
	if (job->module && job->token && job->key && job->pin_file)
		return job;
	job_free(job);
	return NULL;
}

static int begin(struct token *t, struct pkcs11_job *job, kek_wrapper_done done, void *ctx,
	struct error *err)
{
	const struct background_work work = {
		.run = run, .done = finished, .free = job_free, .ctx = t};
	int r;

	t->done = done;
	t->ctx = ctx;
	r = background_start(&t->work, t->queue, &work, job, err);
	if (r < 0)
		job_free(job);
	return r;
}

static int token_seal(
	void *self, struct span kek, kek_wrapper_done done, void *ctx, struct error *err)
{
	_cleanup_keks_ struct kek_ring ring = {0};
	struct token *t = self;
	struct pkcs11_job *job;
	int r = kek_ring_add(&ring, kek, err);

	if (r < 0)
		return r;
	job = new_job(t, true, ring.v[0].id);
	if (!job)
		return error_oom(err);
	if (secret_copy(&job->in, kek) < 0) {
		job_free(job);
		return error_oom(err);
	}
	return begin(t, job, done, ctx, err);
}

static int token_open(void *self, const struct kek_line *line, kek_wrapper_done done, void *ctx,
	struct error *err)
{
	struct token *t = self;
	struct pkcs11_job *job = new_job(t, false, line->id);

	if (!job)
		return error_oom(err);
	if (secret_unbase64(&job->in, span_str(line->wrapped)) < 0 || job->in.len < SEALED) {
		job_free(job);
		return error_set(err, -EBADMSG,
			"key-encryption key %s is not as a token wrapped it", line->id);
	}
	return begin(t, job, done, ctx, err);
}

static void token_free(void *self)
{
	struct token *t = self;

	background_abandon(t->work);
	loop_queue_free(t->queue);
	free(t);
}

int kek_pkcs11_new(
	struct kek_wrapper *ret, sd_event *event, const struct kek_settings *s, struct error *err)
{
	struct token *t = calloc(1, sizeof(*t));
	int r;

	if (!t)
		return error_oom(err);
	t->s = s;
	r = loop_queue_new(&t->queue, event, QUEUE_MAX);
	if (r < 0) {
		free(t);
		return error_set(err, r, "event loop: %s", strerror(-r));
	}
	*ret = (struct kek_wrapper){
		.self = t, .seal = token_seal, .open = token_open, .free = token_free};
	snprintf(ret->by, sizeof(ret->by), "%.100s/%.100s", s->pkcs11.token, s->pkcs11.key);
	return 0;
}
