{{/* The labels that select the pods, and those of every object. */}}
{{- define "assertd.selector" -}}
app.kubernetes.io/name: assertd
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "assertd.labels" -}}
{{ include "assertd.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "assertd.image" -}}
{{- with .Values.image -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}{{ with .digest }}@{{ . }}{{ end }}
{{- end -}}
{{- end }}

{{/*
The daemon's configuration. The paths are those in the pod. What settings has
goes over what the chart sets.
*/}}
{{- define "assertd.configuration" -}}
{{- $own := dict
  "hsm" .Values.hsm
  "keys" .Values.keys
  "jwks" (dict "listen" ":8080")
  "metrics" (dict "listen" ":9464")
  "operator" (dict "socket" "/var/lib/assertd/operator.sock")
  "budgets" (dict "file" "/var/lib/assertd/budgets.json")
  "audit" (dict "file" "/var/log/assertd/audit.jsonl")
  "log" (dict "format" "json")
}}
{{- toYaml (mustMergeOverwrite $own (deepCopy .Values.settings)) }}
clients:
{{- range $name, $workload := .Values.workloads }}
  - name: {{ $name | quote }}
    {{- toYaml $workload.client | nindent 4 }}
{{- end }}
listen: # anyone can connect who can reach the socket: the workload's pods
{{- range $name, $workload := .Values.workloads }}
  - {socket: /run/assertd/{{ $name }}/assertd.sock, mode: "0666", client: {{ $name | quote }}}
{{- end }}
{{- end }}

{{/* The node's directories as a CEL list, each under every name that it has. */}}
{{- define "assertd.directories" -}}
{{- $all := list }}
{{- range list .Values.hostPaths.sockets .Values.hostPaths.state .Values.hostPaths.audit }}
{{- $all = append $all (printf "'%s/'" .) }}
{{- if hasPrefix "/run/" . }}{{ $all = append $all (printf "'/var%s/'" .) }}{{ end }}
{{- end -}}
[{{ join ", " $all }}]
{{- end }}

{{/* The list of workloads as a CEL map: whose pods can mount which socket. */}}
{{- define "assertd.workloads" -}}
{{- $comma := "" -}}
{
{{- range $name, $workload := .Values.workloads -}}
{{ $comma }}'{{ $name }}': ['{{ join "', '" $workload.pods }}']
{{- $comma = ", " }}
{{- end -}}
}
{{- end }}
