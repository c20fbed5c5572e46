{{/* What helm shows after an installation. */}}
{{- define "confluent-api-keys-exporter.notes" -}}
{{- $fullname := include "confluent-api-keys-exporter.fullname" . -}}
{{- $scheme := include "confluent-api-keys-exporter.scheme" . -}}
{{- $workload := printf "deployment/%s" $fullname -}}
{{- if gt (int .Values.shards) 1 -}}{{- $workload = printf "statefulset/%s-shard-0" $fullname -}}{{- end -}}
{{ .Chart.Name }} {{ .Chart.AppVersion }} is installed. Organizations: {{ len .Values.organizations }}. Pods: {{ int .Values.shards }}.

Wait until each organization has been tried once:

  kubectl --namespace {{ .Release.Namespace }} rollout status {{ $workload }}

Check what the credentials can see:

  kubectl --namespace {{ .Release.Namespace }} exec {{ $workload }} -- confluent-api-keys-exporter check --config.file={{ include "confluent-api-keys-exporter.configFolder" . }}/config.yaml{{ if gt (int .Values.shards) 1 }} --shard=0 --total-shards={{ int .Values.shards }}{{ end }}

Look at the metrics at {{ $scheme }}://localhost:{{ int .Values.port }}{{ .Values.web.telemetryPath }}:

  kubectl --namespace {{ .Release.Namespace }} port-forward {{ $workload }} {{ int .Values.port }}
{{- if not (include "confluent-api-keys-exporter.webSecret" .) }}

Everyone who can reach the pod can read the metrics. To change this, set web.config, web.existingSecret or networkPolicy.enabled.
{{- end }}
{{- if and (gt (int .Values.shards) 1) (not .Values.service.headless) }}

Prometheus must scrape each shard. A static target cannot do this with this Service: use the Prometheus operator, or set service.headless and use dns_sd_configs.
{{- end }}
{{- end -}}
