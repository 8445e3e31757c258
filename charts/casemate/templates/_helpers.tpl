{{/* Names, labels and what several templates derive from the values. */}}

{{- define "casemate.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Of one role: (dict "root" $ "component" "admission"). Immutable, so nothing else is in it. */}}
{{- define "casemate.selectorLabels" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* The same dict; component may be missing. */}}
{{- define "casemate.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
app.kubernetes.io/part-of: casemate
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The metadata below the name. annotations: a map of the object's own. */}}
{{- define "casemate.metadata" -}}
labels:
  {{- include "casemate.labels" . | nindent 2 }}
{{- with merge (dict) (default (dict) .annotations) .root.Values.commonAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{- define "casemate.image" -}}
{{- $i := .Values.image -}}
{{- with $i.registry }}{{ . }}/{{ end -}}
{{- $i.repository -}}
{{- if $i.digest }}@{{ $i.digest }}{{ else }}:{{ default .Chart.AppVersion $i.tag }}{{ end -}}
{{- end -}}

{{- define "casemate.admission.name" -}}
{{- include "casemate.fullname" . }}-admission
{{- end -}}

{{- define "casemate.admission.serviceAccount" -}}
{{- $sa := .Values.admission.serviceAccount -}}
{{- if $sa.create -}}
{{- default (include "casemate.admission.name" .) $sa.name -}}
{{- else -}}
{{- default "default" $sa.name -}}
{{- end -}}
{{- end -}}

{{/* The Secret that mode self keeps. It is the webhook's own: whatever else were in it would be
overwritten, so the other modes, and their values, are kept away from it. */}}
{{- define "casemate.tls.selfSecretName" -}}
{{- include "casemate.admission.name" . }}-tls
{{- end -}}

{{- define "casemate.tls.secretName" -}}
{{- $own := include "casemate.tls.selfSecretName" . -}}
{{- $name := .Values.tls.secretName -}}
{{- if eq .Values.tls.mode "self" -}}
{{- $own -}}
{{- else if eq $name $own -}}
{{- fail (printf "tls.secretName: %s is the Secret that tls.mode self keeps; name another" $own) -}}
{{- else if and (eq .Values.tls.mode "files") (not $name) -}}
{{- fail "tls.mode files needs tls.secretName: a Secret of yours with tls.crt, tls.key and, unless tls.caBundle is set, ca.crt" -}}
{{- else -}}
{{- default (printf "%s-cert" (include "casemate.admission.name" .)) $name -}}
{{- end -}}
{{- end -}}

{{/* Mounted, unless the webhook itself makes its certificate. */}}
{{- define "casemate.tls.dir" -}}/run/casemate/tls{{- end -}}
{{- define "casemate.tls.clientCaDir" -}}/run/casemate/client-ca{{- end -}}

{{/* The namespaces where nothing is looked at, as a YAML list. */}}
{{- define "casemate.excludedNamespaces" -}}
{{- append .Values.webhooks.excludedNamespaces .Release.Namespace | uniq | sortAlpha | toYaml -}}
{{- end -}}

{{/* The daemons' settings below `runtimeClasses`: what makes a pod confidential. */}}
{{- define "casemate.classes.config" -}}
{{- $classes := dict "requireAttestation" .Values.runtimeClasses.requireAttestation "onOther" .Values.runtimeClasses.onOther -}}
{{- range $tee, $c := include "casemate.classes" . | fromYaml -}}
{{- $_ := set $classes $tee (pick $c "name" "accepted" "nodeSelector") -}}
{{- end -}}
{{- toYaml $classes -}}
{{- end -}}

{{/*
The TEEs' classes as YAML, one source for RuntimeClasses, configuration, match conditions and
policies: {<tee>: {name, handler, accepted, nodeSelector, overhead, tolerations}}. Without a handler
there is no class (name ""); without requireAttestation nobody selects a verdict.
*/}}
{{- define "casemate.classes" -}}
{{- $v := .Values.runtimeClasses -}}
{{- $all := dict -}}
{{- range $tee := list "sgx" "tdx" "snp" "cvm" "node" "node-tdx" "node-snp" -}}
  {{- $c := deepCopy (get $v $tee) -}}
  {{- if not $c.handler -}}
    {{- $_ := set $c "name" "" -}}
  {{- end -}}
  {{- if not $v.requireAttestation -}}
    {{- range $k, $_ := $c.nodeSelector -}}
      {{- if has (trimPrefix "casemate.dev.node-restriction.kubernetes.io/" $k) (list "attested" "tee" "node") -}}
        {{- $_ := unset $c.nodeSelector $k -}}
      {{- end -}}
    {{- end -}}
  {{- end -}}
  {{- $_ := set $all $tee $c -}}
{{- end -}}
{{- toYaml $all -}}
{{- end -}}

{{/* The tolerations of a class: (list $ CLASS). */}}
{{- define "casemate.classTolerations" -}}
{{- $root := index . 0 -}}
{{- $class := index . 1 -}}
{{- concat $root.Values.runtimeClasses.tolerations (default list $class.tolerations) | toYaml -}}
{{- end -}}
