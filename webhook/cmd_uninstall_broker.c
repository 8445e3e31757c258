/* SPDX-License-Identifier: Apache-2.0
 *
 * casemate-webhook uninstall-broker: takes the broker's finalizer from all EnclaveProfiles. With
 * nobody left to take it, they, their namespaces and the CRD could never be deleted. Ends the
 * broker first, or it would put the finalizer back. Run by the chart as a hook before the release's
 * objects are deleted; running it again does no harm. The keys stay where they are stored. */
#include <stdio.h>

#include "common/kube/uninstall.h"
#include "webhook/broker/keys_status.h"
#include "webhook/commands.h"

#define PROFILES_PATH "/apis/casemate.dev/v1alpha1/enclaveprofiles"

enum { PROFILE_PATH_MAX = 640, OBJECT_NAME_MAX = 254, BODY_MAX = 64 * 1024 };

/* For kube_sync_each(). Somebody else's write in between is a 409, and ends in an error that a
 * Job's next try makes good. */
static int clean_profile(void *ctx, struct kube_sync *c, struct json_val object, struct error *err)
{
	const struct profile p = {.object = object};
	_cleanup_buf_ struct buf body = BUF_INIT(BODY_MAX);
	char namespace_[OBJECT_NAME_MAX], name[OBJECT_NAME_MAX], path[PROFILE_PATH_MAX];
	struct kube_request rq = {.method = "PATCH", .path = path, .patch = KUBE_PATCH_MERGE};
	int r;

	(void)ctx;
	if (!keys_has_finalizer(&p) ||
		!json_copy(json_find(object, "metadata", "namespace"), namespace_,
			sizeof(namespace_)) ||
		!json_copy(json_find(object, "metadata", "name"), name, sizeof(name)))
		return 0;
	if (keys_finalizer_patch(&body, &p, false) < 0)
		return error_oom(err);
	snprintf(path, sizeof(path), "/apis/casemate.dev/v1alpha1/namespaces/%s/enclaveprofiles/%s",
		namespace_, name);
	rq.body = buf_view(&body);
	r = kube_sync_call(c, &rq, err);
	if (r == 200)
		printf("profile %s/%s: its finalizer is removed\n", namespace_, name);
	else if (r >= 0 && r != 404)
		return kube_sync_refused(c, &rq, err);
	return r < 0 ? r : 0;
}

int command_uninstall_broker(int argc, char **argv)
{
	static const struct uninstall finalizers = {
		.program = "casemate-webhook",
		.command = "uninstall-broker",
		.kind = "deployment",
		.name = "casemate-broker",
		.who = "the broker",
		.about =
			"Ends the broker and takes its finalizer from all EnclaveProfiles, so that "
			"they can be\n"
			"deleted. The chart runs it before `helm uninstall` deletes the rest. Keys "
			"stay stored.\n",
		.objects = PROFILES_PATH,
		.clean = clean_profile,
	};

	return uninstall_command(&finalizers, argc, argv);
}
