# shellcheck shell=bash
# Attestation on the test cluster: a test that plays the node agent, with real tokens, right and wrong,
# and what everybody sees of it. Sourced after lib.sh and casemate.sh.
# shellcheck disable=SC2317,SC2329 # functions are called through check

WORK=$(mktemp -d)
AGENT=casemate-agent

# The account of agents and its policies are there, but no agent: the test is the agent.
install() {
	install_casemate --set verifier.enabled=true --set config.allowSimulated=true \
		--set agent.nodeSelector.nowhere=here "$@"
}

#
# An agent
#

# token FILE [OPTION...]: of the agents' account, for the verifier, bound as the options say.
token() {
	local file=$1

	shift
	kubectl -n "$SYSTEM" create token "$AGENT" --audience casemate.dev "$@" >"$WORK/$file"
}

node_token() { # FILE NODE
	token "$1" --bound-object-kind Node --bound-object-name "$2"
}

uid_of() {
	kubectl get node "$1" -o jsonpath='{.metadata.uid}'
}

# attest NODE [OPTION... FAULT...]: a round with the token in $WORK/NODE. Shows the last answer.
attest() {
	local node=$1 code=0

	shift
	kubectl -n "$SYSTEM" get configmap casemate-verifier-ca -o jsonpath='{.data.ca\.crt}' >"$WORK/ca.crt"
	in_network "$HERE/attest.py" --url "https://$(verifier_ip)" --ca "$WORK/ca.crt" \
		--name "casemate-verifier.$SYSTEM.svc" --token "$WORK/$node" --node "$node" \
		--uid "$(uid_of "$node")" "$@" >"$WORK/answers" || code=$?
	tail -n 1 "$WORK/answers"
	return $code
}

# refused STATUS REASON NODE [FAULT...]: the round ends so.
refused() {
	local status=$1 reason=$2 answer

	shift 2
	answer=$(attest "$@") && {
		echo "was accepted: $answer"
		return 1
	}
	[[ $answer == "$status "* && $(jq -r .reason <<<"${answer#* }") == "$reason" ]] || {
		echo "$answer"
		return 1
	}
}

# waive NAME COMMAND...: by kubectl as COMMAND has it, in the name given.
waive() {
	local by=$1

	shift
	"$@" annotate --overwrite na "$NODE" casemate.dev/waiver-until=2096-01-01T00:00:00Z \
		"casemate.dev/waiver-by=$by" casemate.dev/waiver-why="a test"
}

#
# What is seen
#

# record NODE JQ-FILTER
record() {
	kubectl get nodeattestation "$1" -o json | jq -e "$2"
}

condition_is() { # NODE STATUS REASON
	kubectl get node "$1" -o json | jq -e --arg s "$2" --arg r "$3" '.status.conditions[] |
		select(.type == "ConfidentialAttested") | .status == $s and .reason == $r and .message != ""'
}

has_event() { # NODE REASON
	kubectl -n default get events -o json | jq -e --arg n "$1" --arg r "$2" \
		'any(.items[]; .involvedObject.name == $n and .reason == $r)'
}

metrics() {
	local ip

	for ip in $(kubectl -n "$SYSTEM" get pods -l app.kubernetes.io/component=verifier -o jsonpath='{.items[*].status.podIP}'); do
		scrape "$ip" 8081 || return
	done
}

metrics_say() { # TEXT
	metrics | grep -F -- "$1"
}

# A pod that asks for a TEE, and no device with it.
pod() { # NAME
	{
		printf 'apiVersion: v1\nkind: Pod\nmetadata:\n  name: %s\n  annotations: {casemate.dev/tee: node}\n' "$1"
		printf 'spec:\n  terminationGracePeriodSeconds: 0\n  containers:\n'
		busybox_container app
	} | kubectl apply -f -
}

runs() { # POD
	wait_for 30 pod "$1" && wait_for 60 pod_phase_is "$1" Running
}

denied() { # TEXT COMMAND...
	local text=$1 output

	shift
	output=$("$@" 2>&1) && {
		echo "was allowed"
		return 1
	}
	[[ $output == *"$text"* ]] || {
		echo "$output"
		return 1
	}
}
