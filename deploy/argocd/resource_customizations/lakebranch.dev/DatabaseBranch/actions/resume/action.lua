if obj.metadata.annotations ~= nil then
  obj.metadata.annotations["lakebranch.dev/paused"] = nil
end
return obj
