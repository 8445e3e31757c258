/* SPDX-License-Identifier: Apache-2.0 */
#include "nodeagent/kubelet/registration.h"

#include "common/base/cleanup.h"
#include "tests/unit/test.h"

enum { STEPS_MAX = 12, NEVER = -2, TIME = -1 };

/* At a time, an event (or TIME alone): what is done then, and the state and next time after it. */
struct step {
	int at_ms, event, action, state, due_ms;
};

struct story {
	const char *name;
	struct step steps[STEPS_MAX]; /* ends with a step at 0 that is not the first */
};

#define E(x) REGISTRATION_##x

static const struct story stories[] = {
	{"at once when the kubelet is up",
		{
			{0, E(KUBELET_NEW), E(NOTHING), E(IDLE), NEVER},
			{5, E(DEVICES), E(REGISTER), E(ASKING), NEVER},
			{8, E(OK), E(NOTHING), E(ACCEPTED), 10008},
			{9, E(LIST_OPENED), E(NOTHING), E(WATCHED), NEVER},
			{60000, TIME, E(NOTHING), E(WATCHED), NEVER},
		}},
	{"the kubelet's list comes before Register's answer",
		{
			{0, E(KUBELET_NEW), E(NOTHING), E(IDLE), NEVER},
			{1, E(DEVICES), E(REGISTER), E(ASKING), NEVER},
			{2, E(LIST_OPENED), E(NOTHING), E(ASKING), NEVER},
			{3, E(OK), E(NOTHING), E(WATCHED), NEVER},
		}},
	{"waits for a kubelet, without a timer",
		{
			{0, E(DEVICES), E(NOTHING), E(WAITING), NEVER},
			{90000, E(KUBELET_NEW), E(NOTHING), E(WAITING), 90020},
			{90020, TIME, E(REGISTER), E(ASKING), NEVER},
		}},
	{"refused: again, further apart",
		{
			{0, E(KUBELET_NEW), E(NOTHING), E(IDLE), NEVER},
			{0, E(DEVICES), E(REGISTER), E(ASKING), NEVER},
			{1, E(REFUSED), E(NOTHING), E(WAITING), 51},
			{50, TIME, E(NOTHING), E(WAITING), 51},
			{51, TIME, E(REGISTER), E(ASKING), NEVER},
			{52, E(REFUSED), E(NOTHING), E(WAITING), 152},
			{152, TIME, E(REGISTER), E(ASKING), NEVER},
			{160, E(REFUSED), E(NOTHING), E(WAITING), 360},
			{170, E(KUBELET_NEW), E(NOTHING), E(WAITING), 190},
			{190, TIME, E(REGISTER), E(ASKING), NEVER},
			{191, E(REFUSED), E(NOTHING), E(WAITING), 241},
		}},
	{"a kubelet that never asks for the list",
		{
			{0, E(KUBELET_NEW), E(NOTHING), E(IDLE), NEVER},
			{0, E(DEVICES), E(REGISTER), E(ASKING), NEVER},
			{1, E(OK), E(NOTHING), E(ACCEPTED), 10001},
			{10001, TIME, E(NOTHING), E(WAITING), 10051},
			{10051, TIME, E(REGISTER), E(ASKING), NEVER},
		}},
	{"a kubelet's restart, as it is seen: stream, our socket, its socket",
		{
			{0, E(KUBELET_NEW), E(NOTHING), E(IDLE), NEVER},
			{0, E(DEVICES), E(REGISTER), E(ASKING), NEVER},
			{1, E(LIST_OPENED), E(NOTHING), E(ASKING), NEVER},
			{2, E(OK), E(NOTHING), E(WATCHED), NEVER},
			{1000, E(LIST_CLOSED), E(NOTHING), E(WAITING), 1050},
			{1001, E(KUBELET_GONE), E(NOTHING), E(WAITING), 1050},
			{1050, TIME, E(NOTHING), E(WAITING), NEVER},
			{3000, E(SOCKET_LOST), E(NOTHING), E(WAITING), 3100},
			{3001, E(KUBELET_NEW), E(NOTHING), E(WAITING), 3021},
			{3021, TIME, E(REGISTER), E(ASKING), NEVER},
		}},
	{"the stream alone ends: the kubelet dropped us for another's end",
		{
			{0, E(KUBELET_NEW), E(NOTHING), E(IDLE), NEVER},
			{0, E(DEVICES), E(REGISTER), E(ASKING), NEVER},
			{1, E(LIST_OPENED), E(NOTHING), E(ASKING), NEVER},
			{2, E(OK), E(NOTHING), E(WATCHED), NEVER},
			{500, E(LIST_CLOSED), E(NOTHING), E(WAITING), 550},
			{550, TIME, E(REGISTER), E(ASKING), NEVER},
		}},
	{"our socket alone goes",
		{
			{0, E(KUBELET_NEW), E(NOTHING), E(IDLE), NEVER},
			{0, E(SOCKET_LOST), E(NOTHING), E(IDLE), NEVER},
			{0, E(DEVICES), E(REGISTER), E(ASKING), NEVER},
			{1, E(LIST_OPENED), E(NOTHING), E(ASKING), NEVER},
			{2, E(OK), E(NOTHING), E(WATCHED), NEVER},
			{500, E(SOCKET_LOST), E(NOTHING), E(WAITING), 550},
			{550, TIME, E(REGISTER), E(ASKING), NEVER},
		}},
	{"no devices any more: stays while watched, stops when not",
		{
			{0, E(KUBELET_NEW), E(NOTHING), E(IDLE), NEVER},
			{0, E(DEVICES), E(REGISTER), E(ASKING), NEVER},
			{1, E(LIST_OPENED), E(NOTHING), E(ASKING), NEVER},
			{2, E(OK), E(NOTHING), E(WATCHED), NEVER},
			{10, E(NO_DEVICES), E(NOTHING), E(WATCHED), NEVER},
			{20, E(DEVICES), E(NOTHING), E(WATCHED), NEVER},
			{30, E(NO_DEVICES), E(NOTHING), E(WATCHED), NEVER},
			{40, E(LIST_CLOSED), E(STOP), E(IDLE), NEVER},
			{41, E(KUBELET_NEW), E(NOTHING), E(IDLE), NEVER},
			{50, E(DEVICES), E(REGISTER), E(ASKING), NEVER},
			{51, E(NO_DEVICES), E(STOP), E(IDLE), NEVER},
			{52, E(OK), E(NOTHING), E(IDLE), NEVER},
		}},
	{"a rival: keeps away, takes over after a while",
		{
			{0, E(RIVAL), E(NOTHING), E(IDLE), NEVER},
			{0, E(KUBELET_NEW), E(NOTHING), E(IDLE), NEVER},
			{0, E(DEVICES), E(REGISTER), E(ASKING), NEVER},
			{0, E(RIVAL), E(STOP), E(RIVALLED), NEVER},
			{100, E(KUBELET_NEW), E(NOTHING), E(RIVALLED), NEVER},
			{200, E(RIVAL_CHANGED), E(NOTHING), E(RIVALLED), 700},
			{700, TIME, E(LOOK), E(RIVALLED), NEVER},
			{701, E(RIVAL_CHANGED), E(NOTHING), E(RIVALLED), 1701},
			{1701, TIME, E(LOOK), E(RIVALLED), NEVER},
			{1702, E(RIVAL_GONE), E(NOTHING), E(WAITING), 6702},
			{1800, E(RIVAL), E(NOTHING), E(RIVALLED), NEVER},
			{1801, E(RIVAL_GONE), E(NOTHING), E(WAITING), 6801},
		}},
	{"a rival comes while we are registered, and the devices go meanwhile",
		{
			{0, E(KUBELET_NEW), E(NOTHING), E(IDLE), NEVER},
			{0, E(DEVICES), E(REGISTER), E(ASKING), NEVER},
			{1, E(LIST_OPENED), E(NOTHING), E(ASKING), NEVER},
			{2, E(OK), E(NOTHING), E(WATCHED), NEVER},
			{9, E(RIVAL), E(STOP), E(RIVALLED), NEVER},
			{9, E(LIST_CLOSED), E(NOTHING), E(RIVALLED), NEVER},
			{10, E(NO_DEVICES), E(NOTHING), E(IDLE), NEVER},
			{11, E(RIVAL_CHANGED), E(NOTHING), E(IDLE), NEVER},
			{12, E(RIVAL_GONE), E(NOTHING), E(IDLE), NEVER},
			{13, E(DEVICES), E(REGISTER), E(ASKING), NEVER},
		}},
};

static int to_ms(int64_t usec)
{
	return usec == INT64_MAX ? NEVER : (int)(usec / 1000);
}

static void test_stories(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(stories); i++) {
		const struct step *s = stories[i].steps;
		struct registration r;

		registration_init(&r);
		for (size_t k = 0; k < STEPS_MAX; k++) {
			int64_t now = s[k].at_ms * (int64_t)1000;
			int action, due;

			if (k > 0 && s[k].at_ms == 0 && s[k].event == 0 && s[k].due_ms == 0)
				break;
			if (s[k].event != TIME)
				registration_event(&r, (enum registration_event)s[k].event, now, 0);
			action = (int)registration_act(&r, now, 0);
			due = to_ms(registration_due(&r));
			CHECK_ROW(stories[i].name,
				action == s[k].action && (int)r.state == s[k].state &&
					due == s[k].due_ms,
				"step %zu at %d ms: action %d state %d due %d", k, s[k].at_ms,
				action, (int)r.state, due);
		}
	}
}

/* However unlucky, a restarted kubelet has us back well within two seconds if it takes us. */
static void test_restart_is_quick(void)
{
	struct registration r;
	int64_t now = 0;

	registration_init(&r);
	registration_event(&r, REGISTRATION_KUBELET_NEW, now, UINT32_MAX);
	registration_event(&r, REGISTRATION_DEVICES, now, UINT32_MAX);
	for (int i = 0; i < 40; i++) { /* a kubelet that is away for long */
		now = registration_due(&r) == INT64_MAX ? now : registration_due(&r);
		CU_ASSERT_EQUAL(registration_act(&r, now, UINT32_MAX), REGISTRATION_REGISTER);
		registration_event(&r, REGISTRATION_REFUSED, now, UINT32_MAX);
		CU_ASSERT(registration_due(&r) - now <= 30 * (int64_t)1000000);
	}
	registration_event(&r, REGISTRATION_KUBELET_NEW, now, UINT32_MAX);
	CU_ASSERT(registration_due(&r) - now <= 2 * REGISTRATION_SETTLE_USEC);
	for (int i = 0; i < 3; i++) { /* and answers only the fourth try */
		int64_t due = registration_due(&r);

		CU_ASSERT_EQUAL(registration_act(&r, due, UINT32_MAX), REGISTRATION_REGISTER);
		registration_event(&r, REGISTRATION_REFUSED, due, UINT32_MAX);
	}
	CU_ASSERT(registration_due(&r) - now < 1000000);
}

/* Whatever happens in whatever order: asked again and again at its own time, it is never stuck with
 * something to do, and serves exactly when it says so. */
static void test_any_order(void)
{
	uint32_t chance = 1;

	for (unsigned run = 0; run < 2000; run++) {
		struct registration r;
		bool serving = false;
		int64_t now = 0;

		registration_init(&r);
		for (unsigned step = 0; step < 40; step++) {
			enum registration_action a;

			chance = chance * 1664525u + 1013904223u;
			registration_event(&r,
				(enum registration_event)(
					(chance >> 16) % (REGISTRATION_RIVAL_GONE + 1)),
				now, chance);
			for (unsigned n = 0; registration_due(&r) <= now; n++) {
				a = registration_act(&r, now, chance);
				serving = a == REGISTRATION_REGISTER ||
					  (serving && a != REGISTRATION_STOP);
				CU_ASSERT(a != REGISTRATION_REGISTER || (r.kubelet && r.devices));
				if (n > 3) {
					CU_FAIL("busy without an end");
					break;
				}
			}
			CU_ASSERT_EQUAL(serving, r.serving);
			now += chance % 300000;
		}
	}
}

CU_TestInfo registration_tests[] = {
	{"stories", test_stories},
	{"a restarted kubelet soon has us back", test_restart_is_quick},
	{"events in any order", test_any_order},
	CU_TEST_INFO_NULL,
};
