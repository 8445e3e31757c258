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
	X(CommandMissing, "keys come in variables through casemate-exec, which needs a command",   \
		"name the command in the pod")                                                     \
	X(KeyDeliveryConflict, "the pod uses what Casemate delivers keys by", "rename yours")      \
	X(ImageNotAllowed, "the image is not one of the profile's digests", "use a listed digest") \
	X(AccessDenied, "nobody may enter a confidential pod",                                     \
		"have the profile allow it, or use a break-glass group")                           \
	X(PodUnknown, "the pod could not be looked up", "try again")                               \
	X(BreakGlass, "allowed to a break-glass group", "")                                        \
	/* of evidence: the platform */                                                            \
	X(Simulated, "a simulated TEE: nothing protects it", "use it for development alone")       \
	X(SampleNotAllowed, "sample evidence proves nothing", "use a TEE")                         \
	X(HostNotAttestable, "a host of confidential VMs proves nothing; their guests do", "")     \
	X(UnsupportedVersion,                                                                      \
		"a format version, algorithm or certification data type that "                     \
		"Casemate does not know",                                                          \
		"update Casemate, or what makes the evidence")                                     \
	X(UnknownRoot, "the certificates lead to no root that is trusted",                         \
		"use a genuine platform, or add the root to trustedRoots")                         \
	X(ChainInvalid, "the certificate chain is not as its vendor makes it",                     \
		"fetch the certificates anew")                                                     \
	X(CertificateExpired, "a certificate is not valid at this time",                           \
		"check the clock; fetch the certificates anew")                                    \
	X(CertificateRevoked, "the vendor revoked a certificate of the chain",                     \
		"take the platform out of service and ask its vendor")                             \
	X(CrlMissing, "there is no revocation list of the issuer",                                 \
		"add the CRL to the collateral")                                                   \
	X(CrlExpired, "a revocation list is not valid at this time", "fetch the CRL anew")         \
	X(CollateralMissing, "collateral for this platform is not there",                          \
		"configure a source that has it")                                                  \
	X(CollateralExpired, "collateral is not valid at this time", "fetch it anew")              \
	X(CollateralRolledBack, "collateral is older than what was seen, or than configured",      \
		"fetch it anew; ask who served the old one")                                       \
	X(CollateralInvalid, "collateral is not as its vendor makes it", "fetch it anew")          \
	X(CollateralSignatureInvalid, "the vendor did not sign this collateral",                   \
		"fetch it anew; ask who changed it")                                               \
	X(FmspcMismatch, "the collateral is for another kind of platform",                         \
		"fetch the TCB info of the FMSPC named")                                           \
	X(QuoteSignatureInvalid, "the signature over the evidence is wrong",                       \
		"the evidence was changed or made by somebody else")                               \
	X(QeReportInvalid, "the quoting enclave's report does not vouch for the quote's key",      \
		"the evidence was changed or made by somebody else")                               \
	X(QeIdentityMismatch, "the quoting enclave is not the vendor's",                           \
		"use the vendor's quoting enclave")                                                \
	X(TdxModuleMismatch, "the TDX module is none that the vendor vouches for",                 \
		"update firmware and TDX module")                                                  \
	X(ChipMismatch, "the certificate is of another chip or firmware than the report",          \
		"fetch the certificate of this chip and TCB")                                      \
	X(TcbOutOfDate, "a TCB recovery is missing", "update firmware, microcode and modules")     \
	X(TcbOutOfDateConfigurationNeeded,                                                         \
		"a TCB recovery is missing, and the firmware's settings need care",                \
		"update firmware, microcode and modules; review the settings")                     \
	X(TcbConfigurationNeeded, "the firmware's settings may weaken the TEE",                    \
		"change them (hyper-threading, for instance) or accept this status")               \
	X(TcbSwHardeningNeeded, "the code inside must mitigate the advisories itself",             \
		"see that it does, then accept this status and the advisories")                    \
	X(TcbConfigurationAndSwHardeningNeeded,                                                    \
		"firmware settings may weaken the TEE and the code inside must mitigate itself",   \
		"see to both, then accept this status and the advisories")                         \
	X(TcbRelaunchAdvised, "the platform was updated while the TD ran", "restart the TD")       \
	X(TcbRelaunchAdvisedConfigurationNeeded,                                                   \
		"the platform was updated while the TD ran, and its settings need care",           \
		"restart the TD; review the settings")                                             \
	X(TcbRevoked, "the vendor revoked this TCB", "take the platform out of service")           \
	X(TcbNotSupported, "the vendor knows no such TCB level",                                   \
		"update firmware; fetch the TCB info anew")                                        \
	X(TcbBelowMinimum, "the firmware is older than the policy's minimum", "update it")         \
	X(AdvisoryNotAccepted, "an advisory applies that the policy does not accept",              \
		"update, or accept the advisory")                                                  \
	X(DebugNotAllowed, "a debug TEE can be read by its host",                                  \
		"build and run it without debug")                                                  \
	X(PolicyBitsNotAllowed,                                                                    \
		"attributes that the policy does not allow are set, or wanted "                    \
		"ones are not",                                                                    \
		"start the TEE with other attributes, or change the policy")                       \
	X(VmplNotAllowed, "the report is of another privilege level",                              \
		"report from the level expected")                                                  \
	X(MeasurementNotAllowed, "what runs is not what the policy lists",                         \
		"run what is listed, or list what runs")                                           \
	X(ReportDataMismatch, "the evidence was made for something else",                          \
		"make new evidence for this challenge and key")                                    \
	/* of evidence: the protocol */                                                            \
	X(ChallengeInvalid, "the challenge is none of ours", "ask for a new one")                  \
	X(ChallengeExpired, "the challenge is too old", "ask for a new one")                       \
	X(ChallengeReplayed, "the challenge was used before", "ask for a new one")                 \
	X(PlatformOverused, "more nodes than configured are on one platform",                      \
		"find out which node lies, or raise maxNodesPerPlatform")                          \
	X(PlatformNotAllowed, "the platform is not on the allow-list", "add it if it is yours")    \
	X(PlatformDenied, "the platform is on the deny-list", "")                                  \
	X(NodeMismatch, "the evidence is of another node", "make evidence on this node")           \
	X(NodeDenied, "the node is on the deny-list", "")                                          \
	X(TokenInvalid, "the token does not say which node it belongs to",                         \
		"use the agent's projected token with the audience casemate.dev")                  \
	X(NotAttested, "no evidence has come yet", "see the node agent's log and status")          \
	X(EvidenceUnavailable, "the node can make no evidence", "see the node agent's status")     \
	X(VerdictExpired, "the last verdict is too old", "see the node agent's log and status")    \
	X(Waived, "a person of a break-glass group vouches for the node", "")                      \
	/* of keys */                                                                              \
	X(KeyNotFound, "the profile has no such key", "correct the key's name")                    \
	X(KeyRevoked, "the key is on the deny-list", "rotate it, or take it off the list")         \
	X(NamespaceNotAllowed, "keys stay in the namespace of their profile",                      \
		"ask from a pod of that namespace, labelled casemate.dev/confidential=enabled")    \
	X(IdentityAmbiguous, "several profiles would give this enclave a key of theirs",           \
		"have one of them alone name a gramineKey for it")                                 \
	X(IdentityNotAllowed, "what was proved is none of the key's identities",                   \
		"run what is listed, or list what runs")                                           \
	X(WorkloadNotAllowed, "the pod is not what the profile's workload says",                   \
		"run what is listed, or list what runs")                                           \
	X(ServiceAccountNotAllowed, "the key is not granted to this service account",              \
		"use one that the key's grant lists")                                              \
	X(SessionExpired, "the session or token is too old, or none of ours", "attest again")      \
	X(StoreUnavailable, "the key store cannot be read or written", "see the broker's log")     \
	X(RateLimited, "too many requests", "try again later")                                     \
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
/* Both in one line. */
const char *reason_advice(enum reason r);
