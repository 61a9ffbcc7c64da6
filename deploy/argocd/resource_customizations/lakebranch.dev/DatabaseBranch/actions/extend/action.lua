-- The branch ends a day later than now planned, or a day from now if that is later. The field that is set already is
-- the one that changes: ttl and at exclude each other, so the other one would collide with the next sync.
local os = require("os")
local day = 86400

local function instant(seconds)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", seconds)
end

-- The seconds since 1970 that a time stands for. No library for text is at hand; but times can be compared as text.
local function seconds(time)
  local low, step = 0, 4294967296
  while step > 1 do
    step = step / 2
    if instant(low + step) <= time then
      low = low + step
    end
  end
  return low
end

local last = seconds(obj.status.expiration.expireTime)
if last < os.time() then
  last = os.time()
end
local asked = obj.spec.expiration or {}
if asked.at ~= nil then
  asked.at = instant(last + day)
else
  local life = last + day - seconds(obj.metadata.creationTimestamp)
  -- Whole minutes, rounded up.
  asked.ttl = ((life - life % 60) / 60 + 1) .. "m"
end
obj.spec.expiration = asked
return obj
