{{/*
CEL expressions, shared by match conditions and policies. Every field may be absent: `.?x` and
orValue. They see the pod as p, bound by `[object].exists(p, ...)`: match conditions know no
variables.
*/}}

{{/* A CEL list of strings from a list of strings. */}}
{{- define "casemate.cel.list" -}}
['{{ join "', '" . }}']
{{- end -}}

{{/* Every class that makes a pod confidential, configured or not: a pod that names a simulated one
where that is forbidden must be told so. JSON. */}}
{{- define "casemate.classNames" -}}
{{- $names := list -}}
{{- range $tee, $c := include "casemate.classes" . | fromYaml -}}
  {{- $names = concat $names (compact (list $c.name)) $c.accepted (list (printf "casemate-simulated-%s" $tee)) -}}
{{- end -}}
{{- $names | uniq | sortAlpha | toJson -}}
{{- end -}}

{{/* Does the spec ask? What it says can no longer change once the pod exists. */}}
{{- define "casemate.cel.specAsks" -}}
p.spec.?runtimeClassName.orValue('') in {{ include "casemate.classNames" . | fromJsonArray | include "casemate.cel.list" }} ||
(p.spec.containers + p.spec.?initContainers.orValue([])).exists(c,
  [c.?resources.?limits.orValue({}), c.?resources.?requests.orValue({})].exists(r, r.exists(k,
    k in ['sgx.intel.com/epc', 'sgx.intel.com/enclave', 'sgx.intel.com/provision',
      'casemate.dev/keys', 'casemate.dev/aesm',
      'kubernetes.azure.com/sgx_epc_mem_in_MiB', 'alibabacloud.com/sgx_epc_MiB',
      'tdx.intel.com/keys', 'sev-snp.amd.com/esids',
      'google.com/cc', 'amd.com/sev-snp', 'intel.com/tdx'])))
{{- end -}}

{{/* Is the pod confidential by its spec? The webhook writes the attested label's selector itself. */}}
{{- define "casemate.cel.confidential" -}}
'casemate.dev.node-restriction.kubernetes.io/attested' in p.spec.?nodeSelector.orValue({}) ||
{{ include "casemate.cel.specAsks" . }}
{{- end -}}

{{/* (list KEY...): does one of these annotations ask? */}}
{{- define "casemate.cel.annotated" -}}
{{ include "casemate.cel.list" . }}.exists(k, k in p.?metadata.?annotations.orValue({}))
{{- end -}}

{{/* Those for which the webhook has something to do. */}}
{{- define "casemate.cel.annotationsAsk" -}}
{{ include "casemate.cel.annotated" (list "casemate.dev/tee" "casemate.dev/profile" "sgx.intel.com/epc" "sgx.intel.com/quote-provider") }}
{{- end -}}

{{/* Would the webhook have anything to do for this pod or pod template? */}}
{{- define "casemate.cel.asks" -}}
{{ include "casemate.cel.annotationsAsk" . }} ||
{{ include "casemate.cel.specAsks" . }}
{{- end -}}
