{{/* Name of the application in labels. */}}
{{- define "confluent-api-keys-exporter.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 43 | trimSuffix "-" -}}
{{- end -}}

{{/*
Name of the resources. At most 43 characters, because the name of a StatefulSet has 52 at most:
Kubernetes adds a hash to it in a label.
*/}}
{{- define "confluent-api-keys-exporter.fullname" -}}
{{- $name := .Values.nameOverride | default .Chart.Name -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 43 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 43 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 43 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that select the pods of this release. They cannot change in an upgrade. */}}
{{- define "confluent-api-keys-exporter.selectorLabels" -}}
app.kubernetes.io/name: {{ include "confluent-api-keys-exporter.name" . | quote }}
app.kubernetes.io/instance: {{ .Release.Name | trunc 63 | trimSuffix "-" | quote }}
{{- end -}}

{{/* Labels of each resource. */}}
{{- define "confluent-api-keys-exporter.labels" -}}
{{ include "confluent-api-keys-exporter.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* Reference to the container image. A digest takes precedence over a tag. */}}
{{- define "confluent-api-keys-exporter.image" -}}
{{- $image := .Values.image -}}
{{- with $image.registry }}{{ . }}/{{ end -}}
{{- $image.repository -}}
{{- if $image.digest -}}
@{{ $image.digest }}
{{- else -}}
:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* Name of the service account of the pods. */}}
{{- define "confluent-api-keys-exporter.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "confluent-api-keys-exporter.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{/* `https` if the metrics are served with TLS, as far as the values tell, else `http`. */}}
{{- define "confluent-api-keys-exporter.scheme" -}}
{{- if or .Values.web.tls.existingSecret (.Values.web.config | default dict).tls_server_config -}}
https
{{- else -}}
http
{{- end -}}
{{- end -}}
