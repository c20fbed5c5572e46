{{/* The pod template of the shard `.shard`, with the credentials of `.organizations`. */}}
{{- define "confluent-api-keys-exporter.pod" -}}
{{- $root := .root -}}
{{- $values := $root.Values -}}
{{- $organizations := .organizations -}}
{{- $webSecret := include "confluent-api-keys-exporter.webSecret" $root -}}
metadata:
  labels:
    {{- $labels := include "confluent-api-keys-exporter.labels" $root | fromYaml }}
    {{- $shardLabel := include "confluent-api-keys-exporter.shardLabel" . | fromYaml }}
    {{- mergeOverwrite $labels $shardLabel (default dict $values.podLabels) | toYaml | nindent 4 }}
  annotations:
    {{- include "confluent-api-keys-exporter.checksums" $root | nindent 4 }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "confluent-api-keys-exporter.serviceAccountName" $root | quote }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ $values.terminationGracePeriodSeconds | int64 }}
  {{- with $values.podSecurityContext }}
  securityContext:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- range $name := list "priorityClassName" "dnsPolicy" }}
  {{- with get $values $name }}
  {{ $name }}: {{ quote . }}
  {{- end }}
  {{- end }}
  {{- range $name := list "imagePullSecrets" "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" "dnsConfig" "hostAliases" }}
  {{- with get $values $name }}
  {{ $name }}:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- end }}
  containers:
    - name: exporter
      image: {{ include "confluent-api-keys-exporter.image" $root | quote }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      {{- with $values.securityContext }}
      securityContext:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      args:
        - run
        - --config.file={{ include "confluent-api-keys-exporter.configFolder" $root }}/config.yaml
        {{- if gt (int $values.shards) 1 }}
        - --shard={{ .shard }}
        - --total-shards={{ int $values.shards }}
        {{- end }}
        - --web.listen-address=:{{ int $values.port }}
        - --web.probe-listen-address=:{{ int $values.probes.port }}
        - {{ printf "--web.telemetry-path=%s" $values.web.telemetryPath | quote }}
        {{- if $webSecret }}
        - --web.config.file={{ include "confluent-api-keys-exporter.webFolder" $root }}/web.yaml
        {{- end }}
        {{- with $values.web.externalUrl }}
        - {{ printf "--web.external-url=%s" . | quote }}
        {{- end }}
        {{- if $values.web.enableLifecycle }}
        - --web.enable-lifecycle
        {{- end }}
        {{- if $values.web.enableInventory }}
        - --web.enable-inventory
        {{- end }}
        - --log.level={{ $values.log.level }}
        - --log.format={{ $values.log.format }}
        {{- range $values.extraArgs }}
        - {{ . | quote }}
        {{- end }}
      {{- with $values.extraEnv }}
      env:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- with $values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: metrics
          containerPort: {{ int $values.port }}
          protocol: TCP
        - name: probes
          containerPort: {{ int $values.probes.port }}
          protocol: TCP
      startupProbe:
        httpGet: {path: /-/healthy, port: probes}
        {{- toYaml $values.probes.startup | nindent 8 }}
      livenessProbe:
        httpGet: {path: /-/healthy, port: probes}
        {{- toYaml $values.probes.liveness | nindent 8 }}
      readinessProbe:
        httpGet: {path: /-/ready, port: probes}
        {{- toYaml $values.probes.readiness | nindent 8 }}
      {{- with $values.resources }}
      resources:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        - name: config
          mountPath: {{ include "confluent-api-keys-exporter.configFolder" $root }}
          readOnly: true
        {{- if $webSecret }}
        - name: web
          mountPath: {{ include "confluent-api-keys-exporter.webFolder" $root }}
          readOnly: true
        {{- end }}
        {{- if $values.persistence.enabled }}
        - name: state
          mountPath: {{ include "confluent-api-keys-exporter.stateFolder" $root }}
        {{- end }}
        {{- with $values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      projected:
        defaultMode: 0440
        sources:
          - configMap:
              name: {{ include "confluent-api-keys-exporter.fullname" $root | quote }}
          {{- range $organizations }}
          {{- include "confluent-api-keys-exporter.credentialsSource" (dict "root" $root "organization" .) | nindent 10 }}
          {{- end }}
    {{- if $webSecret }}
    - name: web
      projected:
        defaultMode: 0440
        sources:
          - secret:
              name: {{ $webSecret | quote }}
          {{- with $values.web.tls.existingSecret }}
          - secret:
              name: {{ quote . }}
          {{- end }}
    {{- end }}
    {{- if and $values.persistence.enabled (eq (int $values.shards) 1) }}
    - name: state
      persistentVolumeClaim:
        claimName: {{ include "confluent-api-keys-exporter.fullname" $root | quote }}
    {{- end }}
    {{- with $values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* The label that tells the pods of the shards apart. */}}
{{- define "confluent-api-keys-exporter.shardLabel" -}}
{{- if gt (int .root.Values.shards) 1 -}}
app.kubernetes.io/component: shard-{{ .shard }}
{{- else -}}
app.kubernetes.io/component: exporter
{{- end -}}
{{- end -}}

{{/*
Annotations that change with the configuration and the web configuration, so that the pods are
replaced. There is none for credentials: the exporter reads them again at every refresh, and everyone
who can see the pod could try passwords until the hash matches.
*/}}
{{- define "confluent-api-keys-exporter.checksums" -}}
checksum/config: {{ include "confluent-api-keys-exporter.config" . | sha256sum }}
checksum/web: {{ include "confluent-api-keys-exporter.webConfig" . | sha256sum }}
{{- end -}}

{{/* The specification of the PersistentVolumeClaims. */}}
{{- define "confluent-api-keys-exporter.claim" -}}
accessModes:
  {{- toYaml .Values.persistence.accessModes | nindent 2 }}
{{- with .Values.persistence.storageClass }}
storageClassName: {{ quote . }}
{{- end }}
resources:
  requests:
    storage: {{ .Values.persistence.size | quote }}
{{- end -}}
