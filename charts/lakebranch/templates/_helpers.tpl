{{- define "lakebranch.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | replace "." "-" | trunc 40 | trimAll "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | replace "." "-" | trunc 40 | trimAll "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | replace "." "-" | trunc 40 | trimAll "-" -}}
{{- end -}}
{{- end -}}

{{- define "lakebranch.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "lakebranch.emulatorSelectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | quote }}
app.kubernetes.io/instance: {{ .Release.Name | quote }}
app.kubernetes.io/component: emulator
{{- end -}}

{{- define "lakebranch.commonLabels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: lakebranch
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "lakebranch.labels" -}}
{{ include "lakebranch.selectorLabels" . }}
{{ include "lakebranch.commonLabels" . }}
{{- end -}}

{{- define "lakebranch.emulatorLabels" -}}
{{ include "lakebranch.emulatorSelectorLabels" . }}
{{ include "lakebranch.commonLabels" . }}
{{- end -}}

{{- define "lakebranch.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "lakebranch.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- required "serviceAccount.name: must be set, because serviceAccount.create is false" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- /* Takes a dict of root and image. */ -}}
{{- define "lakebranch.image" -}}
{{- with .root.Values.image.registry }}{{ . | trimSuffix "/" }}/{{ end -}}
{{- .image.repository -}}
{{- if .image.digest }}@{{ .image.digest }}{{ else }}:{{ default .root.Chart.AppVersion .image.tag }}{{ end -}}
{{- end -}}

{{- /* The namespaces that the operator works in, as JSON; null: all of them. */ -}}
{{- define "lakebranch.watched" -}}
{{- if eq .Values.scope "cluster" -}}
null
{{- else if eq .Values.scope "namespaces" -}}
{{- .Values.namespaces | uniq | toJson -}}
{{- else -}}
{{- list .Release.Namespace | toJson -}}
{{- end -}}
{{- end -}}

{{- /* Names of the Secrets that classes may name, as JSON; an empty list: any. */ -}}
{{- define "lakebranch.existingSecrets" -}}
{{- if kindIs "slice" .Values.existingSecret -}}
{{- .Values.existingSecret | toJson -}}
{{- else if .Values.existingSecret -}}
{{- list .Values.existingSecret | toJson -}}
{{- else -}}
[]
{{- end -}}
{{- end -}}

{{- /* What no schema can say. */ -}}
{{- define "lakebranch.check" -}}
{{- if and (eq .Values.scope "namespaces") (not .Values.namespaces) -}}
{{- fail "namespaces: must list the namespaces to work in, because scope is \"namespaces\"" -}}
{{- end -}}
{{- if and (ne .Values.scope "namespaces") .Values.namespaces -}}
{{- fail (printf "namespaces: must be empty, because scope is %q; for these namespaces alone set scope to \"namespaces\"" .Values.scope) -}}
{{- end -}}
{{- if and .Values.proxy.url .Values.proxy.existingSecret.name -}}
{{- fail "proxy: set either url or existingSecret.name" -}}
{{- end -}}
{{- if lt (len (uniq .Values.workloadIdentity.audiences)) (len .Values.workloadIdentity.audiences) -}}
{{- fail "workloadIdentity.audiences: names one twice" -}}
{{- end -}}
{{- range .Values.workloadIdentity.audiences -}}
{{- if regexMatch "^(api|kubernetes|(https?://)?kubernetes\\.default(\\.svc(\\.cluster\\.local)?)?/?)$" . -}}
{{- fail (printf "workloadIdentity.audiences: %q is what API servers answer to: whoever got such a token could use the cluster as the operator; name the audience of your federation policy" .) -}}
{{- end -}}
{{- end -}}
{{- range $from := list "commonLabels" "podLabels" -}}
{{- range list "name" "instance" "component" -}}
{{- $label := printf "app.kubernetes.io/%s" . -}}
{{- if hasKey (index $.Values $from | default dict) $label -}}
{{- fail (printf "%s: must not set %s, by which the objects of this release find each other" $from $label) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (eq .Values.metrics.mode "Protected") (eq (int .Values.metrics.port) 8080) -}}
{{- fail "metrics.port: must not be 8080, where the probes are answered" -}}
{{- end -}}
{{- with .Values.metrics.monitor -}}
{{- if and (eq .kind "PodMonitor") (eq $.Values.metrics.mode "Protected") (not .authorization) -}}
{{- fail "metrics.monitor.authorization: must be set, because a PodMonitor cannot use the token of Prometheus itself; or use a ServiceMonitor" -}}
{{- end -}}
{{- if and (eq .kind "ServiceMonitor") (not $.Values.metrics.service) -}}
{{- fail "metrics.service: must be true, because metrics.monitor.kind is \"ServiceMonitor\"; or use a PodMonitor" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* The variables that say where the operator works; also for the guard. */ -}}
{{- define "lakebranch.placeEnv" -}}
- name: LAKEBRANCH_NAMESPACE
  valueFrom: { fieldRef: { fieldPath: metadata.namespace } }
{{- with include "lakebranch.watched" . | fromJsonArray }}
- name: LAKEBRANCH_WATCH_NAMESPACES
  value: {{ join "," . | quote }}
{{- end }}
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
{{- end -}}
