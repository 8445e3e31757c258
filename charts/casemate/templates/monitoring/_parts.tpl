{{/* Where metrics.tlsSecretName and metrics.clientCaSecretName are mounted. */}}
{{- define "casemate.metrics.tlsDir" -}}/run/casemate-metrics/tls{{- end -}}
{{- define "casemate.metrics.clientCaDir" -}}/run/casemate-metrics/client-ca{{- end -}}

{{/* The daemons' settings below `metrics`: (dict "root" $ "listen" ADDRESS). */}}
{{- define "casemate.metrics.config" -}}
{{- $m := .root.Values.metrics -}}
{{- $config := dict "listen" .listen "secure" $m.secure -}}
{{- if $m.secure -}}
{{- $_ := set $config "audience" $m.audience -}}
{{- with $m.users }}{{ $_ := set $config "users" . }}{{ end -}}
{{- with $m.groups }}{{ $_ := set $config "groups" . }}{{ end -}}
{{- if $m.tlsSecretName -}}
{{- $dir := include "casemate.metrics.tlsDir" . -}}
{{- $_ := set $config "tls" (dict "cert" (printf "%s/tls.crt" $dir) "key" (printf "%s/tls.key" $dir)) -}}
{{- end -}}
{{- if $m.clientCaSecretName -}}
{{- $_ := set $config "clientCa" (printf "%s/ca.crt" (include "casemate.metrics.clientCaDir" .)) -}}
{{- end -}}
{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* List items of a pod's volumes and of its container's volumeMounts. */}}
{{- define "casemate.metrics.volumes" -}}
{{- if .Values.metrics.secure -}}
{{- with .Values.metrics.tlsSecretName }}
- name: metrics-tls
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
{{- with .Values.metrics.clientCaSecretName }}
- name: metrics-client-ca
  secret: {secretName: {{ . }}, defaultMode: 0440, items: [{key: ca.crt, path: ca.crt}]}
{{- end }}
{{- end -}}
{{- end -}}
{{- define "casemate.metrics.volumeMounts" -}}
{{- if .Values.metrics.secure -}}
{{- if .Values.metrics.tlsSecretName }}
- {name: metrics-tls, mountPath: {{ include "casemate.metrics.tlsDir" . }}, readOnly: true}
{{- end }}
{{- if .Values.metrics.clientCaSecretName }}
- {name: metrics-client-ca, mountPath: {{ include "casemate.metrics.clientCaDir" . }}, readOnly: true}
{{- end }}
{{- end -}}
{{- end -}}

{{/* Rules of a ClusterRole. */}}
{{- define "casemate.metrics.rules" -}}
{{- if .Values.metrics.secure -}}
# Who asks for metrics: whose token is it, and is it meant for that?
- apiGroups: [authentication.k8s.io]
  resources: [tokenreviews]
  verbs: [create]
{{- end -}}
{{- end -}}

{{/* The endpoint of a monitor: (dict "root" $ "job" NAME "relabelings" LIST). What the values add to it
wins, but for the relabelings, which come last. */}}
{{- define "casemate.metrics.endpoint" -}}
{{- $m := .root.Values.metrics -}}
{{- $ours := dict "port" "metrics" "path" "/metrics" "interval" .interval
	"scheme" (ternary "https" "http" $m.secure) -}}
{{- if and $m.secure (not $m.tlsSecretName) -}}
{{- /* Each pod makes a certificate of its own. What a token of that audience is good for is to read
these metrics; whoever gets it in the middle can read them. */ -}}
{{- $_ := set $ours "tlsConfig" (dict "insecureSkipVerify" true) -}}
{{- end -}}
{{- $relabelings := concat
	(list (dict "targetLabel" "job" "replacement" .job))
	(default list .relabelings)
	(default list $m.endpoint.relabelings) -}}
{{- dict "relabelings" $relabelings | merge (omit $m.endpoint "relabelings") $ours | toYaml -}}
{{- end -}}

{{/* For a Prometheus that finds pods by annotation: (dict "root" $ "port" 8081). */}}
{{- define "casemate.metrics.annotations" -}}
{{- if .root.Values.metrics.annotations -}}
prometheus.io/scrape: "true"
prometheus.io/port: {{ .port | quote }}
prometheus.io/path: /metrics
prometheus.io/scheme: {{ ternary "https" "http" .root.Values.metrics.secure }}
{{- end -}}
{{- end -}}
