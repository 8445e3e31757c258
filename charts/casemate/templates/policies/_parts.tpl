{{- define "casemate.policy.namespaces" -}}
namespaceSelector:
  matchExpressions:
  - {key: kubernetes.io/metadata.name, operator: NotIn, values: {{ include "casemate.excludedNamespaces" . | fromYamlArray | toJson }}}
{{- end -}}

{{/* (list $ POLICY ACTIONS) */}}
{{- define "casemate.policy.binding" -}}
{{- $root := index . 0 -}}
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata:
  name: {{ index . 1 }}
  {{- include "casemate.metadata" (dict "root" $root) | nindent 2 }}
spec:
  policyName: {{ index . 1 }}
  validationActions: {{ index . 2 | toJson }}
{{- end -}}

{{/* {<tee>: [class...]} as CEL. */}}
{{- define "casemate.cel.classMap" -}}
{
{{- $comma := "" -}}
{{- range $tee, $names := . -}}
{{- $comma }}'{{ $tee }}': {{ if $names }}{{ include "casemate.cel.list" $names }}{{ else }}[]{{ end }}
{{- $comma = ", " -}}
{{- end -}}
}
{{- end -}}
