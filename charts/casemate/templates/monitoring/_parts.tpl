{{/* The endpoint of a monitor: (dict "root" $ "job" NAME "relabelings" LIST). What the values add to it
wins, but for the relabelings, which come last. */}}
{{- define "casemate.metrics.endpoint" -}}
{{- $m := .root.Values.metrics -}}
{{- $ours := dict "port" "metrics" "path" "/metrics" "scheme" "http" "interval" .interval -}}
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
prometheus.io/scheme: http
{{- end -}}
{{- end -}}
