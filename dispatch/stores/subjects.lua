-- Gives each person a subject id, once, and keeps the details that came with this report.
-- KEYS: one per person; ARGV[1]: prefix of the subjects' own keys; then (proposed subject id, details) for each person.
-- All keys carry one hash tag, so that those made here are on the same node.
local found = {}
for n = 1, #KEYS do
  local subject, details = ARGV[2 * n], ARGV[2 * n + 1]
  if redis.call('SETNX', KEYS[n], subject) == 0 then
    subject = redis.call('GET', KEYS[n])
  end
  if details ~= '' then
    redis.call('HSET', ARGV[1] .. subject, 'details', details, 'name', KEYS[n])
  else
    redis.call('HSETNX', ARGV[1] .. subject, 'name', KEYS[n])
  end
  found[n] = subject
end
return found
