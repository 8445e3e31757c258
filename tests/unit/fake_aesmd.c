/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/fake_aesmd.h"

#include <errno.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/tee/quote.h"
#include "nodeagent/aesm/frame.h"
#include "nodeagent/evidence/aesm.pb-c.h"
#include "nodeagent/kubelet/message.h"

/* Of AESM's errors. */
enum { OK = 0, PARAMETER = 3, ID_MISMATCH = 32, NOT_INITIALISED = 42, INVALID_REPORT = 47 };
enum { MEMORY = 1 << 20, MAC = 16, REPORT_MAC_AT = AESM_REPORT - MAC, PADDING = 64 };

struct fake_aesmd {
	pthread_t thread;
	pthread_mutex_t lock;
	char dir[32], path[64];
	int listener;

	/* under lock */
	struct fake_aesmd_plan plan;
	unsigned asked[AESM_STEP_N];

	/* of the thread */
	struct span quote;
	bool initialised;
	unsigned char target_info[AESM_TARGET_INFO];
};

/* A report's MAC, as far as a fake needs one: only who had the TARGETINFO can make it. */
static void mac_of(unsigned char ret[MAC], const unsigned char *target_info, const char *body)
{
	unsigned char all[AESM_TARGET_INFO + SGX_REPORT_BODY], digest[32];

	memcpy(all, target_info, AESM_TARGET_INFO);
	memcpy(all + AESM_TARGET_INFO, body, SGX_REPORT_BODY);
	EVP_Digest(all, sizeof(all), digest, NULL, EVP_sha256(), NULL);
	memcpy(ret, digest, MAC);
}

int fake_aesmd_report(void *ctx, const unsigned char target_info[AESM_TARGET_INFO],
	unsigned char ret_report[AESM_REPORT], struct error *err)
{
	const struct span *quote = ctx;

	(void)err;
	memset(ret_report, 0, AESM_REPORT);
	memcpy(ret_report, quote->p + QUOTE_HEADER, SGX_REPORT_BODY);
	mac_of(ret_report + REPORT_MAC_AT, target_info, quote->p + QUOTE_HEADER);
	return 0;
}

/* --- what it answers --- */

struct answers {
	Aesm__Answer all;
	Aesm__KeyIdNumAnswer num;
	Aesm__KeyIdsAnswer ids;
	Aesm__InitQuoteExAnswer init;
	Aesm__QuoteSizeExAnswer size;
	Aesm__QuoteExAnswer quote;
	Aesm__UnsupportedAnswer unsupported;
	unsigned char keys[2 * AESM_KEY_ID], hash[AESM_KEY_HASH];
	uint8_t bytes[QUOTE_MAX];
};

/* Two ids: of an EPID key and of an ECDSA key (sgx_att_key_id_ext_t). */
static size_t key_ids(const struct fake_aesmd_plan *p, unsigned char ret[2 * AESM_KEY_ID])
{
	memset(ret, 0, 2 * (size_t)AESM_KEY_ID);
	ret[4] = ret[AESM_KEY_ID + 4] = 32;
	memset(ret + 6, 0xe1, 32);
	memset(ret + AESM_KEY_ID + 6, 0xec, 32);
	ret[AESM_KEY_ID + 54] = 1;
	ret[AESM_KEY_ID + 154] = 2;
	return p->no_ecdsa ? AESM_KEY_ID : 2 * (size_t)AESM_KEY_ID;
}

static uint32_t key_error(const struct answers *a, bool has, const ProtobufCBinaryData *id)
{
	if (!has || id->len != AESM_KEY_ID)
		return PARAMETER;
	return memcmp(id->data, a->keys + AESM_KEY_ID, AESM_KEY_ID) == 0 ? OK : ID_MISMATCH;
}

static uint32_t do_ids(
	struct answers *a, const struct fake_aesmd_plan *p, const Aesm__KeyIdsRequest *rq)
{
	size_t n = key_ids(p, a->keys);

	if (rq->buf_size != n)
		return PARAMETER;
	a->ids.has_att_key_ids = true;
	a->ids.att_key_ids = (ProtobufCBinaryData){n, a->keys};
	return OK;
}

static uint32_t do_init(struct fake_aesmd *f, struct answers *a, const Aesm__InitQuoteExRequest *rq)
{
	uint32_t code = key_error(a, rq->has_att_key_id, &rq->att_key_id);

	if (code != OK)
		return code;
	a->init.has_pub_key_id_size = true;
	a->init.pub_key_id_size = AESM_KEY_HASH;
	a->init.has_target_info = true;
	a->init.target_info = (ProtobufCBinaryData){AESM_TARGET_INFO, f->target_info};
	if (!rq->b_pub_key_id) {
		memset(f->target_info, 0, sizeof(f->target_info));
		return OK;
	}
	if (!rq->has_buf_size || rq->buf_size < AESM_KEY_HASH)
		return PARAMETER;
	memset(f->target_info, 0x7a, sizeof(f->target_info));
	memset(a->hash, 0x5c, sizeof(a->hash));
	a->init.has_pub_key_id = true;
	a->init.pub_key_id = (ProtobufCBinaryData){sizeof(a->hash), a->hash};
	f->initialised = true;
	return OK;
}

static uint32_t do_size(struct fake_aesmd *f, struct answers *a, const struct fake_aesmd_plan *p,
	const Aesm__QuoteSizeExRequest *rq)
{
	uint32_t code = key_error(a, rq->has_att_key_id, &rq->att_key_id);

	if (code != OK || !f->initialised)
		return code != OK ? code : NOT_INITIALISED;
	a->size.has_quote_size = true;
	a->size.quote_size = (uint32_t)(f->quote.len + PADDING) - (p->short_quote ? 200 : 0);
	return OK;
}

static uint32_t do_quote(struct fake_aesmd *f, struct answers *a, const struct fake_aesmd_plan *p,
	const Aesm__QuoteExRequest *rq)
{
	uint32_t code = key_error(a, rq->has_att_key_id, &rq->att_key_id);
	unsigned char mac[MAC];

	if (code != OK || !f->initialised)
		return code != OK ? code : NOT_INITIALISED;
	if (rq->report.len != AESM_REPORT || rq->buf_size > sizeof(a->bytes))
		return PARAMETER;
	mac_of(mac, f->target_info, (const char *)rq->report.data);
	if (memcmp(mac, rq->report.data + REPORT_MAC_AT, MAC) != 0)
		return INVALID_REPORT;
	memcpy(a->bytes, f->quote.p, rq->buf_size < f->quote.len ? rq->buf_size : f->quote.len);
	a->bytes[QUOTE_HEADER + SGX_REPORT_BODY - 1] ^= p->other_quote;
	a->quote.has_quote = true;
	a->quote.quote = (ProtobufCBinaryData){rq->buf_size, a->bytes};
	return OK;
}

static enum aesm_step step_of(const Aesm__Request *rq)
{
	return rq->key_id_num      ? AESM_KEY_ID_NUM
	       : rq->key_ids       ? AESM_KEY_IDS
	       : rq->init_quote_ex ? AESM_INIT_QUOTE
	       : rq->quote_size_ex ? AESM_QUOTE_SIZE
				   : AESM_QUOTE;
}

static void choose(struct answers *a, enum aesm_step step)
{
	a->all.key_id_num = step == AESM_KEY_ID_NUM ? &a->num : NULL;
	a->all.key_ids = step == AESM_KEY_IDS ? &a->ids : NULL;
	a->all.init_quote_ex = step == AESM_INIT_QUOTE ? &a->init : NULL;
	a->all.quote_size_ex = step == AESM_QUOTE_SIZE ? &a->size : NULL;
	a->all.quote_ex = step == AESM_QUOTE ? &a->quote : NULL;
}

/* The answer by the rules. */
static void obey(struct fake_aesmd *f, struct answers *a, const struct fake_aesmd_plan *p,
	const Aesm__Request *rq)
{
	key_ids(p, a->keys);
	switch (step_of(rq)) {
	case AESM_KEY_ID_NUM:
		a->num.has_att_key_id_num = true;
		a->num.att_key_id_num = p->no_keys ? 0 : p->no_ecdsa ? 1 : 2;
		break;
	case AESM_KEY_IDS:
		a->ids.error_code = do_ids(a, p, rq->key_ids);
		break;
	case AESM_INIT_QUOTE:
		a->init.error_code = do_init(f, a, rq->init_quote_ex);
		break;
	case AESM_QUOTE_SIZE:
		a->size.error_code = do_size(f, a, p, rq->quote_size_ex);
		break;
	default:
		a->quote.error_code = do_quote(f, a, p, rq->quote_ex);
	}
	choose(a, step_of(rq));
}

static void fail(struct fake_aesmd *f, struct answers *a, enum aesm_step step, uint32_t code)
{
	f->initialised = f->initialised && code != NOT_INITIALISED;
	a->num.error_code = a->ids.error_code = a->init.error_code = code;
	a->size.error_code = a->quote.error_code = code;
	choose(a, step);
}

static struct answers *answers_new(void)
{
	struct answers *a = calloc(1, sizeof(*a));

	aesm__answer__init(&a->all);
	aesm__key_id_num_answer__init(&a->num);
	aesm__key_ids_answer__init(&a->ids);
	aesm__init_quote_ex_answer__init(&a->init);
	aesm__quote_size_ex_answer__init(&a->size);
	aesm__quote_ex_answer__init(&a->quote);
	aesm__unsupported_answer__init(&a->unsupported);
	return a;
}

/* --- the socket --- */

static void put(int fd, const void *p, size_t n)
{
	const char *at = p;

	while (n > 0) {
		ssize_t sent = send(fd, at, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		at += sent;
		n -= (size_t)sent;
	}
}

static void put_slowly(int fd, const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		put(fd, p + i, 1);
}

/* Until the client has gone. */
static void say_nothing(int fd)
{
	char c;

	while (recv(fd, &c, 1, 0) > 0)
		;
}

static void put_answer(int fd, const struct answers *a, const struct fake_aesmd_plan *p)
{
	_cleanup_buf_ struct buf out = BUF_INIT(2 * QUOTE_MAX);
	size_t n;

	buf_add(&out, "\0\0\0", AESM_FRAME_HEAD);
	message_pack(&out, &a->all.base);
	n = out.len - AESM_FRAME_HEAD;
	if (p->way == FAKE_OVERSIZE)
		n = 16 << 20;
	if (p->way == FAKE_EMPTY)
		n = 0;
	for (int i = 0; i < AESM_FRAME_HEAD; i++)
		out.p[i] = (char)(n >> 8 * i);
	if (p->way == FAKE_NOISE)
		memset(out.p + AESM_FRAME_HEAD, 0xff, n);
	if (p->way == FAKE_SLOW)
		put_slowly(fd, out.p, out.len);
	else
		put(fd, out.p, p->way == FAKE_CUT && p->cut < out.len ? p->cut : out.len);
}

static void serve(struct fake_aesmd *f, int fd, const Aesm__Request *rq)
{
	enum aesm_step step = step_of(rq);
	_cleanup_free_ struct answers *a = answers_new();
	struct fake_aesmd_plan p;
	bool fails;

	pthread_mutex_lock(&f->lock);
	f->asked[step]++;
	p = f->plan;
	fails = p.code && p.step == step && f->asked[step] <= p.times;
	pthread_mutex_unlock(&f->lock);
	if (p.step != step)
		p.way = FAKE_WELL;
	if (fails)
		fail(f, a, step, p.code);
	else
		obey(f, a, &p, rq);
	if (p.way == FAKE_OTHER)
		choose(a, step == AESM_QUOTE ? AESM_KEY_IDS : AESM_QUOTE);
	if (p.way == FAKE_UNKNOWN) {
		choose(a, AESM_STEP_N);
		a->all.unsupported = &a->unsupported;
	}
	if (p.way == FAKE_SILENT)
		say_nothing(fd);
	else
		put_answer(fd, a, &p);
}

static void on_client(struct fake_aesmd *f, int fd)
{
	_cleanup_(aesm_frame_free) struct aesm_frame frame = {.max = AESM_REQUEST_MAX};
	_cleanup_arena_ struct arena m = ARENA_INIT(MEMORY);
	ProtobufCMessage *rq = NULL;
	bool deaf;

	pthread_mutex_lock(&f->lock);
	deaf = f->plan.way == FAKE_DEAF;
	pthread_mutex_unlock(&f->lock);
	while (!deaf && !aesm_frame_complete(&frame)) {
		void *p;
		size_t room = aesm_frame_room(&frame, &p);
		ssize_t n = recv(fd, p, room, 0);

		if (n <= 0 || aesm_frame_filled(&frame, (size_t)n, NULL) < 0)
			return;
	}
	if (deaf)
		return;
	if (message_unpack(&rq, &m, &aesm__request__descriptor,
		    (struct span){
			    (const char *)frame.p + AESM_FRAME_HEAD, frame.size - AESM_FRAME_HEAD},
		    NULL) == 0)
		serve(f, fd, (const Aesm__Request *)rq);
}

static void *work(void *arg)
{
	struct fake_aesmd *f = arg;
	int fd;

	while ((fd = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		on_client(f, fd);
		close(fd);
	}
	return NULL;
}

struct fake_aesmd *fake_aesmd_start(struct span golden)
{
	struct fake_aesmd *f = calloc(1, sizeof(*f));
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	f->quote = golden;
	strcpy(f->dir, "/tmp/casemate-test-XXXXXX");
	if (!mkdtemp(f->dir))
		abort();
	snprintf(f->path, sizeof(f->path), "%s/aesm.socket", f->dir);
	strcpy(at.sun_path, f->path);
	pthread_mutex_init(&f->lock, NULL);
	f->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(f->listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
		listen(f->listener, 32) < 0 || pthread_create(&f->thread, NULL, work, f) != 0)
		abort();
	return f;
}

void fake_aesmd_stop(struct fake_aesmd *f)
{
	/* Ends accept(2). */
	shutdown(f->listener, SHUT_RDWR);
	pthread_join(f->thread, NULL);
	close(f->listener);
	unlink(f->path);
	rmdir(f->dir);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

const char *fake_aesmd_socket(const struct fake_aesmd *f)
{
	return f->path;
}

void fake_aesmd_plan(struct fake_aesmd *f, const struct fake_aesmd_plan *plan)
{
	pthread_mutex_lock(&f->lock);
	f->plan = *plan;
	memset(f->asked, 0, sizeof(f->asked));
	pthread_mutex_unlock(&f->lock);
}

unsigned fake_aesmd_asked(struct fake_aesmd *f, enum aesm_step step)
{
	unsigned n;

	pthread_mutex_lock(&f->lock);
	n = f->asked[step];
	pthread_mutex_unlock(&f->lock);
	return n;
}
