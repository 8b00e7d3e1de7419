"""One step of a window that is kept in Redis; what it does is told beside the same step in tables."""

SCRIPT = """
local held, bulk, lines, back, wants, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local call, max, min, format = redis.call, math.max, math.min, string.format
local line = ARGV[1]
local limit, cap, interval, hold, longest, patience, courtesy,
  first, doubtful, urgent_want, bulk_want, pause, new_guess, guess_for = struct.unpack('>' .. ('i8'):rep(14), ARGV[2])

-- All times are whole microseconds of the server's clock, which a double holds exactly.
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
-- Bulk stands behind all who are interactive, however early it came.
local BULK = 2 ^ 50

local function text(number)
  return format('%.0f', number)
end

local NUMBERS = '>i8i8i8i8i8i8i8i8'
local turn, opens, paused, length, guess, guessed, seen, ends = 0, 0, 0, 0, 0, 0, 0, 0
local known = call('GET', state)
if known then turn, opens, paused, length, guess, guessed, seen, ends = struct.unpack(NUMBERS, known) end

local touched = {}

local function drop(id, is_bulk)
  call('ZREM', held, id)
  -- It may have been the last, and what is made anew has no end.
  ends = 0
  if is_bulk then call('ZREM', bulk, id) end
end

local function keep(id, is_bulk, free_at)
  call('ZADD', held, text(free_at), id)
  if is_bulk then
    call('ZADD', bulk, text(free_at), id)
    touched[bulk] = true
  end
end

-- Nothing lies further ahead than it was once set: beyond that, the clock was set back.
local function clamp(key, latest)
  for _, member in ipairs(call('ZRANGEBYSCORE', key, '(' .. text(latest), '+inf')) do
    call('ZADD', key, text(latest), member)
  end
end

opens, paused, guessed = min(opens, now + interval), min(paused, now + length), min(guessed, now + guess)

if now + pause > paused then paused, length = now + pause, pause end
if new_guess > 0 and now + guess_for > guessed then guess, guessed = new_guess, now + guess_for end

if now < seen then
  -- What was free when the clock stood there is not held again. Before the notes, which go by this clock.
  for _, key in ipairs({held, bulk}) do
    call('ZREMRANGEBYSCORE', key, '-inf', text(seen))
    clamp(key, now + longest)
  end
  clamp(back, max(now + longest, paused) + patience)
  ends = 0
end
-- Nobody has these numbers yet: the answer was lost that gave them, perhaps of this very step, as redis-py sends again
-- by itself what it had no answer to.
local number = first
while number < first + doubtful or call('ZSCORE', held, line .. ':' .. text(number)) do
  drop(line .. ':' .. text(number), true)
  number = number + 1
end
for i = 3, #ARGV do
  local lane, free_in, id = ARGV[i]:match('^(.)(%S+) (.*)$')
  free_in = tonumber(free_in)
  if free_in > 0 then keep(id, lane == 'b', now + free_in) else drop(id, lane == 'b') end
end

local n_lines = call('ZCARD', lines)
if n_lines > 0 then
  for _, member in ipairs(call('ZRANGEBYSCORE', back, '-inf', '(' .. text(now))) do
    if member:sub(3) ~= line then
      n_lines = n_lines - call('ZREM', lines, member)
      call('ZREM', back, member)
      call('HDEL', wants, member)
    end
  end
end

-- What is free by now is passed over, and cleared away from time to time: most steps need not write for it.
local later = '(' .. text(now)
local n_held = call('ZCOUNT', held, later, '+inf')
local n_bulk

local function grant(is_bulk, count)
  for _ = 1, count do
    keep(line .. ':' .. text(first), is_bulk, now + longest)
    first = first + 1
  end
  n_held = n_held + count
end

local function finish(urgent_granted, urgent_wait, bulk_granted, bulk_wait, ...)
  -- Every key ends by itself, some time after it can be of use. That of `held` lies so far ahead that it is rarely set.
  local useful = max(longest, hold, paused - now) + 2 * hold + patience
  local expires = text(math.ceil(useful / 1000))
  if ends < now + useful then
    for _, key in ipairs({held, bulk}) do call('ZREMRANGEBYSCORE', key, '-inf', text(now)) end
    -- Where nothing is held there is no key yet, and who makes it has to set its end.
    local set = call('PEXPIRE', held, text(math.ceil(2 * useful / 1000)))
    ends = set == 1 and now + 2 * useful or 0
  end
  for key in pairs(touched) do call('PEXPIRE', key, expires) end
  call('SET', state, struct.pack(NUMBERS, turn, opens, paused, length, guess, guessed, now, ends), 'PX', expires)
  -- One string is read faster than twelve numbers.
  return format(('%.0f '):rep(12), urgent_granted, urgent_wait, bulk_granted, bulk_wait, n_held,
    max(0, paused - now), guess, guessed - now, ...)
end

-- Where nobody waits and there is enough, the rules have nothing to say; most steps end here. A step that wants nothing
-- may ask for the shortest waits.
if n_lines == 0 and urgent_want > 0 and bulk_want == 0 and paused <= now and n_held + urgent_want < limit then
  grant(false, urgent_want)
  return finish(urgent_want, -1, 0, -1, 0, 0, 0, 0)
end
n_bulk = call('ZCOUNT', bulk, later, '+inf')

local function release(key, size, count, ahead)
  local place = ahead % size
  local index = place - (size - count)
  local moment = now
  if index >= 0 then
    local found = call('ZRANGEBYSCORE', key, later, '+inf', 'WITHSCORES', 'LIMIT', index, 1)
    moment = min(tonumber(found[2]), now + hold)
  end
  return moment + (ahead - place) / size * hold
end

local function urgent()
  return n_lines == 0 and 0 or call('ZCOUNT', lines, '-inf', '(' .. text(BULK))
end

local function wanted()
  local sum = 0
  if n_lines > 0 then
    for _, want in ipairs(call('HVALS', wants)) do sum = sum + want end
  end
  return sum
end

local function opening(is_bulk, before)
  if not is_bulk then return max(paused, release(held, limit, n_held, before)) end
  local moment = max(paused, release(held, limit, n_held, before + wanted()))
  return max(moment, opens + before * interval, release(bulk, cap, n_bulk, before))
end

local function before(me, is_bulk)
  local rank = n_lines > 0 and call('ZRANK', lines, me)
  if is_bulk then return (rank or n_lines) - urgent() end
  return rank or urgent()
end

local function portion(is_bulk, me)
  if is_bulk then return 1 end
  local free = limit - n_held
  if n_lines == 0 then return free end
  local sharers = urgent() + (call('ZSCORE', lines, me) and 0 or 1)
  return sharers == 1 and free or max(1, math.floor(free / sharers))
end

local function leave(me)
  if n_lines == 0 then return end
  n_lines = n_lines - call('ZREM', lines, me)
  call('ZREM', back, me)
  call('HDEL', wants, me)
end

local function stay(me, is_bulk, want, moment)
  turn = turn + 1
  n_lines = n_lines + call('ZADD', lines, 'NX', text(is_bulk and BULK + turn or turn), me)
  call('ZADD', back, text(max(moment, now) + patience), me)
  touched[lines], touched[back] = true, true
  if not is_bulk then
    call('HSET', wants, me, text(want))
    touched[wants] = true
  end
end

local function serve(is_bulk, want)
  local me = (is_bulk and 'b:' or 'i:') .. line
  if want == 0 then
    leave(me)
    return 0, -1
  end
  local moment = opening(is_bulk, before(me, is_bulk))
  local granted = 0
  if moment <= now then
    granted = min(want, portion(is_bulk, me))
    grant(is_bulk, granted)
    if is_bulk then n_bulk, opens = n_bulk + granted, now + interval end
    leave(me)
    if granted == want then return granted, -1 end
    local others = before(me, is_bulk)
    moment = opening(is_bulk, others)
    if others > 0 then moment = max(moment, now + courtesy) end
  end
  stay(me, is_bulk, want - granted, moment)
  return granted, max(0, moment - now)
end

local urgent_granted, urgent_wait = serve(false, urgent_want)
local bulk_granted, bulk_wait = serve(true, bulk_want)

local function least(is_bulk, before)
  return max(0, opening(is_bulk, before) - now)
end

return finish(urgent_granted, urgent_wait, bulk_granted, bulk_wait, least(false, 0), least(false, wanted()),
  least(true, 0), least(true, n_lines - urgent()))
"""
