# SPDX-License-Identifier: Apache-2.0
"""What each alert is to fire for, and what it is not to. A row: the alert, what the row shows, the
minute to look at, how many alerts are to fire then, and the series (one value a minute, promtool's
notation)."""

AGENT = 'job="casemate-agent", namespace="sys", pod="agent-1", node="n1"'
OTHER = 'job="casemate-agent", namespace="sys", pod="agent-2", node="n2"'
ADMISSION = 'job="casemate-admission", namespace="sys", pod="admission-1"'
VERIFIER = 'job="casemate-verifier", namespace="sys", pod="verifier-1"'
BESIDE = 'job="casemate-verifier", namespace="sys", pod="verifier-2"'
BROKER = 'job="casemate-broker", namespace="sys", pod="broker-1"'
ASIDE = 'job="casemate-broker", namespace="sys", pod="broker-2"'
SECOND = 'job="casemate-admission", namespace="sys", pod="admission-2"'


def agent(name, labels=""):
    return f"casemate_agent_{name}{{{AGENT}{', ' + labels if labels else ''}}}"


def webhook(name, labels=""):
    return f"casemate_webhook_{name}{{{ADMISSION}{', ' + labels if labels else ''}}}"


def epc(free):
    return {
        agent("epc_bytes", 'kind="total", numa="0"'): "500x60",
        agent("epc_bytes", 'kind="total", numa="1"'): "500x60",
        agent("epc_bytes", 'kind="free", numa=""'): f"{free}x60",
    }


def quotes(result, rate):
    return {
        agent("quotes_total", 'source="aesm", result="ok"'): "0+100x60",
        agent("quotes_total", f'source="aesm", result="{result}"'): f"0+{rate}x60",
    }


def reviews(verdict, rate, others=100):
    return {
        webhook("reviews_total", 'webhook="mutate", operation="CREATE", verdict="passed", reason="Ok"'): f"0+{others}x60",
        webhook(
            "reviews_total", f'webhook="mutate", operation="CREATE", verdict="{verdict}", reason="EpcMissing"'
        ): f"0+{rate}x60",
    }


def latency(le, rate):
    return {
        webhook("review_duration_seconds_bucket", f'webhook="mutate", le="{bound}"'): f"0+{rate if bound >= le else 0}x60"
        for bound in (0.001, 0.05, 0.25, 1)
    } | {webhook("review_duration_seconds_bucket", 'webhook="mutate", le="+Inf"'): f"0+{rate}x60"}


def certificate(seconds):
    return {
        webhook("certificate_expiry_timestamp_seconds", 'kind="leaf"'): f"{seconds}x120",
        webhook("certificate_expiry_timestamp_seconds", 'kind="ca"'): "9000000x120",
    }


def keys(verdict, reason, rate):
    return {f'casemate_webhook_key_releases_total{{{BROKER}, protocol="rcar", verdict="{verdict}", reason="{reason}"}}': f"0+{rate}x60"}


def provisioned(result, rate):
    return {f'casemate_webhook_provision_connections_total{{{BROKER}, result="{result}"}}': f"0+{rate}x60"}


def rejections(error_type, name="pods.casemate.dev"):
    return {
        f'apiserver_admission_webhook_rejection_count{{job="apiserver", name="{name}", error_type="{error_type}"}}': "0+1x30"
    }


UP = {f"up{{{AGENT}}}": "1x60", f"up{{{ADMISSION}}}": "1x60", f"up{{{VERIFIER}}}": "1x60"}

ROWS = [
    ("CasemateApiDisconnected", "an agent without API server", 12, 1, {agent("api_connected"): "0x20"}),
    ("CasemateApiDisconnected", "one watch of two lost", 12, 1, {
        webhook("watch_connected", 'resource="enclaveprofiles"'): "1x20",
        webhook("watch_connected", 'resource="namespaces"'): "0x20"}),
    ("CasemateApiDisconnected", "all connected", 12, 0, {
        agent("api_connected"): "1x20", webhook("watch_connected", 'resource="namespaces"'): "1x20"}),
    ("CasemateApiDisconnected", "an API server that restarts", 12, 0, {agent("api_connected"): "1 1 0 0 0 1x20"}),

    ("CasemateConfigReloadFailed", "the first failure there is", 20, 1, {
        webhook("config_reloads_total", 'result="failure"'): "0x10 1x60"}),
    ("CasemateConfigReloadFailed", "one more failure, of an agent", 20, 1, {
        agent("config_reloads_total", 'result="failure"'): "3x15 4x60"}),
    ("CasemateConfigReloadFailed", "failures of long ago", 50, 0, {
        webhook("config_reloads_total", 'result="failure"'): "1x60"}),
    ("CasemateConfigReloadFailed", "successes", 20, 0, {
        webhook("config_reloads_total", 'result="success"'): "0 1+1x60"}),

    ("CasemateAgentDown", "one of two agents", 12, 1, {f"up{{{AGENT}}}": "0x20", f"up{{{OTHER}}}": "1x20"}),
    ("CasemateAgentDown", "no agent at all", 12, 1, {f"up{{{ADMISSION}}}": "1x20"}),
    ("CasemateAgentDown", "an agent that restarts", 12, 0, {f"up{{{AGENT}}}": "1x5 0x3 1x20"}),

    ("CasemateKubeletDisconnected", "not registered", 6, 1, {agent("kubelet_connected"): "0x20"}),
    ("CasemateKubeletDisconnected", "registered", 6, 0, {agent("kubelet_connected"): "1x20"}),
    ("CasemateKubeletDisconnected", "a kubelet that restarts", 6, 0, {agent("kubelet_connected"): "1 0 0 1x20"}),

    ("CasemateDeviceUnhealthy", "two resources", 6, 2, {
        agent("devices", 'resource="sgx.intel.com/enclave", health="unhealthy"'): "110x20",
        agent("devices", 'resource="sgx.intel.com/provision", health="unhealthy"'): "110x20"}),
    ("CasemateDeviceUnhealthy", "healthy ones", 6, 0, {
        agent("devices", 'resource="sgx.intel.com/enclave", health="healthy"'): "110x20",
        agent("devices", 'resource="sgx.intel.com/enclave", health="unhealthy"'): "0x20"}),

    ("CasematePlatformMisconfigured", "a check", 16, 1, {
        agent("platform_finding", 'check="sgx-dev-exec", state="Misconfigured"'): "1x20"}),
    ("CasematePlatformMisconfigured", "missing and ready hardware", 16, 0, {
        agent("platform_finding", 'check="sgx-dev-exec", state="Misconfigured"'): "0x20",
        agent("platform_finding", 'check="sgx-dev-exec", state="Missing"'): "1x20"}),

    ("CasemateEpcNearlyFull", "a twentieth is free", 32, 1, epc(50)),
    ("CasemateEpcNearlyFull", "a fifth is free", 32, 0, epc(200)),
    ("CasemateEpcNearlyFull", "nodes without EPC", 32, 0, {
        agent("epc_bytes", 'kind="total", numa="0"'): "0x60", agent("epc_bytes", 'kind="free", numa=""'): "0x60"}),

    ("CasemateEpcContested", "contested", 1, 1, {agent("capacity_contested", 'key="sgx.intel.com/epc"'): "1x5"}),
    ("CasemateEpcContested", "published", 1, 0, {agent("capacity_contested", 'key="sgx.intel.com/epc"'): "0x5"}),

    ("CasemateQuotesFailing", "AESM is away", 40, 1, quotes("unavailable", 20)),
    ("CasemateQuotesFailing", "AESM is slow", 40, 1, quotes("timeout", 20)),
    ("CasemateQuotesFailing", "a few failures", 40, 0, quotes("broken", 5)),
    ("CasemateQuotesFailing", "clients that leave", 40, 0, quotes("abandoned", 100)),

    ("CasemateSimulatedPlatform", "simulated", 1, 1, {agent("simulated"): "1x5"}),
    ("CasemateSimulatedPlatform", "real", 1, 0, {agent("simulated"): "0x5"}),

    ("CasemateAdmissionDown", "no replica", 6, 1, {f"up{{{ADMISSION}}}": "0x20", f"up{{{SECOND}}}": "0x20"}),
    ("CasemateAdmissionDown", "nothing is scraped", 6, 1, {f"up{{{AGENT}}}": "1x20"}),
    ("CasemateAdmissionDown", "one of two replicas", 6, 0, {f"up{{{ADMISSION}}}": "0x20", f"up{{{SECOND}}}": "1x20"}),

    ("CasemateAdmissionUnreachable", "calls fail", 20, 1, rejections("calling_webhook_error")),
    ("CasemateAdmissionUnreachable", "refusals", 20, 0, rejections("no_error")),
    ("CasemateAdmissionUnreachable", "another's webhook", 20, 0, rejections("calling_webhook_error", "pods.example.org")),

    ("CasemateAdmissionErrors", "errors", 20, 1, reviews("error", 5)),
    ("CasemateAdmissionErrors", "shed reviews", 20, 1, reviews("shed", 5)),
    ("CasemateAdmissionErrors", "one in a thousand", 20, 0, reviews("error", 1, 1000)),
    ("CasemateAdmissionErrors", "refusals", 20, 0, reviews("refused", 50)),

    ("CasemateRefusalsHigh", "a controller that tries again", 40, 1, reviews("refused", 2)),
    ("CasemateRefusalsHigh", "now and then", 40, 0, reviews("refused", 0.3)),

    ("CasemateReviewLatencyHigh", "slow reviews", 30, 1, latency(1, 10)),
    ("CasemateReviewLatencyHigh", "fast ones", 30, 0, latency(0.001, 10)),

    ("CasemateCertificateExpiring", "a leaf that nobody renews", 70, 1, certificate(80000)),
    ("CasemateCertificateExpiring", "one that is renewed in time", 70, 0, certificate(300000)),

    ("CasemateVerifierDown", "no replica", 6, 1, {f"up{{{VERIFIER}}}": "0x20", f"up{{{BESIDE}}}": "0x20"}),
    ("CasemateVerifierDown", "nothing is scraped", 6, 1, {f"up{{{AGENT}}}": "1x20"}),
    ("CasemateVerifierDown", "one of two replicas", 6, 0, {f"up{{{VERIFIER}}}": "0x20", f"up{{{BESIDE}}}": "1x20"}),

    ("CasemateVerifierWithoutLeader", "nobody leads", 6, 1, {
        f"casemate_webhook_leader{{{VERIFIER}}}": "0x20", f"casemate_webhook_leader{{{BESIDE}}}": "0x20"}),
    ("CasemateVerifierWithoutLeader", "one of two", 6, 0, {
        f"casemate_webhook_leader{{{VERIFIER}}}": "0x20", f"casemate_webhook_leader{{{BESIDE}}}": "1x20"}),
    ("CasemateVerifierWithoutLeader", "one takes over", 6, 0, {f"casemate_webhook_leader{{{VERIFIER}}}": "1 0 1x20"}),

    ("CasematePodsOnUntrustedNodes", "some, as the leader says", 6, 1, {
        f'casemate_webhook_pods_on_untrusted_nodes{{{VERIFIER}, verdict="Refused"}}': "3x20",
        f'casemate_webhook_pods_on_untrusted_nodes{{{BESIDE}, verdict="Refused"}}': "0x20"}),
    ("CasematePodsOnUntrustedNodes", "none", 6, 0, {
        f'casemate_webhook_pods_on_untrusted_nodes{{{VERIFIER}, verdict="Refused"}}': "0x20"}),
    ("CasematePodsOnUntrustedNodes", "they went", 6, 0, {
        f'casemate_webhook_pods_on_untrusted_nodes{{{VERIFIER}, verdict="Refused"}}': "3x2 0x20"}),

    ("CasemateTcbOutOfDate", "an old one", 16, 1, {
        f'casemate_webhook_nodes_by_reason{{{VERIFIER}, reason="TcbOutOfDate"}}': "1x20",
        f'casemate_webhook_nodes_by_reason{{{BESIDE}, reason="TcbOutOfDate"}}': "1x20"}),
    ("CasemateTcbOutOfDate", "other reasons", 16, 0, {
        f'casemate_webhook_nodes_by_reason{{{VERIFIER}, reason="Ok"}}': "4x20",
        f'casemate_webhook_nodes_by_reason{{{VERIFIER}, reason="QuoteSignatureInvalid"}}': "1x20"}),

    ("CasemateVerdictsLapsing", "some", 16, 1, {
        f'casemate_webhook_verdicts_lapsing{{{VERIFIER}, platform="sgx"}}': "2x20"}),
    ("CasemateVerdictsLapsing", "new evidence comes", 16, 0, {
        f'casemate_webhook_verdicts_lapsing{{{VERIFIER}, platform="sgx"}}': "2x5 0x20"}),

    ("CasemateCollateralExpiring", "in a day", 70, 1, {
        f'casemate_webhook_collateral_expiry_timestamp_seconds{{{VERIFIER}, kind="crl"}}': "86400x80"}),
    ("CasemateCollateralExpiring", "in a month", 70, 0, {
        f'casemate_webhook_collateral_expiry_timestamp_seconds{{{VERIFIER}, kind="crl"}}': "2592000x80"}),

    ("CasemateNodeNotTrusted", "refused, as both replicas say", 16, 1, {
        f'casemate_webhook_nodes{{{VERIFIER}, verdict="Refused", platform="sgx"}}': "2x20",
        f'casemate_webhook_nodes{{{BESIDE}, verdict="Refused", platform="sgx"}}': "2x20"}),
    ("CasemateNodeNotTrusted", "an old verdict", 16, 1, {
        f'casemate_webhook_nodes{{{VERIFIER}, verdict="Expired", platform="tdx"}}': "1x20"}),
    ("CasemateNodeNotTrusted", "attested", 16, 0, {
        f'casemate_webhook_nodes{{{VERIFIER}, verdict="Attested", platform="sgx"}}': "9x20",
        f'casemate_webhook_nodes{{{VERIFIER}, verdict="Refused", platform="sgx"}}': "0x20"}),

    ("CasemateBrokerDown", "no replica", 6, 1, {f"up{{{BROKER}}}": "0x20", f"up{{{ASIDE}}}": "0x20"}),
    ("CasemateBrokerDown", "nothing is scraped", 6, 1, {f"up{{{AGENT}}}": "1x20"}),
    ("CasemateBrokerDown", "one of two replicas", 6, 0, {f"up{{{BROKER}}}": "0x20", f"up{{{ASIDE}}}": "1x20"}),

    ("CasemateKeyStoreUnavailable", "a store that is not there", 5, 1, keys("refused", "StoreUnavailable", 1)),
    ("CasemateKeyStoreUnavailable", "other refusals", 5, 0, keys("refused", "IdentityNotAllowed", 1)),

    ("CasemateKeyRefusalsHigh", "a pod that tries again", 40, 1, keys("refused", "WorkloadNotAllowed", 2)),
    ("CasemateKeyRefusalsHigh", "now and then", 40, 0, keys("refused", "WorkloadNotAllowed", 0.3)),
    ("CasemateKeyRefusalsHigh", "releases", 40, 0, keys("released", "Ok", 20)),

    ("CasemateAuditFailing", "a full disk", 5, 1, {f"casemate_webhook_audit_failures_total{{{BROKER}}}": "0+1x20"}),
    ("CasemateAuditFailing", "all are written", 5, 0, {f"casemate_webhook_audit_failures_total{{{BROKER}}}": "0x20"}),

    ("CasemateKeyRotationOverdue", "two, as both replicas say", 6, 1, {
        f"casemate_webhook_keys_rotation_overdue{{{BROKER}}}": "2x20",
        f"casemate_webhook_keys_rotation_overdue{{{ASIDE}}}": "2x20"}),
    ("CasemateKeyRotationOverdue", "none", 6, 0, {f"casemate_webhook_keys_rotation_overdue{{{BROKER}}}": "0x20"}),
    ("CasemateKeyRotationOverdue", "the store comes back", 6, 0, {
        f"casemate_webhook_keys_rotation_overdue{{{BROKER}}}": "1 1 0x20"}),

    ("CasemateProvisioningFailing", "too many a second", 40, 1, provisioned("shed", 2)),
    ("CasemateProvisioningFailing", "peers that hang", 40, 1, provisioned("timeout", 2)),
    ("CasemateProvisioningFailing", "now and then", 40, 0, provisioned("timeout", 0.3)),
    ("CasemateProvisioningFailing", "a load balancer's probes", 40, 0, provisioned("broken", 20)),
    ("CasemateProvisioningFailing", "releases", 40, 0, provisioned("released", 20)),
]
