{{/*
The groups of the files in files/rules with the settings of prometheusRule applied. Expressions and
annotations contain `{{"{{"}}` for Prometheus, so they are only handled as strings, never as templates.
*/}}
{{- define "confluent-api-keys-exporter.ruleGroups" -}}
{{- $groups := list }}
{{- range $kind := list "recording" "alerts" }}
{{- $path := printf "files/rules/confluent-api-keys.%s.yml" $kind }}
{{- range $group := ($.Files.Get $path | fromYaml).groups }}
{{- $rules := list }}
{{- range $rule := $group.rules }}
{{- if hasKey $rule "alert" }}
{{- with include "confluent-api-keys-exporter.alert" (list $ $rule) }}
{{- $rules = append $rules (fromYaml .) }}
{{- end }}
{{- else }}
{{- $rules = append $rules $rule }}
{{- end }}
{{- end }}
{{- if $rules }}
{{- $groups = append $groups (set $group "rules" $rules) }}
{{- end }}
{{- end }}
{{- end }}
{{- with $groups }}
{{- toYaml . }}
{{- end }}
{{- end }}

{{/*
An alert with its settings applied, as YAML; nothing if it is disabled. Takes a list: the root and
the alert of the rule file.
*/}}
{{- define "confluent-api-keys-exporter.alert" -}}
{{- $root := index . 0 }}
{{- $rule := index . 1 }}
{{- $values := $root.Values.prometheusRule }}
{{- $settings := default dict (get (default dict $values.alerts) $rule.alert) }}
{{- if dig "enabled" true $settings }}
{{- include "confluent-api-keys-exporter.applyThresholds" . }}
{{- include "confluent-api-keys-exporter.applyJob" . }}
{{- if $settings.for }}
{{- include "confluent-api-keys-exporter.applyFor" (list $rule $settings.for) }}
{{- end }}
{{- include "confluent-api-keys-exporter.applyLink" (list $rule "runbook_url" "https://confluent-api-keys-exporter.example/docs/runbooks" $values.runbookUrl) }}
{{- include "confluent-api-keys-exporter.applyLink" (list $rule "dashboard_url" "https://grafana.confluent-api-keys-exporter.example" $values.dashboardUrl) }}
{{- $severity := ternary (dict "severity" $settings.severity) dict (not (empty $settings.severity)) }}
{{- $_ := set $rule "labels" (mergeOverwrite dict $rule.labels (default dict $values.alertLabels) $severity (default dict $settings.labels)) }}
{{- $_ := set $rule "annotations" (mergeOverwrite dict $rule.annotations (default dict $values.alertAnnotations) (default dict $settings.annotations)) }}
{{- toYaml $rule }}
{{- end }}
{{- end }}

{{/*
Replaces a text in the expression, the summary or the description of an alert. Takes a list: the
alert, the name of the field, the text and its replacement.
*/}}
{{- define "confluent-api-keys-exporter.replaceIn" -}}
{{- $rule := index . 0 }}
{{- $field := index . 1 }}
{{- $holder := ternary $rule $rule.annotations (eq $field "expr") }}
{{- $_ := set $holder $field (get $holder $field | replace (index . 2) (index . 3)) }}
{{- end }}

{{/*
Replaces the thresholds of an alert, in its expression and in its texts, according to files/thresholds.yaml.
*/}}
{{- define "confluent-api-keys-exporter.applyThresholds" -}}
{{- $root := index . 0 }}
{{- $rule := index . 1 }}
{{- range $name, $threshold := $root.Files.Get "files/thresholds.yaml" | fromYaml }}
{{- $value := get (default dict $root.Values.prometheusRule.thresholds) $name | default $threshold.default }}
{{- if ne (float64 $value) (float64 $threshold.default) }}
{{- range $place := $threshold.places }}
{{- if eq $place.alert $rule.alert }}
{{- range $field, $text := omit $place "alert" }}
{{- $texts := ternary (dict "default" $text "changed" $text) $text (kindIs "string" $text) }}
{{- $before := include "confluent-api-keys-exporter.withThreshold" (list $texts.default $threshold.default) }}
{{- $after := include "confluent-api-keys-exporter.withThreshold" (list $texts.changed $value) }}
{{- include "confluent-api-keys-exporter.replaceIn" (list $rule $field $before $after) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/*
A text of files/thresholds.yaml with a value in place of the placeholders.
*/}}
{{- define "confluent-api-keys-exporter.withThreshold" -}}
{{- $text := index . 0 }}
{{- $value := float64 (index . 1) }}
{{- range $placeholder, $number := dict "{value}" $value "{percent}" (mulf 100 $value) "{rest}" (subf 1 $value) }}
{{- $text = replace $placeholder (regexReplaceAll "\\.?0+$" (printf "%.6f" $number) "") $text }}
{{- end }}
{{- $text }}
{{- end }}

{{/*
Replaces how long the condition of an alert must hold, also where a text mentions it.
*/}}
{{- define "confluent-api-keys-exporter.applyFor" -}}
{{- $rule := index . 0 }}
{{- range $field := list "summary" "description" }}
{{- $before := include "confluent-api-keys-exporter.durationInWords" $rule.for | printf "at least %s" }}
{{- $after := include "confluent-api-keys-exporter.durationInWords" (index $ 1) | printf "at least %s" }}
{{- include "confluent-api-keys-exporter.replaceIn" (list $rule $field $before $after) }}
{{- end }}
{{- $_ := set $rule "for" (index . 1) }}
{{- end }}

{{/*
A duration such as `10m` as `10 minutes`. Other formats, such as `1h30m`, stay as they are.
*/}}
{{- define "confluent-api-keys-exporter.durationInWords" -}}
{{- $unit := dict "s" "second" "m" "minute" "h" "hour" "d" "day" "w" "week" }}
{{- if regexMatch "^[0-9]+[smhdw]$" . }}
{{- $count := regexFind "^[0-9]+" . }}
{{- printf "%s %s%s" $count (get $unit (trimPrefix $count .)) (ternary "" "s" (eq $count "1")) }}
{{- else }}
{{- . }}
{{- end }}
{{- end }}

{{/*
Replaces the address that a link of an alert starts with, or removes the link if there is none. Takes
a list: the alert, the annotation, the address in the rule files, and the new one.
*/}}
{{- define "confluent-api-keys-exporter.applyLink" -}}
{{- $annotations := (index . 0).annotations }}
{{- $name := index . 1 }}
{{- if hasKey $annotations $name }}
{{- if index . 3 }}
{{- $_ := set $annotations $name (get $annotations $name | replace (index . 2) (trimSuffix "/" (index . 3))) }}
{{- else }}
{{- $_ := unset $annotations $name }}
{{- end }}
{{- end }}
{{- end }}

{{/*
Makes an alert on the exporter itself match the jobs of this release.
*/}}
{{- define "confluent-api-keys-exporter.applyJob" -}}
{{- $rule := index . 1 }}
{{- $default := ".*confluent-api-keys.*" }}
{{- $jobs := include "confluent-api-keys-exporter.jobRegex" (index . 0) }}
{{- if ne $jobs $default }}
{{- include "confluent-api-keys-exporter.replaceIn" (list $rule "expr" (printf "job=~%q" $default) (printf "job=~%q" $jobs)) }}
{{- include "confluent-api-keys-exporter.replaceIn" (list $rule "description" "whose name contains confluent-api-keys" (printf "whose name matches %s" $jobs)) }}
{{- end }}
{{- end }}

{{/*
The regular expression for the names of the jobs that scrape the exporter. The jobs of this release
are added where the expression of the rule files does not match them.
*/}}
{{- define "confluent-api-keys-exporter.jobRegex" -}}
{{- if .Values.prometheusRule.jobRegex }}
{{- .Values.prometheusRule.jobRegex }}
{{- else }}
{{- $fullname := include "confluent-api-keys-exporter.fullname" . }}
{{- $labels := include "confluent-api-keys-exporter.labels" . | fromYaml }}
{{- $alternatives := list ".*confluent-api-keys.*" }}
{{- $monitors := dict
  "serviceMonitor" (dict "name" $fullname "labels" (merge dict $labels (default dict .Values.service.labels)))
  "podMonitor" (dict "name" (printf "%s/%s" (default .Release.Namespace (default dict .Values.podMonitor).namespace) $fullname) "labels" (merge dict (default dict .Values.podLabels) $labels)) }}
{{- range $kind, $monitor := $monitors }}
{{- $values := get $.Values $kind | default dict }}
{{- $job := get $monitor.labels (default "" $values.jobLabel) | default $monitor.name }}
{{- if and $values.enabled (not (contains "confluent-api-keys" $job)) }}
{{- $alternatives = append $alternatives (regexQuoteMeta $job) }}
{{- end }}
{{- end }}
{{- $alternatives | uniq | join "|" }}
{{- end }}
{{- end }}
