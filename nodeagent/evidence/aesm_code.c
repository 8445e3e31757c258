/* SPDX-License-Identifier: Apache-2.0
 *
 * AESM's errors (Intel's linux-sgx, common/inc/internal/aesm_error.h) and what to do about them. */
#include "nodeagent/evidence/aesm_message.h"

#define LOG    "see journalctl -u aesmd"
#define BROKEN "restart aesmd and " LOG

static const struct code {
	enum aesm_retry retry;
	bool passes; /* though asking again at once is of no use */
	const char *what, *remedy;
} codes[] = {
	[1] = {.what = "an unexpected error", .remedy = LOG},
	[2] = {.what = "no SGX device",
		.remedy = "give aesmd /dev/sgx_enclave and /dev/sgx_provision "
			  "(user aesmd in group sgx_prv) and restart it"},
	[3] = {.what = "it did not like a parameter", .remedy = "update AESM (2.12 or later)"},
	[12] = {AESM_LATER, true, "the network",
		"let the host reach its PCCS (pccs_url in /etc/sgx_default_qcnl.conf)"},
	[13] = {AESM_LATER, true, "the network is busy", "it passes; else " LOG},
	[15] = {.what = "it cannot read or write its files",
		.remedy = "see owner and space of /var/opt/aesmd"},
	[16] = {.what = "provisioning failed",
		.remedy = "give user aesmd the group sgx_prv and restart it"},
	[17] = {.passes = true, .what = "it is being stopped", .remedy = "start aesmd"},
	[18] = {AESM_LATER, true, "it is busy", "it passes; else " LOG},
	[20] = {.what = "an update of platform software is due",
		.remedy = "update the microcode and the sgx packages"},
	[21] = {.passes = true, .what = "it is out of memory", .remedy = "free memory of the host"},
	[22] = {.what = "it did not understand the message",
		.remedy = "update AESM (2.12 or later)"},
	[23] = {.passes = true, .what = "it cannot start a thread", .remedy = BROKEN},
	[24] = {.what = "the SGX device is not available",
		.remedy = "see sgx-enclave-device among this node's findings, and restart aesmd"},
	[29] = {.passes = true,
		.what = "there is no free EPC",
		.remedy = "end enclaves of the host, or reserve EPC for it (epc.reserve)"},
	[30] = {.what = "the service is unavailable",
		.remedy = "install libsgx-aesm-quote-ex-plugin "
			  "and libsgx-aesm-ecdsa-plugin, then "
			  "restart aesmd"},
	[31] = {.what = "it does not recognise this platform",
		.remedy = "register the platform with its PCCS (PCKIDRetrievalTool)"},
	[32] = {.what = "the ids of its ECDSA enclaves do not fit", .remedy = BROKEN},
	[34] = {.what = "its stored key is broken",
		.remedy = "remove /var/opt/aesmd/data/* and restart aesmd"},
	[35] = {.what = "its stored key is another", .remedy = BROKEN},
	[36] = {.what = "PCE signs in a way that it does not know",
		.remedy = "install the sgx packages of one version"},
	[37] = {.what = "its attestation key is broken",
		.remedy = "remove /var/opt/aesmd/data/* and restart aesmd"},
	[38] = {.what = "it does not support this attestation key",
		.remedy = "install libsgx-aesm-ecdsa-plugin and restart aesmd"},
	[39] = {.what = "the loading policy of its enclaves does not allow it", .remedy = BROKEN},
	[40] = {.what = "the interface is unavailable",
		.remedy = "install libsgx-aesm-ecdsa-plugin and restart aesmd"},
	[41] = {.what = "there is no platform library",
		.remedy = "install libsgx-dcap-default-qpl and restart aesmd"},
	[42] = {AESM_RESTART, true, "its attestation key is not initialised", BROKEN},
	[43] = {.what = "the platform's certificates are invalid",
		.remedy = "see what the PCCS has for this platform"},
	[44] = {.what = "there are no certificates of this platform",
		.remedy = "register the platform with its PCCS, and see pccs_url in "
			  "/etc/sgx_default_qcnl.conf"},
	[45] = {.what = "it made no report", .remedy = BROKEN},
	[46] = {AESM_LATER, true, "its enclaves were lost (the host slept?)", BROKEN},
	[47] = {.what = "the evidence enclave's report is not of this processor",
		.remedy = "the agent and aesmd must run on the same machine; " LOG},
	[48] = {.what = "its enclaves cannot be loaded",
		.remedy = "mount /dev with exec, give aesmd /dev/sgx_enclave, and " LOG},
	[49] = {.what = "its quoting enclave made no report", .remedy = BROKEN},
	[50] = {.what = "its attestation key was not certified", .remedy = BROKEN},
	[51] = {.what = "the configuration is not supported", .remedy = LOG},
};

static const struct code *code_of(uint32_t code)
{
	static const struct code unknown = {.what = "an error that is not known", .remedy = LOG};

	return code < ARRAY_SIZE(codes) && codes[code].what ? &codes[code] : &unknown;
}

enum aesm_retry aesm_code_retry(uint32_t code)
{
	return code_of(code)->retry;
}

int aesm_code_error(struct error *err, enum aesm_step step, uint32_t code)
{
	const struct code *c = code_of(code);

	return error_set(err, c->passes ? -EAGAIN : -EREMOTEIO,
		"AESM refuses %s: %s (error %u): %s", aesm_step_name(step), c->what, code,
		c->remedy);
}
