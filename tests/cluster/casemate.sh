# shellcheck shell=bash
# Casemate on the test cluster: what the admission test and the demo share. Sourced after lib.sh.

ROOT=$(cd "$HERE/../.." && pwd)
SYSTEM=casemate-system
WEBHOOK=$ROOT/build/gcc/webhook/casemate-webhook
PREFIX=casemate.dev.node-restriction.kubernetes.io

# The image as `make image` built it; its tag is the chart's appVersion.
image_tag() {
	sed -n 's/^appVersion: *"\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' "$ROOT/charts/casemate/Chart.yaml"
}

load_casemate() {
	"$HERE/load-image" --name "$CLUSTER" "$ROOT/build/image:$(image_tag)" "registry.local/casemate:$(image_tag)"
}

# Kata's handlers are stand-ins here: runc under other names (see up).
casemate_values() {
	cat <<-'YAML'
		image: {registry: registry.local, pullPolicy: Never}
		# There is no DNS here.
		helmTest: {host: $(CASEMATE_ADMISSION_METRICS_SERVICE_HOST)}
		runtimeClasses:
		  tdx: {handler: kata-tdx, overhead: {cpu: 10m, memory: 16Mi}}
		  snp: {handler: kata-snp, overhead: {}}
		# Tests that set verdicts by hand (fake-node) must not meet who would take them away.
		verifier: {enabled: false}
	YAML
}

# install_casemate [HELM-OPTION...]: installs or upgrades and waits until it serves. A Service answers
# only a moment after its pods are ready.
install_casemate() {
	casemate_values | helm upgrade --install casemate "$ROOT/charts/casemate" \
		--namespace "$SYSTEM" --create-namespace --values - --wait --timeout 240s "$@" &&
		wait_for 30 casemate_serves
}

verifier_ip() {
	kubectl -n "$SYSTEM" get service casemate-verifier -o jsonpath='{.spec.clusterIP}'
}

# install_agent [HELM-OPTION...]: with a verifier that was there before, and agents that prove themselves to
# it. Where it is they know by its address: there is no DNS here.
install_agent() {
	install_casemate --set verifier.enabled=true --set config.allowSimulated=true \
		--set agent.simulate=sgx:epc=128Mi --set "agent.hostAliases[0].ip=$(verifier_ip)" \
		--set "agent.hostAliases[0].hostnames={casemate-verifier.$SYSTEM.svc}" "$@"
}

label() { # NODE NAME: its value, - when there is none
	kubectl get node "$1" -o json | jq -r --arg k "$PREFIX/$2" '.metadata.labels[$k] // "-"'
}

label_is() { # NODE NAME VALUE
	local got

	got=$(label "$1" "$2")
	[[ $got == "$3" ]] || {
		echo "label $2 is $got"
		return 1
	}
}

# Where no node is attested yet, that is its answer.
casemate_serves() {
	local output

	output=$(kubectl -n default run serves --dry-run=server --image=none \
		--annotations=casemate.dev/tee=sgx --annotations=casemate.dev/epc=1Mi 2>&1) ||
		[[ $output == *"denied the request: no node is trusted"* ]] || {
		echo "$output"
		return 1
	}
}

# metrics_token NAMESPACE/SERVICEACCOUNT AUDIENCE: what a scraper would have projected.
metrics_token() {
	kubectl -n "${1%/*}" create token "${1#*/}" --audience "$2"
}

# scrape ADDRESS PORT: the metrics of a pod.
scrape() {
	local token

	token=$(metrics_token default/default casemate-metrics) && in_network curl -skf --max-time 10 -H "Authorization: Bearer $token" "https://$1:$2/metrics"
}

# A container that only has to run, as YAML below `containers:`.
busybox_container() { # NAME [MORE YAML, one line each]
	local name=$1 line

	shift
	printf '  - name: %s\n    image: registry.local/busybox:test\n    imagePullPolicy: Never\n    command: [sleep, infinity]\n' "$name"
	for line in "$@"; do
		printf '    %s\n' "$line"
	done
}

address_of() {
	kubectl -n "$SYSTEM" get service "$1" -o jsonpath='{.spec.clusterIP}'
}

# agent_names: sets NAMES to the options by which agents know verifier and broker, once these have Services.
agent_names() {
	local role

	NAMES=()
	for role in verifier broker; do
		NAMES+=(--set "agent.hostAliases[$((${#NAMES[@]} / 4))].ip=$(address_of "casemate-$role")"
			--set "agent.hostAliases[$((${#NAMES[@]} / 4))].hostnames={casemate-$role.$SYSTEM.svc}")
	done
}

# install_with_keys [HELM-OPTION...]: verifier and broker as well, on a simulated platform. This cluster
# has no DNS: where their Services are is known after the first time.
install_with_keys() {
	local options=(--set config.allowSimulated=true --set verifier.enabled=true
		--set broker.enabled=true --set broker.insecureKekInSecret=true "$@")

	install_casemate "${options[@]}" &&
		agent_names &&
		install_casemate "${options[@]}" "${NAMES[@]}"
}

# encrypt_in_broker FILE: writes how image tools reach the key provider: a command in the broker's pod,
# where the keys are.
encrypt_in_broker() {
	jq -n --arg kubectl "$HERE/kubectl" --arg cluster "$CLUSTER" --arg system "$SYSTEM" '{"key-providers": {casemate: {cmd: {
		path: $kubectl,
		args: ["--name", $cluster, "-n", $system, "exec", "-i", "deploy/casemate-broker", "--",
			"casemate-webhook", "keyprovider", "--namespace", $system, "--insecure-kek-in-secret"]}}}}' >"$1"
}
