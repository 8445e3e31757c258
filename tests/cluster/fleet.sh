# shellcheck shell=bash
# A fleet of nodes without machines and agents that prove what they are, for tests at its scale. Sourced after
# casemate.sh; WORK is a folder, BUILD where the programs are.

# fleet DO COUNT [FOLDER]: see fleet.py.
fleet() {
	in_network "$HERE/fleet.py" --server "$NODE_IP:6443" --ca "$CERTS/ca.crt" --cert "$CERTS/admin.crt" \
		--key "$CERTS/admin.key" --namespace "$SYSTEM" "$@"
}

make_fleet() { # NODES AGENTS
	mkdir -p "$WORK/tokens"
	fleet nodes "$1" && fleet tokens "$2" "$WORK/tokens"
}

# To the verifier by its name, which its certificate has: there is no DNS here.
prepare_agents() {
	printf '127.0.0.1 localhost\n%s casemate-verifier.%s.svc\n' "$(kubectl -n "$SYSTEM" get service \
		casemate-verifier -o jsonpath='{.spec.clusterIP}')" "$SYSTEM" >"$WORK/hosts"
	kubectl -n "$SYSTEM" get configmap casemate-verifier-ca -o jsonpath='{.data.ca\.crt}' >"$WORK/ca.crt"
}

agents() { # SPREAD STAY
	# shellcheck disable=SC2016 # the inner shell's
	in_network unshare --mount sh -c 'mount --bind "$1" /etc/hosts && shift && exec "$@"' - "$WORK/hosts" \
		"$BUILD/tests/bench/fleet_agents" "https://casemate-verifier.$SYSTEM.svc" "$WORK/ca.crt" \
		"$WORK/tokens" "$1" "$2"
}

# verifier_pids: "POD PROCESS" of each replica.
verifier_pids() {
	local pod id

	kubectl -n "$SYSTEM" get pods -l app.kubernetes.io/component=verifier -o json | jq -r '.items[] |
		select(.metadata.deletionTimestamp == null) | .metadata.name + " " + .status.containerStatuses[0].containerID' |
		while read -r pod id; do
			ctr tasks ls | awk -v id="${id#*//}" -v pod="$pod" '$1 == id { print pod, $2 }'
		done
}
