{{- define "casemate.broker.name" -}}
{{- include "casemate.fullname" . }}-broker
{{- end -}}

{{- define "casemate.broker.serviceAccount" -}}
{{- $sa := .Values.broker.serviceAccount -}}
{{- if $sa.create -}}
{{- default (include "casemate.broker.name" .) $sa.name -}}
{{- else -}}
{{- default "default" $sa.name -}}
{{- end -}}
{{- end -}}

{{- define "casemate.broker.tlsDir" -}}/run/casemate/tls{{- end -}}
{{- define "casemate.broker.kekDir" -}}/run/casemate/kek{{- end -}}
{{- define "casemate.broker.collateralDir" -}}/run/casemate/collateral{{- end -}}
{{- define "casemate.broker.collateralCaDir" -}}/run/casemate/collateral-ca{{- end -}}
{{- define "casemate.broker.vcekStoreDir" -}}/run/casemate/vcek-store{{- end -}}

{{/* Not empty: services are asked for collateral. */}}
{{- define "casemate.broker.fetches" -}}
{{- with .Values.broker.config.collateralSource }}{{ printf "%s%s%s" .pccs .pcs .kds }}{{ end -}}
{{- end -}}

{{/* May profiles accept TEEs in debug mode? Where the broker's policy does, wherever the broker runs. */}}
{{- define "casemate.broker.allowDebug" -}}
{{- eq (dig "allowDebug" false (default dict .Values.broker.config.policy)) true -}}
{{- end -}}

{{/* By which agents know whom to trust (key ca.crt). The broker keeps it, unless the certificate is
yours: then it is yours as well. */}}
{{- define "casemate.broker.caConfigMap" -}}
{{- include "casemate.broker.name" . }}-ca
{{- end -}}

{{- define "casemate.broker.vaultCaDir" -}}/run/casemate/vault-ca{{- end -}}
{{- define "casemate.broker.vaultTokenDir" -}}/run/casemate/vault-token{{- end -}}
{{- define "casemate.broker.pinDir" -}}/run/casemate/pin{{- end -}}

{{/* The settings broker.kek; empty where neither Vault nor a token is. */}}
{{- define "casemate.broker.kek" -}}
{{- $k := .Values.broker.kek -}}
{{- $kek := dict -}}
{{- with $k.vault -}}
{{- if .address -}}
{{- if not (and .key .caConfigMap) -}}
{{- fail "broker.kek.vault needs key, the name of a transit key, and caConfigMap, a ConfigMap of yours with the ca.crt of who vouches for it" -}}
{{- else if not (or .role .tokenSecretName) -}}
{{- fail "broker.kek.vault needs role, to log in with the service account, or tokenSecretName, a Secret of yours with the key `token`" -}}
{{- end -}}
{{- $v := dict "address" .address "mount" .mount "key" .key "caFile" (printf "%s/ca.crt" (include "casemate.broker.vaultCaDir" $)) -}}
{{- if .tokenSecretName -}}
{{- $_ := set $v "tokenFile" (printf "%s/token" (include "casemate.broker.vaultTokenDir" $)) -}}
{{- else -}}
{{- $_ := set (set $v "role" .role) "authMount" .authMount -}}
{{- end -}}
{{- $_ := set $kek "vault" $v -}}
{{- end -}}
{{- end -}}
{{- with $k.pkcs11 -}}
{{- if .module -}}
{{- if not (and .token .key .pinSecretName) -}}
{{- fail "broker.kek.pkcs11 needs token and key, their labels, and pinSecretName, a Secret of yours with the key `pin`" -}}
{{- end -}}
{{- $_ := set $kek "pkcs11" (dict "module" .module "token" .token "key" .key "pinFile" (printf "%s/pin" (include "casemate.broker.pinDir" $))) -}}
{{- end -}}
{{- end -}}
{{- if $kek -}}
{{- $_ := set $kek "cacheFor" $k.cacheFor -}}
{{- with $k.use }}{{ $_ := set $kek "use" . }}{{ end -}}
{{- toYaml $kek -}}
{{- end -}}
{{- end -}}

{{- define "casemate.broker.auditDir" -}}/var/log/casemate{{- end -}}
{{- define "casemate.broker.journal" -}}/run/systemd/journal/socket{{- end -}}

{{/* Where the audit log's files are; empty where they are none. */}}
{{- define "casemate.broker.auditVolume" -}}
{{- $a := .Values.broker.audit -}}
{{- range $place := list "claim" "hostPath" -}}
{{- if and (eq $a.to $place) (not (get $a $place)) -}}
{{- fail (printf "broker.audit.to: %s needs broker.audit.%s" $place $place) -}}
{{- else if and (ne $a.to $place) (get $a $place) -}}
{{- fail (printf "broker.audit.%s is of no use with broker.audit.to: %s; set that to %s" $place $a.to $place) -}}
{{- end -}}
{{- end -}}
{{- if eq $a.to "emptyDir" -}}
emptyDir: {}
{{- else if eq $a.to "claim" -}}
persistentVolumeClaim: {claimName: {{ $a.claim }}}
{{- else if eq $a.to "hostPath" -}}
hostPath: {path: {{ $a.hostPath }}, type: Directory}
{{- end -}}
{{- end -}}

{{/* The daemon's file: what the chart knows, and the value broker.config. */}}
{{- define "casemate.broker.config" -}}
{{- $b := .Values.broker -}}
{{- $name := include "casemate.broker.name" . -}}
{{- if not (or $b.kekSecretName $b.insecureKekInSecret $b.kek.vault.address $b.kek.pkcs11.module) -}}
{{- fail "broker.enabled needs what wraps its keys: set broker.kekSecretName to a Secret of yours with the key `kek` (32 random bytes), or broker.kek.vault or broker.kek.pkcs11, or, where nothing is to be protected, broker.insecureKekInSecret" -}}
{{- else if and $b.kekSecretName $b.insecureKekInSecret -}}
{{- fail "broker.kekSecretName and broker.insecureKekInSecret exclude each other" -}}
{{- end -}}
{{- $own := deepCopy $b.config -}}
{{- with .Values.verifier.config -}}
{{- $_ := set $own.denied "platforms" (uniq (concat $own.denied.platforms .deniedPlatforms)) -}}
{{- $_ := set $own.denied "nodes" (uniq (concat $own.denied.nodes .deniedNodes)) -}}
{{- end -}}
{{- $_ := set $own "listen" (printf "%s:%v" $b.bindAddress $b.port) -}}
{{- if $b.provision.enabled -}}
{{- $_ := set $own "provision" (dict "listen" (printf "%s:%v" $b.bindAddress $b.provision.port)) -}}
{{- end -}}
{{- $_ := set $own "agentServiceAccount" (printf "%s:%s" .Release.Namespace (include "casemate.agent.serviceAccount" .)) -}}
{{- if $b.kekSecretName -}}
{{- $_ := set $own "kekFile" (printf "%s/kek" (include "casemate.broker.kekDir" .)) -}}
{{- end -}}
{{- if $b.insecureKekInSecret -}}
{{- $_ := set $own "insecureKekInSecret" true -}}
{{- end -}}
{{- with include "casemate.broker.kek" . | fromYaml -}}
{{- $_ := set $own "kek" . -}}
{{- end -}}
{{- $tls := dict "secretName" (printf "%s-tls" $name) "serviceName" $name "caConfigMap" (include "casemate.broker.caConfigMap" .) -}}
{{- if $b.tlsSecretName -}}
{{- $_ := set $tls "cert" (printf "%s/tls.crt" (include "casemate.broker.tlsDir" .)) -}}
{{- $_ := set $tls "key" (printf "%s/tls.key" (include "casemate.broker.tlsDir" .)) -}}
{{- end -}}
{{- $_ := set $own "tls" $tls -}}
{{- with $b.audit -}}
{{- $_ := set $own "audit" (dict "rotateSize" .rotateSize "keep" .keep "journal" .journal) -}}
{{- end -}}
{{- if $b.collateralConfigMap -}}
{{- $_ := set $own "collateral" (list (include "casemate.broker.collateralDir" .)) -}}
{{- end -}}
{{- if $b.vcekStoreClaim -}}
{{- $_ := set $own.collateralSource "vcekStore" (include "casemate.broker.vcekStoreDir" .) -}}
{{- end -}}
{{- if $b.collateralCaConfigMap -}}
{{- $_ := set $own.collateralSource "caFile" (printf "%s/ca.crt" (include "casemate.broker.collateralCaDir" .)) -}}
{{- end -}}
{{- $chart := dict "broker" $own
	"allowSimulated" .Values.config.allowSimulated
	"attestation" (dict "allowDebug" (eq (include "casemate.broker.allowDebug" .) "true"))
	"runtimeClasses" (include "casemate.classes.config" . | fromYaml)
	"health" (dict "listen" (printf "%s:%v" $b.bindAddress $b.healthPort))
	"metrics" (include "casemate.metrics.config" (dict "root" $ "listen" (printf "%s:%v" $b.bindAddress $b.metricsPort)) | fromYaml)
	"logging" .Values.config.logging
	"tls" (dict "minVersion" .Values.tls.minVersion "caLifetime" .Values.tls.caLifetime "leafLifetime" .Values.tls.leafLifetime) -}}
{{- with .Values.config.guests }}{{ $_ := set $chart "guests" . }}{{ end -}}
{{- with .Values.tls.cipherSuites }}{{ $_ := set $chart.tls "cipherSuites" . }}{{ end -}}
{{- with .Values.config.limits }}{{ $_ := set $chart "limits" . }}{{ end -}}
{{- with .Values.config.shutdown }}{{ $_ := set $chart "shutdown" . }}{{ end -}}
{{- toYaml $chart -}}
{{- end -}}
