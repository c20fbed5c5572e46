{{/*
The shard of the organization `.name` among `.shards`: the jump consistent hash of Lamping and
Veach, as in the exporter. int64 wraps as the exporter's arithmetic modulo 2^64 does. A negative
number stands for one that is larger by 2^64, so its upper 31 bits are larger by 2^31.
*/}}
{{- define "confluent-api-keys-exporter.shard" -}}
{{- $digits := dict -}}
{{- range $value, $digit := splitList "" "0123456789abcdef" -}}
  {{- $_ := set $digits $digit $value -}}
{{- end -}}
{{- $key := 0 -}}
{{- range .name | sha256sum | trunc 15 | splitList "" -}}
  {{- $key = add (mul $key 16) (get $digits .) -}}
{{- end -}}
{{- $shard := 0 -}}
{{- $next := 0 -}}
{{- range until (int .shards) -}}
  {{- if lt (int64 $next) (int64 $.shards) -}}
    {{- $shard = $next -}}
    {{- $key = add 1 (mul $key 2862933555777941757) -}}
    {{- $upper := div $key 8589934592 -}}
    {{- if lt $key 0 -}}
      {{- $upper = add (div (add $key 1) 8589934592) 2147483647 -}}
    {{- end -}}
    {{- $next = div (mul (add $shard 1) 2147483648) (add $upper 1) -}}
  {{- end -}}
{{- end -}}
{{- $shard -}}
{{- end -}}

{{/*
Name of the Secret that the chart creates for the organization `.organization`. The name of an
organization may have characters that a Secret's name may not. The hash makes the names unique.
*/}}
{{- define "confluent-api-keys-exporter.createdSecret" -}}
{{- $name := .organization.name -}}
{{- $readable := $name | lower | replace "_" "-" | replace "." "-" | trunc 40 | trimAll "-" -}}
{{- $fullname := include "confluent-api-keys-exporter.fullname" .root -}}
{{- list $fullname $readable ($name | sha256sum | trunc 8) | compact | join "-" -}}
{{- end -}}

{{/* Data of the Secret that the chart creates for the organization `.organization`; may be empty. */}}
{{- define "confluent-api-keys-exporter.secretData" -}}
{{- $credentials := .organization.credentials -}}
{{- if $credentials.apiKey -}}
api-key: {{ $credentials.apiKey | b64enc }}
api-secret: {{ $credentials.apiSecret | b64enc }}
{{- else if ($credentials.oauth | default dict).clientSecret -}}
client-secret: {{ $credentials.oauth.clientSecret | b64enc }}
{{- end -}}
{{- end -}}

{{/*
The source of the credentials of `.organization` in the projected volume: the Secret or the token.
*/}}
{{- define "confluent-api-keys-exporter.credentialsSource" -}}
{{- $credentials := .organization.credentials -}}
{{- $folder := printf "credentials/%s" .organization.name -}}
{{- $created := include "confluent-api-keys-exporter.createdSecret" . -}}
{{- if hasKey $credentials "serviceAccountToken" -}}
{{- $token := $credentials.serviceAccountToken -}}
- serviceAccountToken:
    audience: {{ $token.audience | default "confluent-cloud" | quote }}
    expirationSeconds: {{ $token.expirationSeconds | default 3600 | int64 }}
    path: {{ $folder }}/token
{{- else if $credentials.oauth -}}
{{- $secret := $credentials.oauth.existingSecret | default (dict "name" $created) -}}
- secret:
    name: {{ $secret.name | quote }}
    items:
      - key: {{ $secret.key | default "client-secret" | quote }}
        path: {{ $folder }}/client-secret
{{- else -}}
{{- $secret := $credentials.existingSecret | default (dict "name" $created) -}}
- secret:
    name: {{ $secret.name | quote }}
    items:
      - key: {{ $secret.apiKeyKey | default "api-key" | quote }}
        path: {{ $folder }}/api-key
      - key: {{ $secret.apiSecretKey | default "api-secret" | quote }}
        path: {{ $folder }}/api-secret
{{- end -}}
{{- end -}}
