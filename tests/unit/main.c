/* SPDX-License-Identifier: Apache-2.0
 *
 * The one runner. A suite that is not listed does not run, so list it. */
#include <CUnit/Basic.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SUITES(X)                                                                                  \
	X(access)                                                                                  \
	X(again)                                                                                   \
	X(aesm_client)                                                                             \
	X(aesm_frame)                                                                              \
	X(aesm_message)                                                                            \
	X(aesm_relay)                                                                              \
	X(agent_metrics)                                                                           \
	X(arena)                                                                                   \
	X(ask)                                                                                     \
	X(attest)                                                                                  \
	X(attestation)                                                                             \
	X(attest_message)                                                                          \
	X(audit)                                                                                   \
	X(audit_publish)                                                                           \
	X(authority)                                                                               \
	X(az_tdx)                                                                                  \
	X(background)                                                                              \
	X(backoff)                                                                                 \
	X(binding)                                                                                 \
	X(buf)                                                                                     \
	X(bundle)                                                                                  \
	X(cabundle)                                                                                \
	X(capacity)                                                                                \
	X(capacity_plan)                                                                           \
	X(census)                                                                                  \
	X(cert)                                                                                    \
	X(cert_rules)                                                                              \
	X(certs)                                                                                   \
	X(challenge)                                                                               \
	X(choice)                                                                                  \
	X(claims)                                                                                  \
	X(client)                                                                                  \
	X(clock)                                                                                   \
	X(collateral)                                                                              \
	X(codec)                                                                                   \
	X(confidential)                                                                            \
	X(config)                                                                                  \
	X(credential)                                                                              \
	X(crl)                                                                                     \
	X(delivery)                                                                                \
	X(der)                                                                                     \
	X(daemon)                                                                                  \
	X(descriptors)                                                                             \
	X(deny_map)                                                                                \
	X(desk)                                                                                    \
	X(desk_message)                                                                            \
	X(devices)                                                                                 \
	X(dice)                                                                                    \
	X(dir_watch)                                                                               \
	X(enclave)                                                                                 \
	X(enforce)                                                                                 \
	X(epc_cgroup)                                                                              \
	X(error)                                                                                   \
	X(event)                                                                                   \
	X(evidence)                                                                                \
	X(exec_environment)                                                                        \
	X(exec_exchange)                                                                           \
	X(exec_http_head)                                                                          \
	X(exec_sgx_broker)                                                                         \
	X(exec_sgx_device)                                                                         \
	X(fetch)                                                                                   \
	X(explain)                                                                                 \
	X(file_watch)                                                                              \
	X(files)                                                                                   \
	X(first_node)                                                                              \
	X(format)                                                                                  \
	X(grant)                                                                                   \
	X(grpc)                                                                                    \
	X(grpc_call)                                                                               \
	X(grpc_limits)                                                                             \
	X(grpc_message)                                                                            \
	X(grpc_session)                                                                            \
	X(grpc_stream)                                                                             \
	X(grpc_wire)                                                                               \
	X(guest)                                                                                   \
	X(guest_grant)                                                                             \
	X(gzip)                                                                                    \
	X(handover)                                                                                \
	X(health)                                                                                  \
	X(holdings)                                                                                \
	X(intel)                                                                                   \
	X(intel_flip)                                                                              \
	X(intel_policy)                                                                            \
	X(intel_tcb)                                                                               \
	X(http)                                                                                    \
	X(http_get)                                                                                \
	X(http_tls)                                                                                \
	X(inventory)                                                                               \
	X(io)                                                                                      \
	X(json)                                                                                    \
	X(jwe)                                                                                     \
	X(issuer)                                                                                  \
	X(inspect)                                                                                 \
	X(judge)                                                                                   \
	X(kbs)                                                                                     \
	X(keyprovider)                                                                             \
	X(key_folders)                                                                             \
	X(key_message)                                                                             \
	X(key_provider)                                                                            \
	X(key_refresh)                                                                             \
	X(rollout)                                                                                 \
	X(key_sockets)                                                                             \
	X(kek_lines)                                                                               \
	X(kek_vault)                                                                               \
	X(keyring)                                                                                 \
	X(key_record)                                                                              \
	X(key_store)                                                                               \
	X(keys_heirs)                                                                              \
	X(keys_keeper)                                                                             \
	X(keys_make)                                                                               \
	X(keys_overdue)                                                                            \
	X(keys_plan)                                                                               \
	X(keys)                                                                                    \
	X(kubeconfig)                                                                              \
	X(lease)                                                                                   \
	X(log)                                                                                     \
	X(loop)                                                                                    \
	X(metrics)                                                                                 \
	X(monitor)                                                                                 \
	X(mutate)                                                                                  \
	X(names)                                                                                   \
	X(offer)                                                                                   \
	X(ops)                                                                                     \
	X(node_guest)                                                                              \
	X(node_view)                                                                               \
	X(ops_secure)                                                                              \
	X(packet)                                                                                  \
	X(patch)                                                                                   \
	X(pck)                                                                                     \
	X(places)                                                                                  \
	X(platform)                                                                                \
	X(plugin)                                                                                  \
	X(pod)                                                                                     \
	X(pod_resources)                                                                           \
	X(podsecurity)                                                                             \
	X(pod_mark)                                                                                \
	X(pod_marks)                                                                               \
	X(pods)                                                                                    \
	X(profile)                                                                                 \
	X(profile_set)                                                                             \
	X(pull)                                                                                    \
	X(publish)                                                                                 \
	X(quantity)                                                                                \
	X(rate)                                                                                    \
	X(qe_identity)                                                                             \
	X(quote)                                                                                   \
	X(ra_tls)                                                                                  \
	X(rcar_versions)                                                                           \
	X(record)                                                                                  \
	X(refusals)                                                                                \
	X(registration)                                                                            \
	X(review)                                                                                  \
	X(review_node)                                                                             \
	X(roots)                                                                                   \
	X(sealed)                                                                                  \
	X(secret)                                                                                  \
	X(server)                                                                                  \
	X(server_life)                                                                             \
	X(server_loop)                                                                             \
	X(server_room)                                                                             \
	X(session)                                                                                 \
	X(settings)                                                                                \
	X(sgx)                                                                                     \
	X(sgx_evidence)                                                                            \
	X(signature)                                                                               \
	X(sigstruct)                                                                               \
	X(simulate)                                                                                \
	X(simulated)                                                                               \
	X(simulated_verify)                                                                        \
	X(snp)                                                                                     \
	X(snp_cases)                                                                               \
	X(snp_report)                                                                              \
	X(status)                                                                                  \
	X(status_output)                                                                           \
	X(store)                                                                                   \
	X(store_cache)                                                                             \
	X(store_secrets)                                                                           \
	X(strays)                                                                                  \
	X(sweep)                                                                                   \
	X(sync)                                                                                    \
	X(tcb)                                                                                     \
	X(tcb_info)                                                                                \
	X(tee_world)                                                                               \
	X(tee_policy)                                                                              \
	X(tls)                                                                                     \
	X(token_review)                                                                            \
	X(trust)                                                                                   \
	X(vcek_store)                                                                              \
	X(utf8)                                                                                    \
	X(validate)                                                                                \
	X(vectors)                                                                                 \
	X(vcek)                                                                                    \
	X(vendors)                                                                                 \
	X(verdict)                                                                                 \
	X(verify_cache)                                                                            \
	X(verdicts)                                                                                \
	X(verify_cases)                                                                            \
	X(verify_merge)                                                                            \
	X(watch)                                                                                   \
	X(wipe)                                                                                    \
	X(workload_match)                                                                          \
	X(witness)                                                                                 \
	X(yaml)                                                                                    \
	X(yaml_scalar)

#define X(name) extern CU_TestInfo name##_tests[];
SUITES(X)
#undef X

static const struct {
	const char *name;
	CU_TestInfo *tests;
} suites[] = {
#define X(name) {#name, name##_tests},
	SUITES(X)
#undef X
};

/* "K/N": every Nth suite from the Kth, so that N processes run all of them. */
static bool of_part(size_t i, const char *part)
{
	char *end;
	size_t k = strtoul(part, &end, 10), n;

	if (end == part || *end != '/')
		return false;
	n = strtoul(end + 1, NULL, 10);
	return n && i % n == k;
}

/* run [SUITE|K/N...]: all, or those named. */
int main(int argc, char **argv)
{
	unsigned failures;

	signal(SIGPIPE, SIG_IGN);
	setvbuf(stdout, NULL, _IONBF, 0); /* a crash must not hide in which test */
	if (CU_initialize_registry() != CUE_SUCCESS)
		return EXIT_FAILURE;
	for (size_t i = 0; i < sizeof(suites) / sizeof(suites[0]); i++) {
		bool wanted = argc == 1;
		CU_SuiteInfo info[] = {
			{.pName = suites[i].name, .pTests = suites[i].tests},
			CU_SUITE_INFO_NULL,
		};

		for (int a = 1; a < argc; a++)
			wanted = wanted || strcmp(argv[a], suites[i].name) == 0 ||
				 of_part(i, argv[a]);
		if (wanted && CU_register_suites(info) != CUE_SUCCESS)
			return EXIT_FAILURE;
	}
	CU_basic_set_mode(CU_BRM_NORMAL);
	if (CU_basic_run_tests() != CUE_SUCCESS || CU_get_number_of_tests_run() == 0)
		return EXIT_FAILURE;
	failures = CU_get_number_of_failures();
	CU_cleanup_registry();
	return failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
