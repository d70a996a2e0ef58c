{{/*
The init containers and the volume of `agtool migrate-once inject`, for the templates of a chart:

    initContainers:
      {{- include "agtool-migrate-once.initContainers" (dict
            "image" "registry.example.com/agtool:0.1.0"
            "container" $container
            "command" (list "rails" "db:migrate")
            "options" (list "--wait-timeout=10m")) | nindent 6 }}
    volumes:
      {{- include "agtool-migrate-once.volume" . | nindent 6 }}

image: that holds agtool's folder. container: the workload's own, as a dict, whose image, variables and
mounts the command gets. command: a list. key: empty: the container's image. options: of migrate-once.
*/}}
{{- define "agtool-migrate-once.initContainers" -}}
{{- $container := required "agtool-migrate-once: give it the container" .container -}}
{{- $command := required "agtool-migrate-once: give it the command, as a list" .command -}}
{{- if not (kindIs "slice" $command) }}{{ fail "agtool-migrate-once: the command must be a list, such as: list \"rails\" \"db:migrate\"" }}{{ end -}}
{{- $key := default $container.image .key -}}
{{- if and (not .key) (not (contains "@" $key)) (or (hasSuffix ":latest" $key) (not (regexMatch ":[^/]+$" $key))) }}{{ fail (printf "agtool-migrate-once: the image %s changes under the same name, so it cannot be the key; give it a tag, a digest, or `key`" $key) }}{{ end -}}
- name: agtool-install
  image: {{ required "agtool-migrate-once: give it the image that holds agtool's folder" .image | quote }}
  args: [install, /opt/agtool-bin/agtool]
  securityContext:
    allowPrivilegeEscalation: false
    capabilities: {drop: [ALL]}
    privileged: false
    readOnlyRootFilesystem: true
    runAsNonRoot: true
    seccompProfile: {type: RuntimeDefault}
  resources:
    requests: {cpu: 50m, memory: 64Mi}
    limits: {cpu: 500m, memory: 128Mi}
  volumeMounts:
    - {name: agtool-migrate-once, mountPath: /opt/agtool-bin}
- name: agtool-migrate-once
  image: {{ $container.image | quote }}
  command:
    - /opt/agtool-bin/agtool/agtool
    - migrate-once
    - {{ printf "--key=%s" $key | quote }}
    {{- range .options }}
    - {{ . | quote }}
    {{- end }}
    - --result-file=/dev/termination-log
    - "--"
    {{- range $command }}
    - {{ . | quote }}
    {{- end }}
  {{- with pick $container "imagePullPolicy" "workingDir" "envFrom" "securityContext" "resources" }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  env:
    {{- with $container.env }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    - name: POD_NAME
      valueFrom: {fieldRef: {fieldPath: metadata.name}}
  volumeMounts:
    {{- with $container.volumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    - {name: agtool-migrate-once, mountPath: /opt/agtool-bin, readOnly: true}
  terminationMessagePolicy: FallbackToLogsOnError
{{- end }}
{{- define "agtool-migrate-once.volume" -}}
- name: agtool-migrate-once
  emptyDir: {}
{{- end }}
