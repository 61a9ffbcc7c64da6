local os = require("os")
-- Any new value asks for a new token.
obj.spec.credentials = obj.spec.credentials or {}
obj.spec.credentials.rotateToken = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
