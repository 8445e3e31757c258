# shellcheck shell=bash
# What the node agents' account may write: nothing but the capacities of its own Node and Events about
# it. Sourced after lib.sh by tests where the chart's agent rights are installed;
#
#	fence_checks
#
# tries everything with tokens of that account and leaves the Node as it was. AGENT_NAMESPACE and
# AGENT_ACCOUNT say whose. Needs curl and jq.
# shellcheck disable=SC2317,SC2329 # functions are called through check

AGENT_NAMESPACE=${AGENT_NAMESPACE:-casemate-system}
AGENT_ACCOUNT=${AGENT_ACCOUNT:-casemate-agent}
FENCE_NODE=/api/v1/nodes/$NODE
FENCE_EVENTS=/apis/events.k8s.io/v1/namespaces/default/events
FENCE_ANSWER=$(mktemp)
FENCE_TOKEN=

# agent METHOD PATH [BODY [CONTENT-TYPE]]: one request with the token; prints the answer, succeeds when
# the API server agreed. Not kubectl, which reads before it writes.
agent() {
	local code

	code=$(in_network curl -sS -o "$FENCE_ANSWER" -w '%{http_code}' -X "$1" --cacert "$STATE/certs/ca.crt" \
		-H "Authorization: Bearer $FENCE_TOKEN" -H "Content-Type: ${4:-application/merge-patch+json}" \
		${3:+--data-binary "$3"} "https://$NODE_IP:6443$2") || return
	cat "$FENCE_ANSWER"
	[[ $code == 2* ]]
}

# fenced WORDS AGENT-ARGUMENTS...: refused, with these words in the message.
fenced() {
	local words=$1 output

	shift
	if output=$(agent "$@"); then
		echo "was allowed: ${output:0:300}"
		return 1
	fi
	[[ $(jq -r '"\(.code) \(.message)"' <<<"$output") == 403*"$words"* ]] || {
		echo "refused with other words: $output"
		return 1
	}
}


capacity_is() { # KEY VALUE
	[[ $(kubectl get node "$NODE" -o json | jq -r --arg k "$1" '.status.capacity[$k]') == "$2" ]]
}

# event [JQ]: an Event about the own Node, changed by the filter.
event() {
	jq -cn --arg node "$NODE" --arg name "fence-$RANDOM$RANDOM" '
		{apiVersion: "events.k8s.io/v1", kind: "Event", metadata: {name: $name, namespace: "default"},
		 eventTime: "2026-01-01T00:00:00.000000Z", type: "Normal", reason: "EpcRepublished", action: "Publish",
		 reportingController: "casemate.dev/nodeagent", reportingInstance: "fence", note: "A test",
		 regarding: {apiVersion: "v1", kind: "Node", name: $node}} | '"${1:-.}"
}

# The same in the older API, under the name that follows.
core_event() { # NODE
	jq -cn --arg node "$1" --arg name "fence-$RANDOM$RANDOM" '
		{apiVersion: "v1", kind: "Event", metadata: {name: $name, namespace: "default"},
		 eventTime: "2026-01-01T00:00:00.000000Z", type: "Normal", reason: "EpcRepublished", action: "Publish",
		 reportingComponent: "casemate.dev/nodeagent", reportingInstance: "fence", message: "A test",
		 involvedObject: {apiVersion: "v1", kind: "Node", name: $node}}'
}

fence_token() { # [--bound-object-... OPTIONS]
	FENCE_TOKEN=$(kubectl -n "$AGENT_NAMESPACE" create token "$AGENT_ACCOUNT" "$@")
}

fence_capacity() {
	local key

	for key in sgx.intel.com/epc tdx.intel.com/keys sev-snp.amd.com/esids; do
		check "agent: sets $key" agent PATCH "$FENCE_NODE/status" "{\"status\":{\"capacity\":{\"$key\":\"41943040\"}}}"
		check "agent: $key is there" capacity_is "$key" 41943040
	done
	check "agent: what is as it was may come along" agent PATCH "$FENCE_NODE/status" \
		"$(kubectl get node "$NODE" -o json | jq -c '{metadata: (.metadata | {labels, annotations}), status: (.status | {conditions, addresses, images, nodeInfo})}')"
	check "agent: strategic merge" agent PATCH "$FENCE_NODE/status" '{"status":{"capacity":{"sgx.intel.com/epc":"1048576"}}}' application/strategic-merge-patch+json
	check "agent: JSON patch" agent PATCH "$FENCE_NODE/status" '[{"op":"replace","path":"/status/capacity/sgx.intel.com~1epc","value":"2097152"}]' application/json-patch+json
	check "agent: removes them" agent PATCH "$FENCE_NODE/status" \
		'{"status":{"capacity":{"sgx.intel.com/epc":null,"tdx.intel.com/keys":null,"sev-snp.amd.com/esids":null}}}'
	check "agent: they are gone" capacity_is sgx.intel.com/epc null
}

fence_own_node() {
	local metadata="changes no metadata" status="changes nothing of its Node's status" capacity="changes no capacity"

	check "fence: a label" fenced "$metadata" PATCH "$FENCE_NODE/status" '{"metadata":{"labels":{"a":"b"}}}'
	check "fence: the verifier's label" fenced "$metadata" PATCH "$FENCE_NODE/status" \
		'{"metadata":{"labels":{"casemate.dev.node-restriction.kubernetes.io/attested":"true"}}}'
	check "fence: no labels" fenced "$metadata" PATCH "$FENCE_NODE/status" '{"metadata":{"labels":null}}'
	check "fence: an annotation" fenced "$metadata" PATCH "$FENCE_NODE/status" '{"metadata":{"annotations":{"a":"b"}}}'
	check "fence: a finalizer" fenced "$metadata" PATCH "$FENCE_NODE/status" '{"metadata":{"finalizers":["a.b/c"]}}'
	check "fence: an owner" fenced "$metadata" PATCH "$FENCE_NODE/status" \
		'{"metadata":{"ownerReferences":[{"apiVersion":"v1","kind":"Pod","name":"a","uid":"b"}]}}'
	check "fence: a condition" fenced "$status" PATCH "$FENCE_NODE/status" \
		'{"status":{"conditions":[{"type":"ConfidentialAttested","status":"True"}]}}' application/strategic-merge-patch+json
	check "fence: no conditions" fenced "$status" PATCH "$FENCE_NODE/status" '{"status":{"conditions":null}}'
	check "fence: allocatable" fenced "$status" PATCH "$FENCE_NODE/status" '{"status":{"allocatable":{"cpu":"64"}}}'
	check "fence: allocatable EPC" fenced "$status" PATCH "$FENCE_NODE/status" '{"status":{"allocatable":{"sgx.intel.com/epc":"1Gi"}}}'
	check "fence: an address" fenced "$status" PATCH "$FENCE_NODE/status" '{"status":{"addresses":[{"type":"InternalIP","address":"10.245.0.9"}]}}'
	check "fence: images" fenced "$status" PATCH "$FENCE_NODE/status" '{"status":{"images":[{"names":["a"]}]}}'
	check "fence: volumes" fenced "$status" PATCH "$FENCE_NODE/status" '{"status":{"volumesInUse":["a"]}}'
	check "fence: attached volumes" fenced "$status" PATCH "$FENCE_NODE/status" '{"status":{"volumesAttached":[{"name":"a","devicePath":"b"}]}}'
	check "fence: versions" fenced "$status" PATCH "$FENCE_NODE/status" '{"status":{"nodeInfo":{"kubeletVersion":"v9"}}}'
	check "fence: the kubelet's port" fenced "$status" PATCH "$FENCE_NODE/status" '{"status":{"daemonEndpoints":{"kubeletEndpoint":{"Port":1}}}}'
	check "fence: phase" fenced "$status" PATCH "$FENCE_NODE/status" '{"status":{"phase":"Terminated"}}'
	check "fence: runtime handlers" fenced "$status" PATCH "$FENCE_NODE/status" '{"status":{"runtimeHandlers":[{"name":"kata-tdx"}]}}'
	check "fence: the whole status" fenced "$status" PATCH "$FENCE_NODE/status" '{"status":null}'
	check "fence: cpu" fenced "$capacity" PATCH "$FENCE_NODE/status" '{"status":{"capacity":{"cpu":"64"}}}'
	check "fence: a foreign resource" fenced "$capacity" PATCH "$FENCE_NODE/status" '{"status":{"capacity":{"example.com/gpu":"1"}}}'
	check "fence: devices are the kubelet's" fenced "$capacity" PATCH "$FENCE_NODE/status" '{"status":{"capacity":{"sgx.intel.com/enclave":"1"}}}'
	check "fence: removing a foreign resource" fenced "$capacity" PATCH "$FENCE_NODE/status" '{"status":{"capacity":{"cpu":null}}}'
	check "fence: removing all" fenced "$capacity" PATCH "$FENCE_NODE/status" '{"status":{"capacity":null}}'
	check "fence: EPC and a label with it" fenced "$metadata" PATCH "$FENCE_NODE/status" \
		'{"metadata":{"labels":{"a":"b"}},"status":{"capacity":{"sgx.intel.com/epc":"1"}}}'
	check "fence: a taint does not go through" taint_does_not_go_through
}

# The API server ignores what a status says of the spec.
taint_does_not_go_through() {
	agent PATCH "$FENCE_NODE/status" '{"spec":{"unschedulable":true,"taints":[{"key":"a","effect":"NoExecute"}]}}'
	[[ $(kubectl get node "$NODE" -o json | jq -c '[.spec.unschedulable, (.spec.taints // [] | map(.key) | index("a"))]') == '[null,null]' ]]
}

fence_others() {
	local own="the status of its own Node alone"

	check "fence: another Node's EPC" fenced "$own" PATCH /api/v1/nodes/fence-other/status '{"status":{"capacity":{"sgx.intel.com/epc":"1"}}}'
	check "rights: a Node's labels" fenced "cannot patch" PATCH "$FENCE_NODE" '{"metadata":{"labels":{"a":"b"}}}'
	check "rights: a taint" fenced "cannot patch" PATCH "$FENCE_NODE" '{"spec":{"taints":[{"key":"a","effect":"NoExecute"}]}}'
	check "rights: the whole status" fenced "cannot update" PUT "$FENCE_NODE/status" "$(kubectl get node "$NODE" -o json)" application/json
	check "rights: a Node deleted" fenced "cannot delete" DELETE "$FENCE_NODE"
	check "rights: a Node made" fenced "cannot create" POST /api/v1/nodes '{"metadata":{"name":"fence-third"}}' application/json
	check "rights: the kubelet behind it" fenced "cannot get" GET "$FENCE_NODE/proxy/pods"
	check "rights: secrets" fenced "cannot list" GET /api/v1/secrets
	check "rights: a secret" fenced "cannot get" GET "/api/v1/namespaces/$AGENT_NAMESPACE/secrets/casemate-admission-tls"
	check "rights: configmaps" fenced "cannot list" GET /api/v1/configmaps
	check "rights: a pod made" fenced "cannot create" POST /api/v1/namespaces/default/pods '{"metadata":{"name":"fence"}}' application/json
	check "rights: a pod deleted" fenced "cannot delete" DELETE /api/v1/namespaces/default/pods/fence
	check "rights: exec" fenced "cannot get" GET "/api/v1/namespaces/default/pods/fence/exec?command=id"
	check "rights: a token" fenced "cannot create" POST "/api/v1/namespaces/$AGENT_NAMESPACE/serviceaccounts/$AGENT_ACCOUNT/token" '{}' application/json
	check "rights: events elsewhere" fenced "cannot create" POST /apis/events.k8s.io/v1/namespaces/kube-system/events "$(event '.metadata.namespace = "kube-system"')" application/json
}

fence_events() {
	local own="about its own Node alone"

	check "agent: an Event about its Node" agent POST "$FENCE_EVENTS" "$(event)" application/json
	check "fence: an Event about another Node" fenced "$own" POST "$FENCE_EVENTS" "$(event '.regarding.name = "fence-other"')" application/json
	check "fence: an Event about a Pod" fenced "$own" POST "$FENCE_EVENTS" \
		"$(event '.regarding = {apiVersion: "v1", kind: "Pod", namespace: "default", name: .regarding.name}')" application/json
	check "fence: an Event about nothing" fenced "$own" POST "$FENCE_EVENTS" "$(event 'del(.regarding)')" application/json
	check "fence: an Event with a relative" fenced "$own" POST "$FENCE_EVENTS" \
		"$(event '.related = {apiVersion: "v1", kind: "Node", name: "fence-other"}')" application/json
	check "fence: an Event in the kubelet's name" fenced "$own" POST "$FENCE_EVENTS" "$(event '.reportingController = "kubelet"')" application/json
}

# fence_update JQ COMMAND...: puts the own Node's status, changed by the filter, by agent or fenced. To be
# tried again: an update carries the version that it saw, and the kubelet is quicker now and then.
fence_update() {
	local filter=$1

	shift
	"$@" PUT "$FENCE_NODE/status" "$(kubectl get node "$NODE" -o json | jq -c "$filter")" application/json
}

# With rights that somebody gave the account by mistake the policies still hold.
fence_without_rbac() {
	local only="writes nothing of Nodes but their status"

	kubectl create clusterrole fence-too-much --verb='*' --resource=nodes,nodes/status,nodes/proxy,events,events.events.k8s.io >/dev/null
	kubectl create clusterrolebinding fence-too-much --clusterrole=fence-too-much --serviceaccount="$AGENT_NAMESPACE:$AGENT_ACCOUNT" >/dev/null
	check "fence: a Node's labels" wait_for 20 fenced "$only" PATCH "$FENCE_NODE" '{"metadata":{"labels":{"a":"b"}}}'
	check "fence: a Node's capacity, not through status" fenced "$only" PATCH "$FENCE_NODE" '{"status":{"capacity":{"sgx.intel.com/epc":"1"}}}'
	check "fence: a taint" fenced "$only" PATCH "$FENCE_NODE" '{"spec":{"taints":[{"key":"a","effect":"NoExecute"}]}}'
	check "fence: a Node deleted" fenced "$only" DELETE "$FENCE_NODE"
	check "fence: all Nodes deleted" fenced "$only" DELETE /api/v1/nodes
	check "fence: a Node made" fenced "$only" POST /api/v1/nodes '{"apiVersion":"v1","kind":"Node","metadata":{"name":"fence-third"}}' application/json
	check "fence: a Node made by apply" fenced "$only" PATCH "/api/v1/nodes/fence-third?fieldManager=f" \
		'{"apiVersion":"v1","kind":"Node","metadata":{"name":"fence-third"}}' application/apply-patch+yaml
	check "fence: the kubelet behind it" fenced "$only" POST "$FENCE_NODE/proxy/run/default/a/b?cmd=id"
	check "agent: EPC by update" wait_for 10 fence_update '.status.capacity["sgx.intel.com/epc"] = "3145728"' agent
	check "fence: a label by update" wait_for 10 fence_update '.metadata.labels.a = "b"' fenced "changes no metadata"
	check "fence: cpu by update" wait_for 10 fence_update '.status.capacity.cpu = "64"' fenced "changes no capacity"
	check "agent: EPC by apply" agent PATCH "$FENCE_NODE/status?fieldManager=f&force=true" \
		'{"apiVersion":"v1","kind":"Node","metadata":{"name":"'"$NODE"'"},"status":{"capacity":{"sgx.intel.com/epc":"4194304"}}}' application/apply-patch+yaml
	check "fence: a label by apply" fenced "changes no metadata" PATCH "$FENCE_NODE/status?fieldManager=f&force=true" \
		'{"apiVersion":"v1","kind":"Node","metadata":{"name":"'"$NODE"'","labels":{"a":"b"}}}' application/apply-patch+yaml
	check "fence: a condition by apply" fenced "changes nothing of its Node's status" PATCH "$FENCE_NODE/status?fieldManager=f&force=true" \
		'{"apiVersion":"v1","kind":"Node","metadata":{"name":"'"$NODE"'"},"status":{"conditions":[{"type":"Ready","status":"False"}]}}' application/apply-patch+yaml
	check "agent: EPC is taken away again" agent PATCH "$FENCE_NODE/status" '{"status":{"capacity":{"sgx.intel.com/epc":null}}}'
	check "agent: an Event of the older API" agent POST /api/v1/namespaces/default/events "$(core_event "$NODE")" application/json
	check "fence: an Event of the older API about another" fenced "about its own Node alone" POST /api/v1/namespaces/default/events "$(core_event fence-other)" application/json
	check "fence: Events are not deleted" fenced "does not change or delete" DELETE "$FENCE_EVENTS"
	kubectl delete clusterrolebinding,clusterrole fence-too-much >/dev/null
}

fence_tokens() {
	local own="the status of its own Node alone" epc='{"status":{"capacity":{"sgx.intel.com/epc":"1"}}}'

	fence_token
	check "fence: a token of no node" fenced "$own" PATCH "$FENCE_NODE/status" "$epc"
	check "fence: a token of no node, an Event" fenced "about its own Node alone" POST "$FENCE_EVENTS" "$(event)" application/json
	fence_token --bound-object-kind Node --bound-object-name fence-other
	check "fence: another node's token" fenced "$own" PATCH "$FENCE_NODE/status" "$epc"
	check "agent: that one's own Node" agent PATCH /api/v1/nodes/fence-other/status "$epc"
}

# As the agent has it: a Pod's, which names the node that the Pod is on.
fence_pod_token() {
	kubectl -n "$AGENT_NAMESPACE" create -f - >/dev/null <<-YAML
		apiVersion: v1
		kind: Pod
		metadata: {name: fence}
		spec:
		  serviceAccountName: $AGENT_ACCOUNT
		  nodeName: $NODE
		  terminationGracePeriodSeconds: 0
		  containers: [{name: a, image: registry.local/busybox:test, imagePullPolicy: Never, command: [sleep, infinity]}]
	YAML
	fence_token --bound-object-kind Pod --bound-object-name fence
	check "agent: a Pod's token" agent PATCH "$FENCE_NODE/status" '{"status":{"capacity":{"sgx.intel.com/epc":"1"}}}'
	check "agent: and back" agent PATCH "$FENCE_NODE/status" '{"status":{"capacity":{"sgx.intel.com/epc":null}}}'
	check "fence: a Pod's token, a label" fenced "changes no metadata" PATCH "$FENCE_NODE/status" '{"metadata":{"labels":{"a":"b"}}}'
	check "fence: a Pod's token, another Node" fenced "the status of its own Node alone" PATCH /api/v1/nodes/fence-other/status '{"status":{"capacity":{"sgx.intel.com/epc":"2"}}}'
	kubectl -n "$AGENT_NAMESPACE" delete --wait=false pod fence >/dev/null
}

# A policy holds a moment after it was made. Until then the label is taken, each time another one: what
# changes nothing is allowed.
fence_is_up() {
	fenced "changes no metadata" PATCH "$FENCE_NODE/status" '{"metadata":{"labels":{"fence-is-up":"'"$RANDOM"'"}}}'
}

# In what the API server says of a policy's expressions.
fence_is_sound() {
	kubectl get validatingadmissionpolicies -l app.kubernetes.io/component=agent -o json | jq -e '.items | length == 2 and
		all(.status.observedGeneration == .metadata.generation and (.status.typeChecking.expressionWarnings // [] == []))'
}

fence_reads() {
	check "agent: watches its Node" agent GET "/api/v1/nodes?fieldSelector=metadata.name=$NODE"
	check "agent: watches its node's pods" agent GET "/api/v1/pods?fieldSelector=spec.nodeName=$NODE"
}

fence_checks() {
	# With a capacity, as kubelets make theirs: the API server copies a Node's first ones to allocatable.
	kubectl create -f - >/dev/null <<<'{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "fence-other"}}'
	kubectl patch node fence-other --subresource=status --type=merge -p '{"status": {"capacity": {"cpu": "1"}}}' >/dev/null
	check "fence: no type errors" wait_for 30 fence_is_sound
	fence_token --bound-object-kind Node --bound-object-name "$NODE"
	check "fence: works" wait_for 30 fence_is_up
	kubectl label node "$NODE" fence-is-up- >/dev/null
	fence_reads
	fence_capacity
	fence_own_node
	fence_others
	fence_events
	fence_without_rbac
	fence_tokens
	fence_pod_token
	kubectl delete node fence-other >/dev/null
	rm -f "$FENCE_ANSWER"
}
