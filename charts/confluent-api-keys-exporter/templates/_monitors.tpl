{{/*
The metadata of a ServiceMonitor or PodMonitor. Takes a list: the root and the monitor's values.
*/}}
{{- define "confluent-api-keys-exporter.monitorMetadata" -}}
{{- $root := index . 0 }}
{{- $monitor := index . 1 -}}
name: {{ include "confluent-api-keys-exporter.fullname" $root | quote }}
namespace: {{ default $root.Release.Namespace $monitor.namespace | quote }}
labels:
  {{- mergeOverwrite (include "confluent-api-keys-exporter.labels" $root | fromYaml) (default dict $monitor.labels) | toYaml | nindent 2 }}
{{- with $monitor.annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/*
The part of the specification that both kinds of monitors have. Takes the same list.
*/}}
{{- define "confluent-api-keys-exporter.monitorSelection" -}}
{{- $root := index . 0 }}
{{- $monitor := index . 1 -}}
{{- with $monitor.jobLabel -}}
jobLabel: {{ quote . }}
{{ end -}}
namespaceSelector:
  matchNames:
    - {{ quote $root.Release.Namespace }}
selector:
  matchLabels:
    {{- include "confluent-api-keys-exporter.selectorLabels" $root | nindent 4 }}
{{- end }}

{{/*
The endpoint of a ServiceMonitor or PodMonitor. Takes the same list.
`honorLabels` is not configurable: the operator adds a label `endpoint`, and some metrics of the
exporter have a label of that name, which the rules and dashboards read.
*/}}
{{- define "confluent-api-keys-exporter.monitorEndpoint" -}}
{{- $root := index . 0 }}
{{- $monitor := index . 1 -}}
port: metrics
path: {{ quote $root.Values.web.telemetryPath }}
scheme: {{ default (include "confluent-api-keys-exporter.scheme" $root) $monitor.scheme }}
honorLabels: true
{{- range $field := list "interval" "scrapeTimeout" }}
{{- with get $monitor $field }}
{{ $field }}: {{ quote . }}
{{- end }}
{{- end }}
{{- range $field := list "tlsConfig" "basicAuth" "authorization" "relabelings" "metricRelabelings" }}
{{- with get $monitor $field }}
{{ $field }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/* Problems of the monitoring values that the schema cannot express, as a YAML list. */}}
{{- define "confluent-api-keys-exporter.monitoringProblems" -}}
{{- range $name := list "serviceMonitor" "podMonitor" }}
{{- $monitor := get $ $name | default dict }}
{{- if and $monitor.basicAuth $monitor.authorization }}
- "{{ $name }}: has both `basicAuth` and `authorization`; remove one of them"
{{- end }}
{{- end }}
{{- with (default dict .prometheusRule).thresholds }}
{{- if and .ownCredentialExpiringDays .ownCredentialExpiringVerySoonDays (le (int .ownCredentialExpiringDays) (int .ownCredentialExpiringVerySoonDays)) }}
- "prometheusRule.thresholds.ownCredentialExpiringDays: is not above `ownCredentialExpiringVerySoonDays`; increase it"
{{- end }}
{{- end }}
{{- end }}
