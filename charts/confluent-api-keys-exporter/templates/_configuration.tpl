{{/* Folders in the container. */}}
{{- define "confluent-api-keys-exporter.configFolder" -}}
/etc/confluent-api-keys-exporter
{{- end -}}
{{- define "confluent-api-keys-exporter.webFolder" -}}
/etc/confluent-api-keys-exporter-web
{{- end -}}
{{- define "confluent-api-keys-exporter.stateFolder" -}}
/var/lib/confluent-api-keys-exporter
{{- end -}}

{{/*
The section `credentials` of the organization `.organization`, as JSON. The files have relative
paths: they are in the folder of the configuration file.
*/}}
{{- define "confluent-api-keys-exporter.credentials" -}}
{{- $folder := printf "credentials/%s" .organization.name -}}
{{- $written := .organization.credentials -}}
{{- $credentials := dict -}}
{{- if $written.identityPool -}}
  {{- $_ := set $credentials "identity_pool" $written.identityPool -}}
  {{- with $written.oauth -}}
    {{- $oauth := dict "token_url" .tokenUrl "client_id" .clientId -}}
    {{- $_ := set $oauth "client_secret_file" (printf "%s/client-secret" $folder) -}}
    {{- with .scope -}}{{- $_ := set $oauth "scope" . -}}{{- end -}}
    {{- $_ := set $credentials "oauth" $oauth -}}
  {{- else -}}
    {{- $_ := set $credentials "token_file" (printf "%s/token" $folder) -}}
  {{- end -}}
{{- else -}}
  {{- $_ := set $credentials "api_key_file" (printf "%s/api-key" $folder) -}}
  {{- $_ := set $credentials "api_secret_file" (printf "%s/api-secret" $folder) -}}
{{- end -}}
{{- toJson $credentials -}}
{{- end -}}

{{/* The exporter's configuration file. */}}
{{- define "confluent-api-keys-exporter.config" -}}
{{- $organizations := list -}}
{{- range .Values.organizations -}}
  {{- $credentials := include "confluent-api-keys-exporter.credentials" (dict "organization" .) -}}
  {{- $entry := dict "name" .name "credentials" (fromJson $credentials) -}}
  {{- $settings := deepCopy (.settings | default dict) -}}
  {{- $usage := $settings.usage | default dict -}}
  {{- if and $.Values.persistence.enabled (not (or $usage.state_file (($.Values.config.defaults | default dict).usage | default dict).state_file)) -}}
    {{- $_ := set $usage "state_file" (printf "%s/%s.json" (include "confluent-api-keys-exporter.stateFolder" $) .name) -}}
    {{- $_ := set $settings "usage" $usage -}}
  {{- end -}}
  {{- range $key, $value := $settings -}}{{- $_ := set $entry $key $value -}}{{- end -}}
  {{- $organizations = append $organizations $entry -}}
{{- end -}}
{{- $config := dict "organizations" $organizations -}}
{{- with .Values.config.defaults -}}{{- $_ := set $config "defaults" . -}}{{- end -}}
{{- with .Values.config.teams -}}{{- $_ := set $config "teams" . -}}{{- end -}}
{{- toYaml $config -}}
{{- end -}}

{{/* The web configuration file, if the chart writes it. */}}
{{- define "confluent-api-keys-exporter.webConfig" -}}
{{- if not .Values.web.existingSecret -}}
{{- $config := deepCopy (.Values.web.config | default dict) -}}
{{- if .Values.web.tls.existingSecret -}}
  {{- $tls := $config.tls_server_config | default dict -}}
  {{- if not (or $tls.cert_file $tls.cert $tls.key_file $tls.key) -}}
    {{- $_ := set $config "tls_server_config" (merge $tls (dict "cert_file" "tls.crt" "key_file" "tls.key")) -}}
  {{- end -}}
{{- end -}}
{{- with $config -}}{{- toYaml . -}}{{- end -}}
{{- end -}}
{{- end -}}

{{/* Name of the Secret with the web configuration file; empty if there is no such file. */}}
{{- define "confluent-api-keys-exporter.webSecret" -}}
{{- if .Values.web.existingSecret -}}
{{- .Values.web.existingSecret -}}
{{- else if include "confluent-api-keys-exporter.webConfig" . -}}
{{- include "confluent-api-keys-exporter.fullname" . }}-web
{{- end -}}
{{- end -}}
