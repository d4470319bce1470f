{{/* The name of everything: the release's, so that the guide's commands fit. */}}
{{- define "srd.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 63 | trimSuffix "-" -}}
{{- else if .Values.nameOverride -}}
{{- printf "%s-%s" .Release.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- else -}}
{{- .Release.Name | trunc 63 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* A name with a suffix that still fits into 63 characters: list $ "suffix". */}}
{{- define "srd.suffixed" -}}
{{- $suffix := index . 1 -}}
{{- printf "%s-%s" (include "srd.fullname" (index . 0) | trunc (int (sub 62 (len $suffix))) | trimSuffix "-") $suffix -}}
{{- end -}}

{{- define "srd.selectorLabels" -}}
app.kubernetes.io/name: {{ default "srd" .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "srd.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{ include "srd.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: srd
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "srd.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "srd.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "srd.image" -}}
{{- $image := .Values.image -}}
{{- $registry := default $image.registry .Values.global.imageRegistry -}}
{{- $name := ternary (printf "%s/%s" $registry $image.repository) $image.repository (ne $registry "") -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $name $image.digest -}}
{{- else -}}
{{- $tag := default (printf "%s%s" .Chart.AppVersion (ternary "-gpu" "" .Values.gpu.enabled)) $image.tag -}}
{{- printf "%s:%s" $name $tag -}}
{{- end -}}
{{- end -}}

{{- define "srd.configMapName" -}}
{{- default (include "srd.suffixed" (list . "config")) .Values.existingConfigMap -}}
{{- end -}}

{{/* The document as the daemon reads it. */}}
{{- define "srd.document" -}}
{{- $document := mergeOverwrite (deepCopy .Values.config) (deepCopy .Values.configOverride) -}}
{{- if not $document -}}
{{- $document = .Files.Get "files/default.yaml" | fromYaml -}}
{{- end -}}
{{- if .Values.router.skipProcessing.enabled -}}
{{- $skip := dict "global" (dict "router" (dict "skip_processing" (dict "enabled" true))) -}}
{{- $document = mergeOverwrite $document $skip -}}
{{- end -}}
{{- toYaml $document -}}
{{- end -}}

{{/* One probe: list $ "liveness" .Values.livenessProbe. The kubelet's gRPC probe speaks no TLS. */}}
{{- define "srd.probe" -}}
{{- $ := index . 0 -}}
{{- $kind := index . 1 -}}
{{- $timing := index . 2 -}}
{{- if not $.Values.tls.enabled -}}
grpc:
  port: {{ $.Values.service.grpc.targetPort }}
  service: {{ $kind }}
{{- else if $.Values.service.api.enabled -}}
httpGet:
  path: {{ ternary "/health" "/ready" (eq $kind "liveness") }}
  port: api
{{- else -}}
exec:
  command: [srd, healthcheck, --admin, "127.0.0.1:{{ $.Values.service.api.targetPort }}", --service, {{ $kind }}]
{{- end }}
{{ toYaml $timing }}
{{- end -}}

{{/* Combinations that the schema cannot refuse, or that --skip-schema-validation let through. */}}
{{- define "srd.guards" -}}
{{- if and .Values.tls.enabled (not .Values.tls.existingSecret) -}}
{{- fail "tls.enabled needs tls.existingSecret, a Secret with tls.crt and tls.key" -}}
{{- end -}}
{{- if and .Values.tls.clientAuth (not .Values.tls.enabled) -}}
{{- fail "tls.clientAuth needs tls.enabled" -}}
{{- end -}}
{{- if and .Values.existingConfigMap (or .Values.config .Values.configOverride) -}}
{{- fail "existingConfigMap and config exclude each other: the document would be ignored" -}}
{{- end -}}
{{- if and .Values.existingConfigMap .Values.router.skipProcessing.enabled -}}
{{- fail "existingConfigMap and router.skipProcessing exclude each other: set global.router.skip_processing in the document" -}}
{{- end -}}
{{- range list "router" "services" "stores" "observability" "model_catalog" "integrations" -}}
{{- if hasKey $.Values.global . -}}
{{- fail (printf "global.%s is part of the document: write it as config.global.%s" . .) -}}
{{- end -}}
{{- end -}}
{{- $budget := .Values.podDisruptionBudget -}}
{{- if and $budget.enabled (eq (kindIs "invalid" $budget.minAvailable) (kindIs "invalid" $budget.maxUnavailable)) -}}
{{- fail "podDisruptionBudget: give exactly one of minAvailable and maxUnavailable; set the other to null" -}}
{{- end -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas" -}}
{{- end -}}
{{- end -}}

{{/* Upstream's keys that were given and do nothing. */}}
{{- define "srd.unused" -}}
{{- $unused := list -}}
{{- range list "persistence" "rbac" "initContainer" "toolsDb" "knowledgeBases" "ingress" "dashboard" "dependencies" -}}
{{- if index $.Values . -}}
{{- $unused = append $unused . -}}
{{- end -}}
{{- end -}}
{{- join ", " $unused -}}
{{- end -}}

{{- define "srd.resourceAttributes" -}}
{{- $attributes := list "k8s.namespace.name=$(POD_NAMESPACE)" "k8s.pod.name=$(POD_NAME)" "k8s.pod.uid=$(POD_UID)" "k8s.node.name=$(NODE_NAME)" (printf "k8s.deployment.name=%s" (include "srd.fullname" .)) "k8s.container.name=srd" -}}
{{- range $key, $value := .Values.otel.resourceAttributes -}}
{{- $attributes = append $attributes (printf "%s=%v" $key $value) -}}
{{- end -}}
{{- join "," $attributes -}}
{{- end -}}
