{{- /* What the operator may do, in parts: where each is granted depends on the scope. docs/security.md has them in a table. */ -}}

{{- define "lakebranch.rules.branches" -}}
# Sees the objects; patches finalizers and the annotation `ended`, never the spec.
- apiGroups: [lakebranch.dev]
  resources: [databasebranches, pointintimerestores]
  verbs: [list, watch, patch]
# Says in the status how each is.
- apiGroups: [lakebranch.dev]
  resources: [databasebranches/status, pointintimerestores/status]
  verbs: [update]
# A PointInTimeRestore makes one DatabaseBranch; before that both are read once more, because what a watch told may be old.
- apiGroups: [lakebranch.dev]
  resources: [databasebranches]
  verbs: [get, create]
- apiGroups: [lakebranch.dev]
  resources: [pointintimerestores]
  verbs: [get]
# Makes its object the owner of a Secret, which needs this right where OwnerReferencesPermissionEnforcement is on.
- apiGroups: [lakebranch.dev]
  resources: [databasebranches/finalizers]
  verbs: [update]
{{- end -}}

{{- define "lakebranch.rules.classes" -}}
# Classes belong to the cluster. Sees them; patches the finalizer of a class that objects need.
- apiGroups: [lakebranch.dev]
  resources: [branchclasses]
  verbs: [list, watch, patch]
# Says in the status of a class whether it can be used, and how much of it is in use.
- apiGroups: [lakebranch.dev]
  resources: [branchclasses/status]
  verbs: [update]
{{- end -}}

{{- define "lakebranch.rules.secrets" -}}
# One Secret per DatabaseBranch, by name. No list and no watch: the operator cannot go through the Secrets of others.
- apiGroups: ['']
  resources: [secrets]
  verbs: [get, create, patch, delete]
{{- end -}}

{{- define "lakebranch.rules.events" -}}
# Tells people what happened, as Events.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end -}}

{{- define "lakebranch.rules.metrics" -}}
# Protected metrics: asks the API server who wants to read them, and whether they may. Neither is stored.
- apiGroups: [authentication.k8s.io]
  resources: [tokenreviews]
  verbs: [create]
- apiGroups: [authorization.k8s.io]
  resources: [subjectaccessreviews]
  verbs: [create]
{{- end -}}
