"""One step of a window that is kept in Redis; what it does is told beside the same step in tables."""

SCRIPT = """
local held, bulk, lines, back, wants, state = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local call, max, min = redis.call, math.max, math.min
local line = ARGV[1]
local limit, cap, interval, hold, longest, patience, courtesy,
  first, doubtful, urgent_want, bulk_want, pause, new_guess, guess_for = struct.unpack('>' .. ('i8'):rep(14), ARGV[2])

-- All times are whole microseconds of the server's clock, which a double holds exactly.
local time = call('TIME')
local now = time[1] * 1000000 + time[2]
-- Bulk stands behind all who are interactive, however early it came.
local BULK = 2 ^ 50

local function text(number)
  return string.format('%.0f', number)
end

local touched = {[state] = true}

local function drop(id, is_bulk)
  call('ZREM', held, id)
  if is_bulk then call('ZREM', bulk, id) end
end

local function keep(id, is_bulk, free_at)
  call('ZADD', held, text(free_at), id)
  touched[held] = true
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

local known = call('HMGET', state, 'turn', 'opens', 'paused', 'pause', 'guess', 'guessed', 'seen')
local turn, length, guess = tonumber(known[1] or 0), tonumber(known[4] or 0), tonumber(known[5] or 0)
local opens = min(tonumber(known[2] or 0), now + interval)
local paused = min(tonumber(known[3] or 0), now + length)
local guessed = min(tonumber(known[6] or 0), now + guess)

if now + pause > paused then paused, length = now + pause, pause end
if new_guess > 0 and now + guess_for > guessed then guess, guessed = new_guess, now + guess_for end

for number = first, first + doubtful - 1 do drop(line .. ':' .. text(number), true) end
for i = 3, #ARGV, 3 do
  local is_bulk, free_in = ARGV[i + 1] == '1', tonumber(ARGV[i + 2])
  if free_in > 0 then keep(ARGV[i], is_bulk, now + free_in) else drop(ARGV[i], is_bulk) end
end

if now < tonumber(known[7] or 0) then
  clamp(held, now + longest)
  clamp(bulk, now + longest)
  clamp(back, max(now + longest, paused) + patience)
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

local function count(key)
  local n = call('ZCARD', key)
  return n > 0 and n - call('ZREMRANGEBYSCORE', key, '-inf', text(now)) or n
end

local n_held, n_bulk = count(held), count(bulk)

local function release(key, size, count, ahead)
  local place = ahead % size
  local index = place - (size - count)
  local moment = now
  if index >= 0 then
    moment = min(tonumber(call('ZRANGE', key, index, index, 'WITHSCORES')[2]), now + hold)
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
    for _ = 1, granted do
      keep(line .. ':' .. text(first), is_bulk, now + longest)
      first = first + 1
    end
    n_held = n_held + granted
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

call('HSET', state, 'turn', text(turn), 'opens', text(opens), 'paused', text(paused), 'pause', text(length),
  'guess', text(guess), 'guessed', text(guessed), 'seen', text(now))
local expires = text(math.ceil((max(longest, hold, paused - now) + 2 * hold + patience) / 1000))
for key in pairs(touched) do call('PEXPIRE', key, expires) end

local next_free = max(0, max(paused, release(held, limit, n_held, 0)) - now)
local answer = {
  urgent_granted, urgent_wait, bulk_granted, bulk_wait,
  n_held, next_free, max(0, paused - now), guess, guessed - now,
}
for i, number in ipairs(answer) do answer[i] = text(number) end
-- One string is read faster than nine numbers.
return table.concat(answer, ' ')
"""
