-- One territory's batch, all or nothing.
-- KEYS: meta, orders, technicians, timers, outbox, recent, then a key per final order, then a key per order reopened.
-- ARGV[1..2]: the expected sequence and batch id. ARGV[3..]: counted lists, in the order they are read below.
-- Lua does not roll back: everything is checked before the first write, and the position (meta) is written last.
local sequence = redis.call('HGET', KEYS[1], 'sequence') or '0'
local batch = redis.call('HGET', KEYS[1], 'batch_id') or ''
if sequence ~= ARGV[1] or batch ~= ARGV[2] then
  return {0, sequence, batch}
end
local at = 3
local lists = {}
for name = 1, 11 do
  local count = tonumber(ARGV[at])
  if count == nil or at + count > #ARGV then
    return redis.error_reply('ERR a list of the save is cut short')
  end
  lists[name] = {at + 1, count}
  at = at + count + 1
end
local ttl_s = tonumber(ARGV[at])
if at ~= #ARGV or ttl_s == nil or ttl_s < 1 then
  return redis.error_reply('ERR the save does not end where it should, with a time to live of a second or more')
end
if lists[1][2] % 2 + lists[5][2] % 2 + lists[7][2] % 2 + lists[9][2] % 2 > 0 or lists[11][2] ~= 5 then
  return redis.error_reply('ERR a list of pairs has an odd end')
end
for n = lists[7][1], lists[7][1] + lists[7][2] - 1, 2 do
  if tonumber(ARGV[n]) == nil then
    return redis.error_reply('ERR a timer is due at no number')
  end
end
local finals = lists[3][2]
if #KEYS ~= 6 + finals + lists[2][2] then
  return redis.error_reply('ERR keys and lists of the save do not agree')
end
local function chunked(command, key, list)
  local first, last = list[1], list[1] + list[2] - 1
  while first <= last do
    local upto = math.min(first + 999, last)
    redis.call(command, key, unpack(ARGV, first, upto))
    first = upto + 1
  end
end
chunked('HSET', KEYS[2], lists[1])            -- orders: id, blob, ...
chunked('HDEL', KEYS[2], lists[4])            -- ids of orders that became final
for n = 1, finals do                          -- blobs of final orders
  redis.call('SET', KEYS[6 + n], ARGV[lists[3][1] + n - 1], 'EX', ttl_s)
end
for n = 1, lists[2][2] do                     -- orders that were final once and are open: their keys go
  redis.call('DEL', KEYS[6 + finals + n])
end
chunked('HSET', KEYS[3], lists[5])            -- technicians: id, blob, ...
chunked('ZREM', KEYS[4], lists[6])            -- timers dropped: ids
chunked('ZADD', KEYS[4], lists[7])            -- timers added: ms, id, ...
chunked('HDEL', KEYS[5], lists[8])            -- outbox entries that Kafka has
chunked('HSET', KEYS[6], lists[9])            -- notes of work done: key, blob, ...
chunked('HDEL', KEYS[6], lists[10])           -- keys of notes that go
local meta = lists[11]
if ARGV[meta[1]] ~= '' then                   -- the new outbox entry: sequence, blob
  redis.call('HSET', KEYS[5], ARGV[meta[1]], ARGV[meta[1] + 1])
end
redis.call('HSET', KEYS[1], 'sequence', ARGV[meta[1] + 2], 'batch_id', ARGV[meta[1] + 3], 'meta', ARGV[meta[1] + 4])
return {1, ARGV[meta[1] + 2], ARGV[meta[1] + 3]}
