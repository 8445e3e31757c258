# shellcheck shell=bash
# What is set here is used by those who source it.
# shellcheck disable=SC2034
# What every script of this folder shares: names, paths, processes. Sourced.
#
# K8S               1.37 (default) or 1.34: which k8s-* module is booted
# CLUSTER           the cluster's name (default casemate); --name sets it too
# CASEMATE_CACHE    binaries and images, keyed by what they are made from
# CASEMATE_RUN      running clusters, one folder each
# CASEMATE_LOGS     where `logs` puts what it collects
# KUBEBUILDER_ASSETS  a folder whose kube-apiserver, etcd and kubectl are used

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
CACHE=${CASEMATE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/casemate}
# Without symbolic links, as the kernel lists mounts.
RUN=$(realpath -m "${CASEMATE_RUN:-/run/casemate-cluster}")
LOGS=${CASEMATE_LOGS:-${TMPDIR:-/tmp}/casemate-logs}

NODE=node-1
NODE_IP=10.245.0.1
REGISTRY=$NODE_IP:5000

# The cluster's addresses are never behind a proxy.
export no_proxy=127.0.0.1,localhost,10.244.0.0/16,$NODE_IP,10.96.0.0/16${no_proxy:+,$no_proxy}
export NO_PROXY=$no_proxy

say() {
	printf '%s\n' "$*" >&2
}

die() {
	say "${0##*/}: $*"
	exit 1
}

need_root() {
	[[ $(id -u) == 0 ]] || die "needs root (network namespaces, mounts, containers); run it as root"
}

# need TOOL:PACKAGE...: says all that is missing at once.
need() {
	local pair missing=()

	for pair; do
		command -v "${pair%%:*}" >/dev/null || missing+=("${pair#*:}")
	done
	((${#missing[@]} == 0)) || die "missing Debian packages: ${missing[*]}; install them with: apt-get install ${missing[*]}"
}

# Everything that two clusters on one machine must not share is named after
# the cluster.
set_name() {
	[[ $1 =~ ^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$ ]] ||
		die "bad cluster name '$1': use up to 32 of a-z, 0-9 and -, not at the ends"
	CLUSTER=$1
	STATE=$RUN/$CLUSTER
	NETNS=casemate-$CLUSTER
	MOUNTNS=$STATE/ns/mount
	CERTS=$STATE/certs
	CGROUP=casemate-$CLUSTER
	KUBECONFIG_ADMIN=$STATE/kubeconfig
	CONTAINERD_SOCKET=$STATE/containerd.sock
}

# take_name "$@": handles a leading --name NAME; the rest is in ARGS.
take_name() {
	ARGS=("$@")
	if [[ ${1-} == --name ]]; then
		(($# >= 2)) || die "--name needs a value"
		set_name "$2"
		ARGS=("${@:3}")
	fi
}

set_name "${CLUSTER:-casemate}"

# The version that a module folder pins, read from its go.mod.
module_version() {
	awk -v m="$2" '$1 == m && $2 ~ /^v/ { print $2; exit }' "$HERE/$1/go.mod"
}

k8s_module() {
	local module=k8s-${K8S:-1.37}

	[[ -f $HERE/$module/go.sum ]] || die "no Kubernetes '${K8S-}' here; K8S may be: $(
		cd "$HERE" && echo k8s-*/ | sed 's/k8s-//g; s,/,,g')"
	echo "$module"
}

cache_dir() {
	local sum

	sum=$(cd "$HERE/$1" && find . -name '*.go' -o -name '*.patch' | sort |
		xargs cat go.sum | sha256sum)
	echo "$CACHE/$1-${sum:0:16}"
}

# bin MODULE PROGRAM: the path of a program that `build` has made.
bin() {
	case $2 in
	kube-apiserver | etcd | kubectl)
		if [[ -x ${KUBEBUILDER_ASSETS:+$KUBEBUILDER_ASSETS/$2} ]]; then
			echo "$KUBEBUILDER_ASSETS/$2"
			return
		fi
		;;
	esac
	echo "$(cache_dir "$1")/$2"
}

# A process is known by id and start time: an id alone may since belong to
# somebody else.
start_time() {
	local stat fields

	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	# The command's name, in parentheses, may contain blanks.
	read -ra fields <<<"${stat##*) }"
	# A zombie has ended, whoever is to reap it.
	[[ ${fields[0]} != Z ]] || return 1
	echo "${fields[19]}"
}

# alive PROGRAM: whether the process recorded for it still runs; sets PID.
alive() {
	local started

	[[ -s $STATE/pids/$1 ]] || return 1
	read -r PID started <"$STATE/pids/$1" || return 1
	[[ $(start_time "$PID") == "$started" ]]
}

# start PROGRAM COMMAND...: runs it in the cluster's namespaces, in a session of
# its own so that it outlives the terminal. Not `ip netns exec`: that remounts
# /sys, the cgroup mounts vanish and the kubelet dies.
start() {
	local program=$1

	shift
	setsid nsenter --net="/run/netns/$NETNS" --mount="$MOUNTNS" "$@" \
		</dev/null >>"$STATE/logs/$program.log" 2>&1 9>&- &
	remember "$program" $!
}

# remember PROGRAM PID: for alive and stop.
remember() {
	echo "$2 $(start_time "$2")" >"$STATE/pids/$1"
	disown "$2"
}

# stop PROGRAM [SECONDS]: TERM, and KILL when it takes too long.
stop() {
	local i

	alive "$1" || return 0
	kill -TERM "$PID" 2>/dev/null || true
	for ((i = 0; i < ${2:-5} * 20; i++)); do
		alive "$1" || return 0
		sleep 0.05
	done
	kill -KILL "$PID" 2>/dev/null || true
	for ((i = 0; i < 100; i++)); do
		alive "$1" || return 0
		sleep 0.05
	done
	say "$1 (process $PID) does not end"
	return 1
}

# As a process on the node: its network and its /var/lib/kubelet.
in_node() {
	nsenter --net="/run/netns/$NETNS" --mount="$MOUNTNS" --wdns="$PWD" "$@"
}

# As a client beside the node: its network, this machine's files.
in_network() {
	nsenter --net="/run/netns/$NETNS" "$@"
}

# What runs, whatever K8S says now.
running_module() {
	[[ -s $STATE/module ]] || die "cluster '$CLUSTER' is not up; start it with $HERE/up --name $CLUSTER"
	cat "$STATE/module"
}

kubectl() {
	in_network "$STATE/kubectl" --kubeconfig="$KUBECONFIG_ADMIN" "$@"
}

ctr() {
	in_node ctr --address="$CONTAINERD_SOCKET" --namespace=k8s.io "$@"
}

# One command at a time may change a cluster; fd 9 holds the lock until exit.
lock_cluster() {
	mkdir -p "$RUN"
	exec 9>"$RUN/.$CLUSTER.lock"
	flock -w 300 9 || die "another up or down of cluster '$CLUSTER' is still at work"
}

# poll SECONDS COMMAND...: runs it every tenth of a second until it succeeds.
poll() {
	local end=$((SECONDS + $1))

	shift
	until "$@" >/dev/null 2>&1; do
		((SECONDS < end)) || return 1
		sleep 0.1
	done
}

# Since a moment of EPOCHREALTIME without its point, in seconds.
elapsed() {
	local usec=$((${EPOCHREALTIME/./} - $1))

	printf '%d.%d' $((usec / 1000000)) $((usec / 100000 % 10))
}

#
# Teardown
#

# Clients before servers; the kubelet first, or it starts anew what is ended.
PROGRAMS=(kubelet kube-proxy kube-scheduler kube-controller-manager kube-apiserver etcd containerd)

# Paths of the node that belong to one cluster; see make_mounts in `up`.
NODE_PATHS=(/var/lib/kubelet /var/lib/cni /var/log/pods /var/log/containers /run/containerd
	/usr/libexec/kubernetes /run/casemate /run/aesmd /var/lib/casemate)

cgroup_dirs() {
	find /sys/fs/cgroup -maxdepth 2 -type d -name "$CGROUP"
}

# Everybody who can only be ours: in the pods' cgroup, in the node's network or
# in its mount namespace. Finds what nobody has recorded: the containers' shims
# and, when containerd has died, the containers.
strays() {
	local dir ns

	while read -r dir; do
		find "$dir" -name cgroup.procs -exec cat {} + 2>/dev/null || true
	done < <(cgroup_dirs)
	ip netns pids "$NETNS" 2>/dev/null || true
	ns=$(stat -L -c %i "$MOUNTNS" 2>/dev/null) || return 0
	# Unmounted, the file is an ordinary one and names nobody's namespace.
	[[ $(stat -f -c %T "$MOUNTNS") == nsfs ]] || return 0
	find /proc -maxdepth 3 -path '/proc/[0-9]*/ns/mnt' -lname "mnt:\[$ns\]" 2>/dev/null |
		cut -d/ -f3
}

end_strays() {
	local pids i

	for ((i = 0; i < 200; i++)); do
		mapfile -t pids < <(strays | sort -nu | grep -vx "$$")
		((${#pids[@]})) || return 0
		kill -KILL "${pids[@]}" 2>/dev/null || true
		sleep 0.05
	done
	say "processes of cluster '$CLUSTER' do not end: ${pids[*]}"
	return 1
}

# Through containerd while it answers: it then unmounts and forgets them itself.
end_containers() {
	local id

	alive containerd && timeout 5 "$HERE/ctr" --name "$CLUSTER" version >/dev/null 2>&1 || return 0
	for id in $(ctr tasks ls -q); do
		ctr tasks kill --signal KILL --all "$id" || true
	done
	for id in $(ctr tasks ls -q); do
		ctr tasks delete --force "$id" || true
	done
} >/dev/null 2>&1

unmount_state() {
	local target

	# Children first: the list is in the order of mounting.
	while read -r target; do
		umount "$target" 2>/dev/null || umount --lazy "$target"
	done < <(awk -v s="$STATE/" 'index($5 "/", s) == 1 { print $5 }' /proc/self/mountinfo | tac)
}

remove_cgroup() {
	local dir

	while read -r dir; do
		poll 10 find "$dir" -depth -type d -exec rmdir {} + ||
			say "cgroup $dir cannot be removed: something still runs in it"
	done < <(cgroup_dirs)
}

# Every step works on what is there, so a half-made cluster goes as well.
clean_up() {
	local program

	[[ -e $STATE || -e /run/netns/$NETNS ]] || return 0
	stop page
	stop registry
	stop kubelet
	end_containers
	for program in "${PROGRAMS[@]:1}"; do
		stop "$program"
	done
	end_strays
	unmount_state
	[[ ! -e /run/netns/$NETNS ]] || ip netns delete "$NETNS"
	remove_cgroup
	# NODE_PATHS stay, empty where this machine does not use them: removing a
	# folder would take away another cluster's mount upon it.
	rm -rf --one-file-system "$STATE"
}
