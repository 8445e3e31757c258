{{- define "casemate.agent.name" -}}
{{- include "casemate.fullname" . }}-agent
{{- end -}}

{{/* The key broker that agents ask, '' when there is none, and by what they know it. */}}
{{- define "casemate.agent.brokerURL" -}}
{{- if .Values.agent.broker.url -}}
{{- .Values.agent.broker.url -}}
{{- else if (.Values.broker).enabled -}}
https://{{ include "casemate.fullname" . }}-broker.{{ .Release.Namespace }}.svc
{{- end -}}
{{- end -}}

{{- define "casemate.agent.brokerCA" -}}
{{- default (printf "%s-broker-ca" (include "casemate.fullname" .)) .Values.agent.broker.caConfigMap -}}
{{- end -}}

{{/* Not empty: containers can be given keys. */}}
{{- define "casemate.agent.keys" -}}
{{- if .Values.agent.config.keys.enabled }}{{ include "casemate.agent.brokerURL" . }}{{ end -}}
{{- end -}}

{{/* The daemon's file: what the chart knows, and the value agent.config. */}}
{{- define "casemate.agent.config" -}}
{{- $a := .Values.agent -}}
{{- $chart := dict "kubelet" (dict "dir" $a.kubeletDir)
	"health" (dict "listen" (printf "%s:%v" $a.bindAddress $a.healthPort))
	"metrics" (include "casemate.metrics.config" (dict "root" $ "listen" (printf "%s:%v" $a.bindAddress $a.metricsPort)) | fromYaml)
	"page" (dict "listen" (printf "127.0.0.1:%v" $a.pagePort)) -}}
{{- if .Values.verifier.enabled -}}
{{- $_ := set $chart "verifier" (dict "url" (printf "https://%s.%s.svc" (include "casemate.verifier.name" .) .Release.Namespace)) -}}
{{- end -}}
{{- with include "casemate.agent.brokerURL" . -}}
{{- $_ := set $chart "broker" (dict "url" .) -}}
{{- end -}}
{{- if $a.simulate -}}
{{- $_ := set $chart "simulate" $a.simulate -}}
{{- else -}}
{{- $_ := set $chart "sysroot" "/host" -}}
{{- $_ := set $chart "sgx" (dict "evidence" (eq $a.sgx.evidence "privileged")) -}}
{{- end -}}
{{- toYaml (merge $chart $a.config) -}}
{{- end -}}

{{- define "casemate.agent.serviceAccount" -}}
{{- $sa := .Values.agent.serviceAccount -}}
{{- if $sa.create -}}
{{- default (include "casemate.agent.name" .) $sa.name -}}
{{- else -}}
{{- default "default" $sa.name -}}
{{- end -}}
{{- end -}}

{{/* The agents' account; list items of matchConditions and variables. */}}
{{- define "casemate.agent.isUser" -}}
- name: is-the-agent
  expression: request.userInfo.username == 'system:serviceaccount:{{ .Release.Namespace }}:{{ include "casemate.agent.serviceAccount" . }}'
{{- end -}}

{{/* The node that the token is bound to, by itself or through its Pod; '' when to none. */}}
{{- define "casemate.agent.ownNode" -}}
- name: node
  expression: request.userInfo.?extra['authentication.kubernetes.io/node-name'][?0].orValue('')
{{- end -}}
