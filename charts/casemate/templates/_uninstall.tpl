{{/* The Job of a pre-delete hook that ends a component and takes away what it wrote elsewhere. Of
{root, name, hook: its annotations, weight, account, program, args, tolerations}. */}}
{{- define "casemate.uninstall.job" -}}
apiVersion: batch/v1
kind: Job
metadata:
  name: {{ .name }}
  namespace: {{ .root.Release.Namespace }}
  {{- include "casemate.metadata" (dict "root" .root "component" "uninstall" "annotations" (merge (dict "helm.sh/hook-weight" .weight) .hook)) | nindent 2 }}
spec:
  backoffLimit: 3
  activeDeadlineSeconds: 280
  template:
    metadata:
      labels:
        {{- include "casemate.labels" (dict "root" .root "component" "uninstall") | nindent 8 }}
    spec:
      serviceAccountName: {{ .account }}
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
