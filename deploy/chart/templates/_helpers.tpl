{{/* Name of the release's objects. */}}
{{- define "duckbot.name" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride -}}
{{- else if contains "." .Release.Name -}}
{{- fail (printf "the name of the release, %s, has a dot, which a namespace can't have; choose another name, or set fullnameOverride" .Release.Name) -}}
{{- else if contains "duckbot" .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-duckbot" (.Release.Name | trunc 42 | trimSuffix "-") -}}
{{- end -}}
{{- end -}}

{{/* Labels that select the bot's Pod. */}}
{{- define "duckbot.selector" -}}
app.kubernetes.io/name: duckbot
app.kubernetes.io/instance: {{ .Release.Name | quote }}
{{- end -}}

{{/* Labels of the release's objects. */}}
{{- define "duckbot.labels" -}}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{/* Namespace of the sessions. */}}
{{- define "duckbot.sessions" -}}
{{- $sessions := .Values.settings.kubernetes.namespace | default (printf "%s-sessions" (include "duckbot.name" .)) -}}
{{- if eq $sessions .Release.Namespace -}}
{{- fail (printf "sessions need another namespace than %s, which is the bot's, with its token; set settings.kubernetes.namespace, or install the release into another one" $sessions) -}}
{{- end -}}
{{- $sessions -}}
{{- end -}}

{{/* Reference of an image; its name is the second item of the list. */}}
{{- define "duckbot.image" -}}
{{- $root := index . 0 -}}
{{- $image := $root.Values.image -}}
{{- $registry := required "image.registry is required: the registry and folder of both images, like registry.example.com/team" $image.registry -}}
{{- printf "%s/%s:%s" (trimSuffix "/" $registry) (index . 1) ($image.tag | default $root.Chart.AppVersion) -}}
{{- end -}}

{{- define "duckbot.botImage" -}}
{{- if .Values.image.bot -}}
{{- .Values.image.bot -}}
{{- else -}}
{{- include "duckbot.image" (list . "duckbot") -}}
{{- end -}}
{{- end -}}

{{- define "duckbot.sessionImage" -}}
{{- if .Values.settings.sessions.image -}}
{{- .Values.settings.sessions.image -}}
{{- else -}}
{{- include "duckbot.image" (list . "duckui") -}}
{{- end -}}
{{- end -}}

{{/* The settings file: the settings of the values, and the chart's own defaults. */}}
{{- define "duckbot.settings" -}}
{{- include "duckbot.refuseNumbers" (dict "path" "settings" "value" .Values.settings) -}}
{{- $settings := deepCopy .Values.settings -}}
{{- $pod := merge ($settings.pod | default dict) (dict "image_pull_policy" .Values.image.pullPolicy) -}}
{{- $own := dict "kubernetes" (dict "namespace" (include "duckbot.sessions" .)) "pod" $pod -}}
{{- mergeOverwrite $settings $own | toPrettyJson -}}
{{- end -}}

{{/* Name of the Secret with the bot's token. */}}
{{- define "duckbot.tokenSecret" -}}
{{- .Values.secrets.discord.name | default (printf "%s-discord" (include "duckbot.name" .)) -}}
{{- end -}}

{{/* Name of the Secret with the tokens of the HTTP API. */}}
{{- define "duckbot.apiSecret" -}}
{{- .Values.secrets.apiTokens.name | default (printf "%s-api-tokens" (include "duckbot.name" .)) -}}
{{- end -}}

{{/* The security context that every container of the chart has. */}}
{{- define "duckbot.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end -}}

{{/* Rules for egress to the caches of the cluster's DNS on the nodes. */}}
{{- define "duckbot.dnsCaches" -}}
{{- with .Values.networkPolicy.dns.caches -}}
- to:
    {{- range . }}
    - ipBlock: { cidr: {{ . | quote }} }
    {{- end }}
  ports:
    - { port: 53, protocol: UDP }
    - { port: 53, protocol: TCP }
{{- end -}}
{{- end -}}

{{/* The security context that every Pod of the chart has. OpenShift assigns the user itself. */}}
{{- define "duckbot.podSecurity" -}}
runAsNonRoot: true
{{- if not .Values.openshift }}
runAsUser: 1000
runAsGroup: 1000
{{- end }}
seccompProfile: { type: RuntimeDefault }
{{- end -}}
