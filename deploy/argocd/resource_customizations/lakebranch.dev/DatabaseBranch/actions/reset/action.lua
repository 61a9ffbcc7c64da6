local os = require("os")
-- Argo CD before 3.1 knows no parameters.
local given = actionParams or {}
if given["confirm"] ~= obj.metadata.name then
  error("a reset throws away what was written to the branch: to confirm, set the parameter confirm to " .. obj.metadata.name, 0)
end
-- Any value that the object has not had before asks for a fresh branch.
obj.spec.reset = obj.spec.reset or {}
obj.spec.reset.token = os.date("!%Y-%m-%dT%H:%M:%SZ")
return obj
