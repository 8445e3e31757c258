{{/* A pre-delete hook that ends a component and takes away what it wrote elsewhere: a Job, and what it
may do. Of {root, name, weight: its place among the hooks, workload: "deployments" or "daemonsets",
ends: the name of the one that it ends, program, args, tolerations}, and either rules: what an account
of its own may do in all namespaces, or account: whose it runs as. */}}
{{- define "casemate.uninstall" -}}
{{- $policy := dict "helm.sh/hook" "pre-delete" "helm.sh/hook-delete-policy" "before-hook-creation,hook-succeeded,hook-failed" }}
{{- $hook := merge (dict "helm.sh/hook-weight" (toString .weight)) $policy }}
{{- $metadata := include "casemate.metadata" (dict "root" .root "component" "uninstall" "annotations" $hook) }}
{{- $namespace := .root.Release.Namespace }}
{{- $account := default .name .account }}
{{- with .rules }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ $.name }}
  namespace: {{ $namespace }}
  {{- $metadata | nindent 2 }}
automountServiceAccountToken: false
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata:
  name: {{ $.name }}
  {{- $metadata | nindent 2 }}
rules:
{{ toYaml . }}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata:
  name: {{ $.name }}
  {{- $metadata | nindent 2 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: {{ $.name }}}
subjects:
- {kind: ServiceAccount, name: {{ $account }}, namespace: {{ $namespace }}}
---
{{- end }}
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata:
  name: {{ .name }}
  namespace: {{ $namespace }}
  {{- $metadata | nindent 2 }}
rules:
- {apiGroups: [apps], resources: [{{ .workload }}], resourceNames: [{{ .ends }}], verbs: [get, delete]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata:
  name: {{ .name }}
  namespace: {{ $namespace }}
  {{- $metadata | nindent 2 }}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: {{ .name }}}
subjects:
- {kind: ServiceAccount, name: {{ $account }}, namespace: {{ $namespace }}}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .name }}
  namespace: {{ $namespace }}
  {{- include "casemate.metadata" (dict "root" .root "component" "uninstall" "annotations" (merge (dict "helm.sh/hook-weight" (add1 .weight | toString)) $policy)) | nindent 2 }}
spec:
  backoffLimit: 3
  activeDeadlineSeconds: 280
  template:
    metadata:
      labels:
        {{- include "casemate.labels" (dict "root" .root "component" "uninstall") | nindent 8 }}
    spec:
      serviceAccountName: {{ $account }}
      automountServiceAccountToken: true
      enableServiceLinks: false
      restartPolicy: Never
      {{- with .root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      securityContext:
        runAsNonRoot: true
        runAsUser: 65532
        runAsGroup: 65532
        seccompProfile: {type: RuntimeDefault}
      containers:
      - name: uninstall
        image: {{ include "casemate.image" .root }}
        imagePullPolicy: {{ .root.Values.image.pullPolicy }}
        command: [{{ .program }}]
        args:
        {{- toYaml .args | nindent 8 }}
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities: {drop: [ALL]}
      tolerations:
        {{- toYaml .tolerations | nindent 8 }}
{{- end -}}
