obj.metadata.annotations = obj.metadata.annotations or {}
obj.metadata.annotations["lakebranch.dev/paused"] = "true"
return obj
