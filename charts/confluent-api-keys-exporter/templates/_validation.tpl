{{/* Fails with all problems of the values that the schema cannot express. */}}
{{- define "confluent-api-keys-exporter.validate" -}}
{{- $problems := list -}}
{{- $values := .Values -}}
{{- if not $values.organizations -}}
  {{- $problems = append $problems "organizations: is empty; add at least one organization" -}}
{{- end -}}
{{- $fullname := include "confluent-api-keys-exporter.fullname" . -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $fullname) -}}
  {{- $problems = append $problems (printf "fullnameOverride: the Service would have the name `%s`, which Kubernetes rejects; set a name of a-z, 0-9 and `-` that starts with a letter" $fullname) -}}
{{- end -}}
{{- range $path, $labels := dict "commonLabels" $values.commonLabels "podLabels" $values.podLabels "service.labels" $values.service.labels -}}
  {{- range $label := list "app.kubernetes.io/component" "app.kubernetes.io/instance" "app.kubernetes.io/managed-by" "app.kubernetes.io/name" "app.kubernetes.io/version" "helm.sh/chart" -}}
    {{- if hasKey ($labels | default dict) $label -}}
      {{- $problems = append $problems (printf "%s: the chart sets %s; remove it" $path $label) -}}
    {{- end -}}
  {{- end -}}
{{- end -}}
{{- $names := dict -}}
{{- range $position, $organization := $values.organizations -}}
  {{- $path := printf "organizations[%d]" $position -}}
  {{- if hasKey $names .name -}}
    {{- $problems = append $problems (printf "%s.name: `%s` is also the name of organizations[%d]; choose another name" $path .name (get $names .name)) -}}
  {{- else -}}
    {{- $_ := set $names .name $position -}}
  {{- end -}}
  {{- if or (eq .name ".") (hasPrefix ".." .name) -}}
    {{- $problems = append $problems (printf "%s.name: `%s` cannot be the name of a folder; choose a name that does not start with a dot" $path .name) -}}
  {{- end -}}
  {{- range list "name" "credentials" -}}
    {{- if hasKey ($organization.settings | default dict) . -}}
      {{- $problems = append $problems (printf "%s.settings.%s: is set beside `settings`; remove it here" $path .) -}}
    {{- end -}}
  {{- end -}}
  {{- $found := include "confluent-api-keys-exporter.credentialsProblem" .credentials -}}
  {{- if $found -}}
    {{- $problems = append $problems (printf "%s.credentials%s" $path $found) -}}
  {{- end -}}
{{- end -}}
{{- $stateFile := (($values.config.defaults | default dict).usage | default dict).state_file -}}
{{- if and $stateFile (gt (len $values.organizations) 1) -}}
  {{- $problems = append $problems "config.defaults.usage.state_file: is one file for several organizations; remove it and set persistence.enabled" -}}
{{- end -}}
{{- if eq (int $values.port) (int $values.probes.port) -}}
  {{- $problems = append $problems (printf "probes.port: %d is also `port`; choose another port" (int $values.port)) -}}
{{- end -}}
{{- $webConfig := $values.web.config | default dict -}}
{{- if and $values.web.existingSecret $webConfig -}}
  {{- $problems = append $problems "web: has both `existingSecret` and `config`; remove one of them" -}}
{{- end -}}
{{- $certificates := eq (($webConfig.tls_server_config | default dict).client_auth_type | default "") "RequireAndVerifyClientCert" -}}
{{- if and $values.web.enableInventory (not (or $values.web.existingSecret $webConfig.basic_auth_users $certificates)) -}}
  {{- $problems = append $problems "web.enableInventory: would show the API keys to everyone who can reach the pod; set basic_auth_users in web.config, or web.existingSecret" -}}
{{- end -}}
{{- if and $values.service.headless (ne $values.service.type "ClusterIP") -}}
  {{- $problems = append $problems (printf "service.headless: requires the type ClusterIP, not %s; change one of them" $values.service.type) -}}
{{- end -}}
{{- range $position, $argument := $values.extraArgs -}}
  {{- range list "--config.file" "--shard" "--total-shards" "--web.telemetry-path" "--web.config.file" "--web.external-url" "--web.enable-lifecycle" "--web.enable-inventory" "--log.level" "--log.format" -}}
    {{- if or (eq $argument .) (hasPrefix (printf "%s=" .) $argument) -}}
      {{- $problems = append $problems (printf "extraArgs[%d]: the chart sets %s; use the value for it" $position .) -}}
    {{- end -}}
  {{- end -}}
  {{- if eq $argument "--web.systemd-socket" -}}
    {{- $problems = append $problems (printf "extraArgs[%d]: %s does not work in a pod; remove it" $position $argument) -}}
  {{- end -}}
{{- end -}}
{{- $problems = concat $problems (include "confluent-api-keys-exporter.monitoringProblems" $values | fromYamlArray) -}}
{{- if $problems -}}
  {{- fail (printf "the values have problems:\n- %s" ($problems | join "\n- ")) -}}
{{- end -}}
{{- end -}}

{{/* The problem of a section `credentials` that is not exactly one kind; empty if it has none. */}}
{{- define "confluent-api-keys-exporter.credentialsProblem" -}}
{{- $apiKey := or (hasKey . "apiKey") (hasKey . "apiSecret") -}}
{{- $pool := or (hasKey . "identityPool") (hasKey . "serviceAccountToken") (hasKey . "oauth") -}}
{{- $kinds := list -}}
{{- if hasKey . "existingSecret" -}}{{- $kinds = append $kinds "existingSecret" -}}{{- end -}}
{{- if $apiKey -}}{{- $kinds = append $kinds "apiKey and apiSecret" -}}{{- end -}}
{{- if $pool -}}{{- $kinds = append $kinds "identityPool" -}}{{- end -}}
{{- $oauth := .oauth | default dict -}}
{{- if not $kinds -}}
: are missing; set existingSecret, or apiKey and apiSecret, or identityPool
{{- else if gt (len $kinds) 1 -}}
: are of several kinds ({{ join "; " $kinds }}); keep one of them
{{- else if and $apiKey (not (and .apiKey .apiSecret)) -}}
: have only one of apiKey and apiSecret; set both, or existingSecret
{{- else if and $pool (not .identityPool) -}}
: have no identityPool; set the id of the identity pool
{{- else if and $pool (eq (hasKey . "serviceAccountToken") (hasKey . "oauth")) -}}
: need exactly one source of tokens for the identity pool; set serviceAccountToken (`{}` for the defaults) or oauth
{{- else if and .oauth (eq (hasKey $oauth "existingSecret") (hasKey $oauth "clientSecret")) -}}
.oauth: needs exactly one source of the client's secret; set existingSecret or clientSecret
{{- end -}}
{{- end -}}
