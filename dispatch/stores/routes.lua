-- Fixes the route of each key that has none. KEYS: routes; ARGV: one proposal each. Returns the routes in force.
local found = {}
for n = 1, #KEYS do
  if redis.call('SETNX', KEYS[n], ARGV[n]) == 1 then
    found[n] = ARGV[n]
  else
    found[n] = redis.call('GET', KEYS[n])
  end
end
return found
