# shellcheck shell=bash
# Keys on the test cluster: a profile, pods that are promised its keys, and who asks for them: a test that
# plays the node agent, with real tokens, or the agent's own socket. Sourced after casemate.sh; WORK is a
# folder.
# shellcheck disable=SC2317,SC2329 # functions are called through check

NS=keys-test
PATIENCE=120 # seconds in which somebody must have decided
# shellcheck disable=SC2016 # the container's variable
SCRIPT=$(jq -n '$s' --arg s 'echo "The secret key is: $SECRET_KEY."; sleep 3600')

keys_are_allocatable() {
	kubectl get node "$NODE" -o json | jq -e '.status.allocatable["casemate.dev/keys"] // "0" | tonumber > 0'
}

# keys_profile NAME TEE DELIVER IDENTITY [KEY-MEMBERS] [SPEC-LINE]: with the keys secret-key, delivered so
# ("": asked for by name), and other-key.
keys_profile() {
	kubectl apply -f - <<-YAML
		apiVersion: v1
		kind: Namespace
		metadata: {name: $NS, labels: {casemate.dev/confidential: enabled}}
		---
		apiVersion: casemate.dev/v1alpha1
		kind: EnclaveProfile
		metadata: {name: $1, namespace: $NS}
		spec:
		  tee: $2
		  workload:
		    containers:
		    - {name: app, imageDigests: ["$DIGEST"], command: [sh, -c, $SCRIPT]}
		  identities:
		  - {name: it, $4}
		  keys:
		  - {name: secret-key, type: password, size: 24, identities: [it], grant: {serviceAccounts: [default]}${5:+, $5}${3:+, deliver: $3}}
		  - {name: other-key, type: password, size: 24, identities: [it], grant: {serviceAccounts: [default]}${5:+, $5}}
		  ${6-}
	YAML
}

keys_are_ready() { # PROFILE
	kubectl -n "$NS" get enclaveprofile "$1" -o json | jq -e 'any(.status.conditions[]?; .type == "KeysReady" and .status == "True")'
}

keys_pod() { # NAME PROFILE
	kubectl apply -f - <<-YAML
		apiVersion: v1
		kind: Pod
		metadata: {name: $1, namespace: $NS, annotations: {casemate.dev/profile: $2}}
		spec:
		  terminationGracePeriodSeconds: 0
		  containers:
		  - {name: app, image: "registry.local/busybox@$DIGEST", command: [sh, -c, $SCRIPT]}
	YAML
}

keys_pod_runs() { # NAME
	[[ $(kubectl -n "$NS" get pod "$1" -o jsonpath='{.status.phase}') == Running ]]
}

keys_pod_says() { # NAME TEXT
	local log

	log=$(kubectl -n "$NS" logs "$1")
	[[ $log == *"$2"* ]] || {
		echo "${log:0:200}"
		return 1
	}
}

keys_uid() { # POD
	kubectl -n "$NS" get pod "$1" -o jsonpath='{.metadata.uid}'
}

keys_token() { # POD: to $WORK/POD.token
	kubectl -n "$NS" create token default --audience casemate.dev --bound-object-kind Pod \
		--bound-object-name "$1" --bound-object-uid "$(keys_uid "$1")" >"$WORK/$1.token"
}

# The refusal is told on the pod; the words are those of the reason.
keys_event() { # POD REASON
	kubectl -n "$NS" get events -o json | jq -e --arg p "$1" --arg r "($2)" \
		'any(.items[]; .involvedObject.name == $p and .reason == "KeyRefused" and ((.message // "") | endswith($r)))'
}

# The broker's audit log has a line about the pod with that reason.
keys_audit() { # POD REASON
	kubectl -n "$SYSTEM" logs --tail=-1 -l app.kubernetes.io/component=broker | grep -F '"seq"' |
		jq -Rne --arg p "$1" --arg r "$2" '[inputs | fromjson?] | any(.[]; .pod == $p and .reason == $r)'
}

#
# A test in the agent's place
#

# as_agent DO POD KEY [OPTION... FAULT...]: with the agents' token in $WORK/$NODE; see keys_agent.py.
as_agent() {
	local do=$1 pod=$2 key=$3 map

	shift 3
	mkdir -p "$WORK/keys"
	for map in verifier broker; do
		[[ -s $WORK/keys/$map.crt ]] || kubectl -n "$SYSTEM" get configmap "casemate-$map-ca" -o jsonpath='{.data.ca\.crt}' >"$WORK/keys/$map.crt"
	done
	keys_token "$pod"
	in_network "$HERE/keys_agent.py" --verifier "$(verifier_ip)" --broker "$(address_of casemate-broker)" \
		--namespace "$SYSTEM" --ca "$WORK/keys" --token "$WORK/$NODE" --pod-token "$WORK/$pod.token" \
		--node "$NODE" --uid "$(uid_of "$NODE")" --state "$WORK/keys" --patience "$PATIENCE" "$do" "$NS/$key" "$@"
}

# no_key STATUS REASON DO POD KEY [OPTION... FAULT...]
no_key() {
	local status=$1 reason=$2 answer

	shift 2
	answer=$(as_agent "$@") && {
		echo "got it"
		return 1
	}
	[[ $answer == "$status $reason "* ]] || {
		echo "$answer"
		return 1
	}
}

#
# By the agent's socket, as in a container
#

keys_folder() { # POD: of its container, as the node sees it
	local folder uid

	uid=$(keys_uid "$1")
	for folder in $(in_node sh -c 'ls -d /run/casemate/keys/*'); do
		if [[ $(in_node cat "$folder/.owner" 2>/dev/null) == "$uid" ]]; then
			echo "$folder"
			return
		fi
	done
	return 1
}

keys_ask() { # POD KEY
	keys_token "$1"
	in_node "$HERE/keys_client.py" "$(keys_folder "$1")" "$WORK/$1.token" "$2" "$PATIENCE"
}

keys_ask_in_vain() { # REASON POD KEY
	local reason=$1 output

	shift
	output=$(keys_ask "$@") && {
		echo "got it"
		return 1
	}
	[[ $output == *"$reason"* ]] || {
		echo "$output"
		return 1
	}
}
