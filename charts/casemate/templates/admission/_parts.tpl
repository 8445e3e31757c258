{{/* The part of the configuration that is read at start only: a change of it rolls the pods. */}}
{{- define "casemate.admission.listeners" -}}
{{- $a := .Values.admission -}}
listen: {{ printf "%s:%v" $a.bindAddress $a.port | quote }}
health:
  listen: {{ printf "%s:%v" $a.bindAddress $a.healthPort | quote }}
metrics:
  listen: {{ printf "%s:%v" $a.bindAddress $a.metricsPort | quote }}
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

{{/* The part that RuntimeClasses and ValidatingAdmissionPolicies must agree with: a change of it rolls
the pods, so that an upgrade has ended when it is in force. */}}
{{- define "casemate.admission.shared" -}}
{{- $config := .Values.config -}}
{{- dict "classes" (include "casemate.classes" .) "onOther" .Values.runtimeClasses.onOther
  "allowSimulated" $config.allowSimulated "vendorMode" $config.vendorPods.mode | toJson -}}
{{- end -}}
