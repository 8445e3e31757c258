# shellcheck shell=bash
# How each component of the cluster is started: what `up` and `restart` share. Sourced after
# common.sh; MODULE is the k8s-* module. PROGRAM.flags holds what EXTRA_..._FLAGS said at `up`.

start_etcd() {
	start etcd "$(bin etcd etcd)" --name=etcd --data-dir="$STATE/etcd" --unsafe-no-fsync \
		--listen-client-urls=http://127.0.0.1:2379 --advertise-client-urls=http://127.0.0.1:2379 \
		--listen-peer-urls=http://127.0.0.1:2380 --initial-advertise-peer-urls=http://127.0.0.1:2380 \
		--initial-cluster=etcd=http://127.0.0.1:2380 --log-level=warn
}

# By InternalIP, else exec and logs look the node's name up in DNS.
start_apiserver() {
	local extra=()

	read -ra extra <"$STATE/kube-apiserver.flags"
	start kube-apiserver "$(bin "$MODULE" kube-apiserver)" \
		--bind-address=0.0.0.0 --advertise-address="$NODE_IP" \
		--etcd-servers=http://127.0.0.1:2379 \
		--service-cluster-ip-range=10.96.0.0/16 \
		--client-ca-file="$CERTS/ca.crt" \
		--tls-cert-file="$CERTS/apiserver.crt" --tls-private-key-file="$CERTS/apiserver.key" \
		--kubelet-certificate-authority="$CERTS/ca.crt" \
		--kubelet-client-certificate="$CERTS/apiserver-kubelet.crt" \
		--kubelet-client-key="$CERTS/apiserver-kubelet.key" \
		--kubelet-preferred-address-types=InternalIP \
		--service-account-issuer=https://kubernetes.default.svc \
		--service-account-key-file="$CERTS/sa.pub" \
		--service-account-signing-key-file="$CERTS/sa.key" \
		--authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
		--allow-privileged=true \
		--admission-control-config-file="$STATE/admission.yaml" \
		--audit-policy-file="$STATE/audit-policy.yaml" --audit-log-path="$STATE/logs/audit.log" \
		"${extra[@]}"
}

start_controller_manager() {
	start kube-controller-manager "$(bin "$MODULE" kube-controller-manager)" \
		--kubeconfig="$STATE/controller-manager.kubeconfig" --use-service-account-credentials \
		--service-account-private-key-file="$CERTS/sa.key" --root-ca-file="$CERTS/ca.crt" \
		--cluster-signing-cert-file="$CERTS/ca.crt" --cluster-signing-key-file="$CERTS/ca.key" \
		--leader-elect=false
}

start_scheduler() {
	start kube-scheduler "$(bin "$MODULE" kube-scheduler)" \
		--kubeconfig="$STATE/scheduler.kubeconfig" --leader-elect=false
}

start_kubelet() {
	local extra=()

	read -ra extra <"$STATE/kubelet.flags"
	start kubelet "$(bin "$MODULE" kubelet)" --config="$STATE/kubelet.yaml" \
		--kubeconfig="$STATE/kubelet.kubeconfig" --hostname-override="$NODE" \
		--node-ip="$NODE_IP" --runtime-cgroups=/ "${extra[@]}"
}

start_proxy() {
	start kube-proxy "$(bin "$MODULE" kube-proxy)" --config="$STATE/proxy.yaml"
}
