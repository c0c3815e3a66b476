{{/* Refuses what the schema can't. */}}

{{/* Refuses numbers that YAML has rounded (Discord's IDs are longer than its numbers are exact), and parts of cores that
are not thousandths. */}}
{{- define "duckbot.refuseNumbers" -}}
{{- $path := .path -}}
{{- range $key, $value := .value -}}
{{- $at := printf "%s.%v" $path $key -}}
{{- if or (kindIs "map" $value) (kindIs "slice" $value) -}}
{{- include "duckbot.refuseNumbers" (dict "path" $at "value" $value) -}}
{{- else if and (kindIs "float64" $value) (gt (float64 $value) 9007199254740991.0) -}}
{{- fail (printf "%s was rounded, because it is a long number without quotes; put it in quotes" $at) -}}
{{- else if and (has $key (list "cpu" "runner_cpu")) (regexMatch "^settings[.](sizes|sql)[.]?" $path) (regexMatch "^[0-9]*[.][0-9]+$" (toString $value)) -}}
{{- fail (printf "%s is %v; write parts of cores as thousandths: %dm" $at $value (mulf (toString $value) 1000.0 | int)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Refuses entries that the chart writes itself. YAML would have them twice, and kubectl would take the last one. */}}
{{- define "duckbot.refuseOwn" -}}
{{- range $key, $_ := .value -}}
{{- if hasKey $.own $key -}}
{{- fail (printf "%s can't have %s, because the chart sets it itself; %s" $.path $key (get $.own $key)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Refuses additions to the bot's Pod that the chart writes itself. */}}
{{- define "duckbot.checkPod" -}}
{{- $fields := dict
  "affinity" "use the value affinity"
  "containers" "use extraEnv, extraVolumeMounts and resources"
  "enableServiceLinks" "remove it"
  "imagePullSecrets" "use image.pullSecrets"
  "nodeSelector" "use the value nodeSelector"
  "priorityClassName" "use the value priorityClassName"
  "securityContext" "remove it"
  "serviceAccount" "remove it"
  "serviceAccountName" "remove it"
  "terminationGracePeriodSeconds" "remove it"
  "tolerations" "use the value tolerations"
  "volumes" "use extraVolumes"
-}}
{{- $labels := dict "app.kubernetes.io/name" "choose another label" "app.kubernetes.io/instance" "choose another label" -}}
{{- include "duckbot.refuseOwn" (dict "path" "extraPodSpec" "value" .Values.extraPodSpec "own" $fields) -}}
{{- include "duckbot.refuseOwn" (dict "path" "podLabels" "value" .Values.podLabels "own" $labels) -}}
{{- include "duckbot.refuseOwn" (dict "path" "podAnnotations" "value" .Values.podAnnotations "own" (dict "checksum/settings" "remove it")) -}}
{{- end -}}

{{/* Refuses labels of the monitoring that the chart writes itself. */}}
{{- define "duckbot.checkMonitoring" -}}
{{- $own := dict "app.kubernetes.io/name" "choose another label" -}}
{{- range $label, $_ := include "duckbot.labels" . | fromYaml -}}
{{- $_ := set $own $label "choose another label" -}}
{{- end -}}
{{- range $key := list "labels" "dashboardLabels" -}}
{{- include "duckbot.refuseOwn" (dict "path" (printf "monitoring.%s" $key) "value" (index $.Values.monitoring $key) "own" $own) -}}
{{- end -}}
{{- end -}}
