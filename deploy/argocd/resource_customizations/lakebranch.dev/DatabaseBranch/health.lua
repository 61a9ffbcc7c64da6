-- Degraded only when a person has to act, because it fails a sync. What passes by itself is Progressing, which a sync
-- waits for. Never Suspended: a sync with waves would wait for that without end.
local health = { status = "Progressing", message = "Waiting for lakebranch" }

local status = obj.status
if status == nil or status.conditions == nil then
  return health
end
if status.observedGeneration ~= obj.metadata.generation then
  health.message = "lakebranch has not seen this version of the object yet"
  return health
end

local conditions = {}
for _, condition in ipairs(status.conditions) do
  conditions[condition.type] = condition
end

local function isTrue(condition)
  return condition ~= nil and condition.status == "True"
end

local function text(condition)
  return condition.reason .. ": " .. condition.message
end

if isTrue(conditions.Reconciling) then
  health.message = text(conditions.Reconciling)
elseif isTrue(conditions.Stalled) then
  health.status = "Degraded"
  health.message = text(conditions.Stalled)
elseif isTrue(conditions.Ready) then
  health.status = "Healthy"
  health.message = text(conditions.Ready)
  -- They are there only while they say something that is worth knowing although all is well.
  for _, type in ipairs({ "NamespaceAllowed", "Paused", "Expiring", "ExpirationClamped", "Drifted", "Unleased" }) do
    if conditions[type] ~= nil then
      health.message = health.message .. "\n" .. text(conditions[type])
    end
  end
elseif conditions.Ready ~= nil then
  health.message = text(conditions.Ready)
end
return health
