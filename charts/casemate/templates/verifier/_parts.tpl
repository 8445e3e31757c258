{{- define "casemate.verifier.name" -}}
{{- include "casemate.fullname" . }}-verifier
{{- end -}}

{{- define "casemate.verifier.serviceAccount" -}}
{{- $sa := .Values.verifier.serviceAccount -}}
{{- if $sa.create -}}
{{- default (include "casemate.verifier.name" .) $sa.name -}}
{{- else -}}
{{- default "default" $sa.name -}}
{{- end -}}
{{- end -}}

{{- define "casemate.verifier.tlsDir" -}}/run/casemate/tls{{- end -}}
{{- define "casemate.verifier.collateralDir" -}}/run/casemate/collateral{{- end -}}
{{- define "casemate.verifier.collateralCaDir" -}}/run/casemate/collateral-ca{{- end -}}
{{- define "casemate.verifier.vcekStoreDir" -}}/run/casemate/vcek-store{{- end -}}

{{/* Not empty: services are asked for collateral. */}}
{{- define "casemate.verifier.fetches" -}}
{{- with .Values.verifier.config.collateralSource }}{{ printf "%s%s%s" .pccs .pcs .kds }}{{ end -}}
{{- end -}}

{{/* By which agents know whom to trust (key ca.crt). The verifier keeps it, unless the certificate is
yours: then it is yours as well. */}}
{{- define "casemate.verifier.caConfigMap" -}}
{{- include "casemate.verifier.name" . }}-ca
{{- end -}}

{{/* The daemon's file: what the chart knows, and the value verifier.config. */}}
{{- define "casemate.verifier.config" -}}
{{- $v := .Values.verifier -}}
{{- $name := include "casemate.verifier.name" . -}}
{{- $own := deepCopy $v.config -}}
{{- $may := list -}}
{{- range $v.evidenceEnclaves -}}
{{- $may = append $may (dict "name" (printf "evidence enclave %s" (trunc 12 .)) "sgx" (dict "mrenclave" .)) -}}
{{- end -}}
{{- $_ := set $own "policy" (merge (dict "measurements" (concat (default list $v.config.policy.measurements) $may)) (default dict $own.policy)) -}}
{{- $_ := set $own "listen" (printf "%s:%v" $v.bindAddress $v.port) -}}
{{- $_ := set $own "agentServiceAccount" (printf "%s:%s" .Release.Namespace (include "casemate.agent.serviceAccount" .)) -}}
{{- $tls := dict "secretName" (printf "%s-tls" $name) "serviceName" $name "caConfigMap" (include "casemate.verifier.caConfigMap" .) -}}
{{- if $v.tlsSecretName -}}
{{- $_ := set $tls "cert" (printf "%s/tls.crt" (include "casemate.verifier.tlsDir" .)) -}}
{{- $_ := set $tls "key" (printf "%s/tls.key" (include "casemate.verifier.tlsDir" .)) -}}
{{- end -}}
{{- $_ := set $own "tls" $tls -}}
{{- if $v.collateralConfigMap -}}
{{- $_ := set $own "collateral" (list (include "casemate.verifier.collateralDir" .)) -}}
{{- end -}}
{{- if $v.vcekStoreClaim -}}
{{- $_ := set $own.collateralSource "vcekStore" (include "casemate.verifier.vcekStoreDir" .) -}}
{{- end -}}
{{- if $v.collateralCaConfigMap -}}
{{- $_ := set $own.collateralSource "caFile" (printf "%s/ca.crt" (include "casemate.verifier.collateralCaDir" .)) -}}
{{- end -}}
{{- $chart := dict "verifier" $own
	"allowSimulated" .Values.config.allowSimulated
	"runtimeClasses" (include "casemate.classes.config" . | fromYaml)
	"health" (dict "listen" (printf "%s:%v" $v.bindAddress $v.healthPort))
	"metrics" (include "casemate.metrics.config" (dict "root" $ "listen" (printf "%s:%v" $v.bindAddress $v.metricsPort)) | fromYaml)
	"logging" .Values.config.logging
	"tls" (dict "minVersion" .Values.tls.minVersion "caLifetime" .Values.tls.caLifetime "leafLifetime" .Values.tls.leafLifetime) -}}
{{- with .Values.tls.cipherSuites }}{{ $_ := set $chart.tls "cipherSuites" . }}{{ end -}}
{{- with .Values.config.limits }}{{ $_ := set $chart "limits" . }}{{ end -}}
{{- with .Values.config.shutdown }}{{ $_ := set $chart "shutdown" . }}{{ end -}}
{{- toYaml $chart -}}
{{- end -}}

{{/* The verifier's account, and who may do the same by hand; list items of variables. */}}
{{- define "casemate.verifier.isTrusted" -}}
- name: verifier
  expression: request.userInfo.username == 'system:serviceaccount:{{ .Release.Namespace }}:{{ include "casemate.verifier.serviceAccount" . }}'
- name: breakGlass
  expression: request.userInfo.groups.exists(g, g in {{ include "casemate.cel.list" (uniq (concat (list "system:masters") .Values.config.access.breakGlassGroups)) }})
{{- end -}}
