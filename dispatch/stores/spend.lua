-- Takes one from every purse, or from none. KEYS: purses; ARGV: for each what it holds and how long it is remembered, in
-- seconds. Returns 0, or the number of the first that is empty.
for n = 1, #KEYS do
  if tonumber(redis.call('GET', KEYS[n]) or '0') >= tonumber(ARGV[2 * n - 1]) then
    return n
  end
end
for n = 1, #KEYS do
  redis.call('INCR', KEYS[n])
  redis.call('EXPIRE', KEYS[n], ARGV[2 * n])
end
return 0
