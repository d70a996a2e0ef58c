{{/* A name of the release; of what has no namespace, with the namespace in it. */}}
{{- define "watch.name" -}}
{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- end }}
{{- define "watch.clusterName" -}}
{{ printf "%s-%s" .Release.Namespace .Release.Name }}
{{- end }}
{{- define "watch.selected" -}}
app.kubernetes.io/name: agtool-ci-nodepool
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
{{- define "watch.labels" -}}
{{ include "watch.selected" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}
