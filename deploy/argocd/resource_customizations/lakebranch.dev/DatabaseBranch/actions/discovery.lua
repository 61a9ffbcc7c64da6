local annotations = obj.metadata.annotations or {}
local asked = obj.spec.expiration or {}
local status = obj.status or {}
local expiration = status.expiration or {}

local deleting = obj.metadata.deletionTimestamp ~= nil
local paused = annotations["lakebranch.dev/paused"] ~= nil

return {
  -- A token for the Secret that there is.
  ["rotate"] = { ["disabled"] = deleting or status.credentials == nil },
  -- What never ends, or does not know its end yet, cannot end a day later.
  ["extend"] = { ["disabled"] = deleting or asked.never == true or expiration.expireTime == nil },
  -- Throws away what the branch holds: it has to be confirmed with the object's name.
  ["reset"] = { ["disabled"] = deleting, ["params"] = { { ["name"] = "confirm" } } },
  ["pause"] = { ["disabled"] = deleting or paused },
  ["resume"] = { ["disabled"] = not paused },
}
