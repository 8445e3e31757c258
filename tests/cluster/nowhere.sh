# shellcheck shell=bash
# Where secrets are that must be nowhere (secret_scan.py), on the test cluster. Sourced after casemate.sh;
# $WORK/secrets holds one a line.
# shellcheck disable=SC2317,SC2329 # functions are called through check

uids_of() { # NAMESPACE [OPTION...]
	kubectl get pods -n "$@" -o jsonpath='{.items[*].metadata.uid}'
}

scan() { # WHERE [ARGUMENT...]
	"$HERE/secret_scan.py" "${SECRETS:-$WORK/secrets}" "$@"
}

every_object() {
	kubectl get "$(kubectl api-resources --verbs=list -o name | grep -v '\.metrics\.' | paste -sd,)" -A -o json
}

# What Secrets hold, not encoded.
every_secret() {
	kubectl get secrets -A -o json | jq -r '.items[].data // {} | .[] | @base64d'
}

every_log() {
	kubectl -n "$SYSTEM" logs --tail=-1 -l app.kubernetes.io/name=casemate --prefix --max-log-requests 20
}

every_metric() {
	local address

	for address in $(kubectl -n "$SYSTEM" get pods -l app.kubernetes.io/name=casemate -o jsonpath='{.items[*].status.podIP}'); do
		scrape "$address" 8081 || scrape "$address" 9081
	done
}

is_in() { # COMMAND: whether what it prints holds a secret
	local output

	output=$("$1" | scan text "$1") && return 1
	[[ $output == *"secret "* ]]
}

is_not_in() {
	"$1" | scan text "$1"
}

finds() { # WHERE [ARGUMENT...]
	local output

	output=$(scan "$@") || true
	[[ $output == *"secret "* ]] || {
		echo "$output"
		return 1
	}
}

# Those of Casemate in these pods, as folders below /proc.
processes_of() { # POD-UID...
	local process uid

	for process in /proc/[0-9]*; do
		[[ $(cat "$process/comm" 2>/dev/null) == casemate-* ]] || continue
		for uid; do
			! grep -q "$uid" "$process/cgroup" || echo "$process"
		done
	done
}

# processes_are PROGRAM-OF-AWK FILE POD-UID...: whether it says so of that file of each of these processes.
processes_are() {
	local program=$1 file=$2 n=0 process

	shift 2
	for process in $(processes_of "$@"); do
		awk "$program" "$process/$file" || {
			cat "$process/cmdline" "$process/$file"
			return 1
		}
		n=$((n + 1))
	done
	((n >= $#)) || {
		echo "$n processes"
		return 1
	}
}

# Of what is not dumpable the kernel gives /proc/PID/* to root, so that its own user may not look.
are_closed() { # POD-UID...
	local process n=0

	for process in $(processes_of "$@"); do
		[[ $(stat -c %u "$process/environ") == 0 ]] || {
			cat "$process/cmdline"
			return 1
		}
		awk '$1 == "Uid:" { exit ($2 == 0) }' "$process/status" && n=$((n + 1))
	done
	((n > 0)) || {
		echo "all are root's anyway"
		return 1
	}
}

# What was delivered is with whom it was delivered to, and nowhere else: in nothing that is written down,
# and not in the memory of Casemate.
nowhere_else() {
	local casemate

	read -ra casemate <<<"$(uids_of "$SYSTEM" -l app.kubernetes.io/name=casemate)"
	echo "$SYSTEM" >"$WORK/known"
	SECRETS=$WORK/known check "a search finds other things in Casemate's memory" finds memory "${casemate[@]}"
	check "it is nowhere: objects of the API, events too" is_not_in every_object
	check "it is nowhere: Secrets, decoded" is_not_in every_secret
	check "it is nowhere: logs of Casemate, the audit log too" is_not_in every_log
	check "it is nowhere: metrics" is_not_in every_metric
	check "it is nowhere: etcd's files, the cluster's logs" scan files "$STATE/etcd" "$STATE/logs"
	check "it is nowhere: memory of agent, broker, verifier, admission" scan memory "${casemate[@]}"
}
