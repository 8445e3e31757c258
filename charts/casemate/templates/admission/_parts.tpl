{{/* The part of the configuration that does not come from the value `config` as it stands. */}}
{{- define "casemate.admission.listeners" -}}
{{- $a := .Values.admission -}}
listen: {{ printf "%s:%v" $a.bindAddress $a.port | quote }}
health:
  listen: {{ printf "%s:%v" $a.bindAddress $a.healthPort | quote }}
metrics:
  {{- include "casemate.metrics.config" (dict "root" $ "listen" (printf "%s:%v" $a.bindAddress $a.metricsPort)) | nindent 2 }}
threads: {{ $a.threads }}
{{- with .Values.config.limits }}
limits:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.config.shutdown }}
shutdown:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}
