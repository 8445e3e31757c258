/* SPDX-License-Identifier: Apache-2.0
 *
 * Why something was refused (or not): one list for status, events, metrics, logs and CLI alike.
 * name, explanation, remedy. */
#pragma once

#define REASONS(X)                                                                                 \
	X(Ok, "nothing to object", "")                                                             \
	X(NotConfidential, "the pod asks for no TEE", "")                                          \
	X(Injected, "what the TEE needs was added", "")                                            \
	X(MirrorPod, "a static pod's mirror, written by the kubelet of its node", "")              \
	X(Malformed, "the object cannot be read", "correct the object")                            \
	X(TeeUnknown, "the TEE named is none that Casemate knows",                                 \
		"use sgx, tdx, snp, cvm, node, node-tdx or node-snp")                              \
	X(TeeConflict, "the pod asks for two different TEEs", "ask for one")                       \
	X(TeeNotConfigured, "no RuntimeClass is configured for this TEE",                          \
		"set runtimeClasses.<tee>.name")                                                   \
	X(ContainerUnknown, "an annotation names a container that the pod does not have",          \
		"correct the name")                                                                \
	X(AnnotationInvalid, "an annotation has a value that it cannot have", "correct it")        \
	X(EpcMissing, "an SGX container has no EPC size", "set casemate.dev/epc")                  \
	X(EpcInvalid, "an EPC size is no positive whole number of bytes", "correct it")            \
	X(EpcConflict, "two EPC sizes contradict each other", "remove one")                        \
	X(EpcAboveMaximum, "more EPC than the profile, namespace or configuration allows",         \
		"ask for less")                                                                    \
	X(ResourceInvalid, "an enclave resource is requested in a way Kubernetes cannot grant",    \
		"make requests and limits equal whole numbers")                                    \
	X(QuoteModeUnknown, "the quote mode is none that Casemate knows",                          \
		"use none, aesm or in-process")                                                    \
	X(ProvisionNotAllowed, "in-process quotes (the provision device) are not allowed here",    \
		"use aesm, or have the profile or configuration allow it")                         \
	X(RuntimeClassNotAccepted, "the RuntimeClass is not accepted for this TEE",                \
		"remove it or have configuration accept it")                                       \
	X(NodeSelectorConflict, "the pod's node selector contradicts the TEE's",                   \
		"remove the selector")                                                             \
	X(SimulatedNotAllowed, "a simulated TEE is not allowed here", "use a real TEE")            \
	X(NamespaceNotEnabled, "the namespace is not labelled for confidential workloads",         \
		"label it casemate.dev/confidential=enabled")                                      \
	X(ProfileNotFound, "the profile does not exist", "create it or correct the name")          \
	X(ProfileInvalid, "the profile is not valid", "correct the profile")                       \
	X(ProfileAmbiguous, "several profiles select the pod", "make their selectors disjoint")    \
	X(ProfileFixed, "a running pod's profile cannot be changed", "create a new pod")           \
	X(PodSecurityViolated, "a confidential pod must meet Pod Security baseline",               \
		"remove the field")                                                                \
	X(HostPathNotAllowed, "a confidential pod must not mount the host's files",                \
		"remove the volume")                                                               \
	X(NotAsPromised, "the pod lacks what its TEE needs",                                       \
		"let Casemate's mutating webhook see it, and nothing undo it")                     \
	X(KeysInInitContainer, "ordinary init containers cannot hold keys",                        \
		"use a native sidecar or an app container")                                        \
	X(ImageNotAllowed, "the image is not one of the profile's digests",                        \
		"use a listed digest")                                                             \
	X(AccessDenied, "nobody may enter a confidential pod",                                     \
		"have the profile allow it, or use a break-glass group")                           \
	X(PodUnknown, "the pod could not be looked up", "try again")                               \
	X(BreakGlass, "allowed to a break-glass group", "")                                        \
	X(Overloaded, "too many reviews at once", "")                                              \
	X(Internal, "out of memory or another fault of ours", "try again")

enum reason {
#define X(name, ...) REASON_##name,
	REASONS(X)
#undef X
	REASON_N
};

/* "EpcMissing" */
const char *reason_name(enum reason r);
/* One line each; remedy may be "". */
const char *reason_explanation(enum reason r);
const char *reason_remedy(enum reason r);
