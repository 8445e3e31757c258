# shellcheck shell=bash
# For tests on the cluster. Sourced after `set -euo pipefail`; a test calls
#
#	begin			cluster up, counters at zero
#	check NAME COMMAND...	one result: passes when the command succeeds
#	pass NAME, fail NAME [WHY]
#	wait_for SECONDS COMMAND...
#	finish			last line "N passed, N failed", logs when one failed
#
# and kubectl, helm, ctr, in_node, in_network as commands. KEEP=1 leaves the
# cluster up; one that was up before is left up anyway.

# shellcheck source=common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

PASSED=0
FAILED=0
LAST=$SECONDS

# What took 5 s since the last result says so: there, time may be saved.
pass() {
	local took=$((SECONDS - LAST))

	PASSED=$((PASSED + 1))
	LAST=$SECONDS
	((took >= 5)) && set -- "$1 ($took s)"
	echo "ok: $1"
}

# The first failure's logs are collected at once: later steps may hide its cause.
fail() {
	local why=${2-}

	FAILED=$((FAILED + 1))
	LAST=$SECONDS
	# Behind the line's end only what is indented counts as its own.
	echo "FAILED: $1${why:+: ${why//$'\n'/$'\n   '}}"
	if ((FAILED == 1)) && [[ -d $STATE/logs ]]; then
		"$HERE/logs" --name "$CLUSTER" || true
	fi
}

# What the command printed is shown only when it failed.
check() {
	local name=$1 output

	shift
	if output=$("$@" 2>&1); then
		pass "$name"
	else
		fail "$name" "$* says: ${output:-(nothing)}"
	fi
}

# wait_for SECONDS COMMAND...: until it succeeds; shows its last words when it
# never does. Deadlines are generous, at least 120 s: they cost nothing when all is
# well, and machines may be busy. What takes long is asked for less often, since
# each question costs the machine a program.
wait_for() {
	local end=$((SECONDS + ($1 < 120 ? 120 : $1))) began=$SECONDS output

	shift
	until output=$("$@" 2>&1); do
		if ((SECONDS >= end)); then
			printf 'gave up waiting for: %s\n%s\n' "$*" "$output" >&2
			return 1
		fi
		sleep "0.$((SECONDS - began < 5 ? 2 : 5))"
	done
}

helm() {
	"$HERE/helm" --name "$CLUSTER" "$@"
}

pod_phase_is() {
	local phase

	phase=$(kubectl get pod "$1" -o "jsonpath={.status.phase}")
	[[ $phase == "$2" ]] || {
		echo "pod $1 is $phase"
		return 1
	}
}

# at_exit [CODE]: also when the test breaks off: what stays behind would disturb the next one.
at_exit() {
	local code=${1:-$?}

	trap - EXIT
	if ((code != 0 && FAILED == 0)); then
		fail "the test itself" "broke off with code $code"
	fi
	if ((FAILED > 1)) && [[ -d $STATE/logs ]]; then
		"$HERE/logs" --name "$CLUSTER" || true
	fi
	if [[ -z ${KEEP-} && -z ${WAS_UP-} ]]; then
		"$HERE/down" --name "$CLUSTER" || fail "down"
	fi
	echo "$PASSED passed, $FAILED failed"
	((FAILED == 0)) || exit 1
	exit "$code"
}

begin() {
	[[ ! -f $STATE/ready ]] || WAS_UP=1
	trap at_exit EXIT
	"$HERE/up" --name "$CLUSTER"
}

finish() {
	exit 0
}
