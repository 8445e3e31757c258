{{/* What the entries of both webhook configurations share. */}}

{{/* (list $ PATH [TIMEOUT]). caBundle: the webhook keeps it in place, with tls.mode certManager the CA
injector does. Rendering it, even empty, would take it away at each upgrade. */}}
{{- define "casemate.webhook.common" -}}
{{- $root := index . 0 -}}
clientConfig:
  service:
    name: {{ include "casemate.admission.name" $root }}
    namespace: {{ $root.Release.Namespace }}
    # What follows /hint/ is for people: the API server quotes it when the webhook does not answer.
    path: {{ index . 1 }}/hint/look-at-deployment-{{ include "casemate.admission.name" $root }}-in-namespace-{{ $root.Release.Namespace }}
    port: 443
admissionReviewVersions: [v1]
sideEffects: None
matchPolicy: Equivalent
timeoutSeconds: {{ if gt (len .) 2 }}{{ index . 2 }}{{ else }}{{ $root.Values.webhooks.timeoutSeconds }}{{ end }}
{{- end -}}

{{- define "casemate.webhook.enabledNamespaces" -}}
namespaceSelector:
  matchExpressions:
  - {key: casemate.dev/confidential, operator: In, values: [enabled]}
  - {key: kubernetes.io/metadata.name, operator: NotIn, values: {{ include "casemate.excludedNamespaces" . | fromYamlArray | toJson }}}
{{- end -}}

{{- define "casemate.webhook.otherNamespaces" -}}
namespaceSelector:
  matchExpressions:
  - {key: casemate.dev/confidential, operator: NotIn, values: [enabled]}
  - {key: kubernetes.io/metadata.name, operator: NotIn, values: {{ include "casemate.excludedNamespaces" . | fromYamlArray | toJson }}}
{{- end -}}

{{- define "casemate.webhook.podRules" -}}
rules:
- {apiGroups: [""], apiVersions: [v1], resources: [pods], operations: [CREATE, UPDATE], scope: Namespaced}
- {apiGroups: [""], apiVersions: [v1], resources: [pods/ephemeralcontainers, pods/resize], operations: [UPDATE], scope: Namespaced}
{{- end -}}

{{/* Controllers take finalizers off and put labels on; that must not need the webhook. */}}
{{- define "casemate.webhook.podChanges" -}}
- name: changes-spec-or-annotations
  expression: >-
    request.operation != 'UPDATE' || object.spec != oldObject.spec ||
    object.metadata.?annotations.orValue({}) != oldObject.metadata.?annotations.orValue({})
{{- end -}}

{{- define "casemate.webhook.workloadRules" -}}
rules:
- {apiGroups: [""], apiVersions: [v1], resources: [replicationcontrollers], operations: [CREATE, UPDATE], scope: Namespaced}
- {apiGroups: [apps], apiVersions: [v1], resources: [deployments, replicasets, statefulsets, daemonsets], operations: [CREATE, UPDATE], scope: Namespaced}
- {apiGroups: [batch], apiVersions: [v1], resources: [jobs, cronjobs], operations: [CREATE, UPDATE], scope: Namespaced}
{{- end -}}

{{/* One warning, for who wrote it: not again for the ReplicaSet of a Deployment. */}}
{{- define "casemate.webhook.workloadChanges" -}}
- name: has-no-controller
  expression: "!object.metadata.?ownerReferences.orValue([]).exists(o, o.?controller.orValue(false))"
- name: changes-spec
  expression: request.operation != 'UPDATE' || object.spec != oldObject.spec
{{- end -}}
