# shellcheck shell=bash
# A node that is a confidential VM, as far as that goes without one: the agent finds a driver's device and
# configfs-tsm, which is a file system with the kernel's semantics (tests/integration/tsm/fake), and its
# evidence is signed by the synthetic vendors of tests/tee, whose roots the cluster is told to trust. What
# they publish is at services by URL (tests/integration/vendors.py). Sourced after keys.sh; WORK is a folder.
# shellcheck disable=SC2317,SC2329 # functions are called through check

export MAKE_EVIDENCE=$ROOT/build/gcc/tests/tee/make-evidence
TSM=/sys/kernel/config/tsm/report
SERVICES=$NODE_IP:8081

#
# The node
#

# A /dev and a configfs that are the node's alone; this machine's stay as they are.
guest_places() {
	# shellcheck disable=SC2016 # the inner shell's
	in_node sh -euc '
		mkdir -p "$1"
		! mountpoint -q "$1" || exit 0
		mount -t tmpfs -o mode=755 tmpfs "$1"
		cp -a --one-file-system /dev/. "$1"
		for at in $(awk "\$5 ~ \"^/dev/\" { print \$5 }" /proc/self/mountinfo); do
			mount --rbind "$at" "$1/${at#/dev/}"
		done
		mount --rbind "$1" /dev
		config=/sys/kernel/config
		[ -d "$config" ] || config=/sys/kernel
		mount -t tmpfs tmpfs "$config"
		mkdir -p "$2"' - "$STATE/dev" "$TSM"
}

# guest_is DEVICE HOW: with the driver's device, and reports as HOW says (see fake).
guest_is() {
	guest_is_none &&
		in_node mknod "/dev/$1" c 1 3 &&
		start tsm "$ROOT/tests/integration/tsm/fake" "$TSM" "$2" &&
		wait_for 30 in_node mountpoint -q "$TSM"
}

# When no agent has it mounted any more.
guest_is_none() {
	in_node rm -f /dev/tdx_guest /dev/sev-guest
	! in_node mountpoint -q "$TSM" || in_node umount "$TSM"
	stop tsm 30
}

#
# The vendors
#

# What its vendor publishes today, and what such a guest measures.
guest_vendor() { # KIND
	local collateral=()

	mkdir -p "$WORK/$1"
	"$MAKE_EVIDENCE" "$1" "$WORK/$1" "$(printf '00%.0s' {1..64})" "$(date +%s)" >/dev/null
	[[ ! -f $WORK/$1/collateral.json ]] || collateral=(--collateral "$WORK/$1/collateral.json")
	jq -n --rawfile root "$WORK/$1/root.pem" '{trustedRoots: [$root]}' >"$WORK/$1/policy"
	"$WEBHOOK" verify --propose --evidence "$WORK/$1/evidence.bin" --policy "$WORK/$1/policy" "${collateral[@]}" >"$WORK/$1/propose"
}

services() {
	guest_vendor tdx4 && guest_vendor genoa || return
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=services \
		-addext "subjectAltName=IP:$NODE_IP" -keyout "$WORK/services.key" -out "$WORK/services.crt" 2>/dev/null
	kubectl -n "$SYSTEM" create configmap services-ca --dry-run=client -o yaml --from-file=ca.crt="$WORK/services.crt" |
		kubectl apply -f -
}

services_up() {
	: >"$STATE/logs/services.log"
	start services "$ROOT/tests/integration/vendors.py" --listen "$SERVICES" --tls "$WORK/services.crt" "$WORK/services.key" \
		--intel "$WORK/tdx4/collateral.json" tdx platform --amd "$WORK/genoa" Genoa
	wait_for 30 in_network curl -sko /dev/null "https://$SERVICES/"
}

# Verifier and broker trust the synthetic roots, and get the rest by URL.
guest_values() {
	python3 - "$WORK" "$SERVICES" <<-'PYTHON'
		import json, sys, yaml
		work, services = sys.argv[1:]
		kinds = ("tdx4", "genoa")
		roots = [open(f"{work}/{kind}/root.pem").read() for kind in kinds]
		listed = [{**each, "name": kind} for kind in kinds for each in yaml.safe_load(open(f"{work}/{kind}/propose"))["measurements"]]
		source = {"collateralCaConfigMap": "services-ca"}
		config = {"policy": {"trustedRoots": roots}, "collateralSource": {s: f"https://{services}" for s in ("pccs", "kds")}}
		verifier = {**config, "policy": {"trustedRoots": roots, "measurements": listed}}
		print(json.dumps({
		    "verifier": {**source, "config": verifier},
		    "broker": {**source, "config": config},
		    "agent": {"tsm": {"enabled": True}, "runtimeConfigDirs": []},
		}))
	PYTHON
}

# How often the busiest path was asked for.
asked_most() {
	grep '^/' "$STATE/logs/services.log" | grep -vx / | sort | uniq -c | sort -n | awk 'END { print $1 + 0 }'
}

#
# Steps
#

# guest_installed NAME DEVICE HOW: the agent of such a guest.
guest_installed() {
	check "$1: such a node" guest_is "$2" "$3"
	check "$1: services" services_up
	check "$1: installed" install_casemate --set verifier.enabled=true --set broker.enabled=true \
		--set broker.insecureKekInSecret=true --values "$WORK/guest.json" "${NAMES[@]}"
	check "$1: asked, since it may have met the verifier of before" ask "$1 $SECONDS"
}

guest_attested() { # NAME PLATFORM
	check "$1: attested" wait_for 120 record "$NODE" ".status | .verdict == \"Attested\" and .reason == \"Ok\" and
		.platform == \"$2\" and .tcb.status == \"UpToDate\" and (.measurements | length > 0)"
	check "$1: labelled" wait_for 30 label_is "$NODE" attested true
	check "$1: as what it is" label_is "$NODE" tee "$2"
	check "$1: a confidential node" label_is "$NODE" node confidential
	check "$1: the condition" wait_for 30 condition_is "$NODE" True Ok
}

guest_keyed() { # NAME IDENTITY
	check "$1: the node offers keys" wait_for 120 keys_are_allocatable
	check "$1: a profile" wait_for 30 keys_profile "$1" node '{env: SECRET_KEY}' "$2"
	check "$1: its keys are made" wait_for 60 keys_are_ready "$1"
	check "$1: a pod" keys_pod "$1" "$1"
	check "$1: it has its key" wait_for 90 keys_pod_says "$1" "The secret key is: "
	check "$1: it waited while the broker fetched collateral" never_restarted "$1"
}

never_restarted() { # POD
	[[ $(kubectl -n "$NS" get pod "$1" -o jsonpath='{.status.containerStatuses[0].restartCount}') == 0 ]]
}

fetched_once() { # NAME: by each replica of verifier and broker, whoever asks
	check "$1: each piece of collateral is fetched once" test "$(asked_most)" -le 4 -a "$(asked_most)" -ge 1
	echo "$1: $(grep -c '^/.' "$STATE/logs/services.log") requests of collateral, the busiest path $(asked_most) times"
}

# In its metrics. Who judged no evidence yet has what the others' needs.
has_collateral() { # COMPONENT KIND
	local ip n=0

	for ip in $(kubectl -n "$SYSTEM" get pods -l "app.kubernetes.io/component=$1" -o jsonpath='{.items[*].status.podIP}'); do
		scrape "$ip" 8081 | grep -F "casemate_webhook_collateral_expiry_timestamp_seconds{kind=\"$2\"}" || {
			echo "$1 at $ip has no $2"
			return 1
		}
		n=$((n + 1))
	done
	((n == 2)) || {
		echo "$n pods of $1"
		return 1
	}
}

# What is there counts on while its source is not, whichever replica is asked.
without_services() { # NAME
	local before component

	for component in verifier broker; do
		check "$1: each $component has collateral" wait_for 120 has_collateral "$component" tcb-info
	done
	stop services
	before=$(judged_at)
	check "$1: without services it proves itself again" ask "without services $SECONDS"
	check "$1: it is judged anew" wait_for 60 judged_since "$before"
	check "$1: and attested" record "$NODE" '.status.verdict == "Attested"'
	check "$1: a key for who asks again" keys_ask "$1" "$1/secret-key"
}

guest_ends() { # NAME
	kubectl -n "$NS" delete pod "$1" >/dev/null
	check "$1: no agent" install
	check "$1: and no guest" guest_is_none
}

guests() {
	local mr=$(printf '44%.0s' {1..48})

	check "guests: what vendors publish" services
	guest_values >"$WORK/guest.json"
	check "guests: a place for devices and configfs" guest_places
	agent_names
	guest_installed tdx tdx_guest tdx,made:tdx4
	guest_attested tdx tdx
	guest_keyed tdx "tdx: {mrtd: \"$mr\"}"
	fetched_once tdx
	without_services tdx
	guest_ends tdx
	guest_installed snp sev-guest sev,no-table,made:genoa
	guest_attested snp snp
	guest_keyed snp "snp: {measurement: \"$mr\"}"
	fetched_once snp
	guest_ends snp
}
