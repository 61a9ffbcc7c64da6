{{/* The release's name is left out: a preview has its namespace to itself. */}}
{{- define "preview.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "preview.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: app
{{- end }}

{{/* What application and migration have in common: who they run as. */}}
{{- define "preview.pod" -}}
automountServiceAccountToken: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ .Values.runAsUser }}
  seccompProfile:
    type: RuntimeDefault
volumes:
  # Not optional: until the Secret is there, which is when the database is ready, no container starts.
  - name: database
    secret:
      secretName: {{ dig "credentials" "secretName" .Values.database.name (.Values.database.spec | default dict) }}
  - name: tmp
    emptyDir: {}
{{- end }}

{{/* And how their containers get at the database. */}}
{{- define "preview.container" -}}
image: {{ printf "%s:%s" .Values.image.repository .Values.image.tag | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy | default "IfNotPresent" }}
env:
  - name: DATABASE_DIR
    value: {{ .Values.database.mountPath | quote }}
  {{- with .Values.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
volumeMounts:
  # The whole folder and no subPath, which would never see a renewed token.
  - name: database
    mountPath: {{ .Values.database.mountPath | quote }}
    readOnly: true
  - name: tmp
    mountPath: /tmp
{{- end }}
