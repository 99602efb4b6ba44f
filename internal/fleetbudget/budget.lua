-- One call of a daemon about its windows. Everything happens here, at once and
-- on this server's clock; times are microseconds, and cmsgpack keeps records.
--
-- KEYS[1] is the state of the prefix: a hash with the epoch, the replication ID
-- that it belongs to, the highest lease number, the latest time, until when
-- daemons report, and for each daemon "h:NAME", its latest call and when that
-- was. Then each window has two keys:
--   a record: {epoch, held, sweep, ...}, where held is what is leased, and sweep
--     a time before which no lease ends. A sliding window goes on with its total
--     and pairs of grain and count, oldest first; a bucket with the time at which
--     it will be full
--   leases: a hash from a daemon's name to {tokens, end, used, call}
--
-- ARGV: see call.go, which writes it, and reads the answer.

local GONE = 15000000 -- a daemon that was silent for this long is not counted

local position = 0
local function text() position = position + 1; return ARGV[position] end
local function number() return tonumber(text()) end
local function whole(n) return string.format('%.0f', n) end

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local replication = string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)') or ''

local name, order, epoch, seen = text(), number(), text(), number()
local force, report, slack, period = text() == '1', text() == '1', number(), number()
local windows, groups, changes = number(), number(), number()

-- The state, and a new epoch if it isn't the one that daemons know.
local state = redis.call('HMGET', KEYS[1], 'epoch', 'replication', 'number', 'clock', 'gather', 'scanned', 'hosts', 'h:' .. name)
local current, leases, gather = state[1], tonumber(state[3]) or 0, tonumber(state[5]) or 0
local scanned, hosts = tonumber(state[6]) or 0, tonumber(state[7]) or 1
if not current or state[2] ~= replication or tonumber(epoch) > tonumber(current) or
	(epoch == current and (force or leases < seen)) then
	local next = now
	if current then next = math.max(next, tonumber(current) + 1) end
	next = math.max(next, tonumber(epoch) + 1)
	redis.call('DEL', KEYS[1])
	current, leases, gather, scanned, hosts = whole(next), math.max(leases, seen), now + period, 0, 1
	state[8] = false
else
	now = math.max(now, tonumber(state[4]))
	leases = math.max(leases, seen)
end
local last = state[8] and tonumber(string.match(state[8], '^%d+')) or 0
local gathering = math.max(gather - now, 0)

local function answer(kind) return {kind, current, whole(leases), whole(now), hosts, whole(gathering)} end

local function remember()
	redis.call('HSET', KEYS[1], 'epoch', current, 'replication', replication, 'number', whole(leases), 'clock', whole(now),
		'gather', whole(gather), 'scanned', whole(scanned), 'hosts', hosts, 'h:' .. name, whole(math.max(order, last)) .. ' ' .. whole(now))
end

-- Counts the daemons that called lately, every few seconds.
if now - scanned > 2000000 then
	scanned, hosts = now, 1
	local all = redis.call('HGETALL', KEYS[1])
	for i = 1, #all, 2 do
		if string.sub(all[i], 1, 2) == 'h:' and all[i] ~= 'h:' .. name then
			if now - tonumber(string.match(all[i + 1], '%d+$')) < GONE then
				hosts = hosts + 1
			else
				redis.call('HDEL', KEYS[1], all[i])
			end
		end
	end
end

-- A call that was overtaken by a later one says what is no longer true.
if order <= last then return answer('overtaken') end
if epoch ~= current then
	remember()
	return answer('epoch')
end

-- Windows.

local function add(w, at, n)
	if n <= 0 then return end
	if w.burst > 0 then
		w.record[4] = math.max(w.record[4], at) + math.ceil(n * w.per / w.limit)
		return
	end
	local r, grain = w.record, math.ceil(at / w.grain)
	if grain * w.grain + w.per <= now then return end
	r[4] = r[4] + n
	local i = #r - 1
	while i > 4 and r[i] > grain do i = i - 2 end
	if i > 4 and r[i] == grain then
		r[i + 1] = r[i + 1] + n
	else
		table.insert(r, i + 2, grain)
		table.insert(r, i + 3, n)
	end
end

-- Gives back what was counted at a time. What a bucket has regained since is
-- not given back again.
local function remove(w, at, n)
	if w.burst > 0 then
		w.record[4] = w.record[4] - math.max(math.floor(n * w.per / w.limit) - math.max(now - at, 0), 0)
		return
	end
	local r, grain = w.record, math.ceil(at / w.grain)
	for i = 5, #r, 2 do
		if r[i] == grain then
			n = math.min(n, r[i + 1])
			r[i + 1] = r[i + 1] - n
			r[4] = r[4] - n
			return
		end
	end
end

local function expire(w)
	local r, first = w.record, 5
	if w.burst > 0 then return end
	while r[first] and r[first] * w.grain + w.per <= now do
		r[4] = r[4] - r[first + 1]
		first = first + 2
	end
	if first > 5 then
		local kept = {r[1], r[2], r[3], r[4]}
		for i = first, #r do kept[#kept + 1] = r[i] end
		w.record = kept
	end
end

-- A lease that ended counts from its end, whatever of it was used. One whose
-- keys have expired has left the window.
local function sweep(w)
	if w.record[2] <= 0 or w.record[3] > now then return end
	local all, soonest, held, ended = redis.call('HGETALL', w.leases), math.huge, 0, {}
	for i = 1, #all, 2 do
		local lease = cmsgpack.unpack(all[i + 1])
		if lease[2] <= now then
			ended[#ended + 1] = lease
			redis.call('HDEL', w.leases, all[i])
		else
			soonest, held = math.min(soonest, lease[2]), held + lease[1]
		end
	end
	table.sort(ended, function(a, b) return a[2] < b[2] end)
	for i = 1, #ended do add(w, ended[i][2], ended[i][1]) end
	w.record[2] = held
	w.record[3] = soonest == math.huge and now or soonest
end

local function room(w)
	if w.burst > 0 then
		local depth = w.burst * w.per / w.limit
		return math.floor((depth - math.max(w.record[4] - now, 0)) * w.limit / w.per) - w.record[2]
	end
	return w.limit - w.record[4] - w.record[2]
end

-- How long until n can be taken, if leases are neither used nor given back.
local function wait(w, n)
	local r = w.record
	if w.burst > 0 then
		local debt = math.max(r[4] - now, 0) + (n + r[2] - w.burst) * w.per / w.limit
		return math.max(math.ceil(debt), 1)
	end
	local excess, at = r[4] + r[2] + n - w.limit, now
	for i = 5, #r, 2 do
		if excess <= 0 then break end
		excess, at = excess - r[i + 1], r[i] * w.grain + w.per
	end
	if excess > 0 then at = math.max(at, r[3]) end
	return math.max(at - now, 1)
end

local function load(i)
	local w = {key = KEYS[2 * i], leases = KEYS[2 * i + 1]}
	w.limit, w.per, w.burst, w.used, w.target, w.lasts, w.reported = number(), number(), number(), number(), number(), number(), number()
	w.grain = math.max(math.floor(w.per / 64), 1)
	local raw = redis.call('GET', w.key)
	if raw then w.record = cmsgpack.unpack(raw) end
	if not w.record or w.record[1] ~= current then
		w.record = {current, 0, now, 0}
		redis.call('DEL', w.leases)
	end
	sweep(w)
	expire(w)
	local mine = redis.call('HGET', w.leases, name)
	w.tokens, w.had = 0, mine
	if mine then
		local lease = cmsgpack.unpack(mine)
		local used = math.max(w.used - lease[3], 0)
		w.tokens = math.max(lease[1] - used, 0)
		w.record[2] = w.record[2] - (lease[1] - w.tokens)
		add(w, now, used)
	elseif w.reported > 0 then
		w.tokens = w.reported
		w.record[2] = w.record[2] + w.reported
	end
	return w
end

local function lease(w)
	if w.tokens > w.target then
		w.record[2] = w.record[2] - (w.tokens - w.target)
		w.tokens = w.target
	elseif w.tokens < w.target and gathering == 0 then
		local left = room(w)
		local granted = math.max(math.min(w.target - w.tokens, math.max(math.floor(left / 4), 1), left), 0)
		w.tokens = w.tokens + granted
		w.record[2] = w.record[2] + granted
	end
	return w.tokens < w.target and wait(w, w.target - w.tokens) or 0
end

local function save(w)
	local keep = math.ceil((2 * w.per + w.lasts + w.slack) / 1000) + 60000
	if w.burst > 0 then keep = keep + math.ceil(w.burst * w.per / w.limit / 1000) end
	if w.tokens > 0 then
		local ends = now + w.lasts
		if w.record[2] <= w.tokens or w.record[3] > ends then w.record[3] = ends end
		redis.call('HSET', w.leases, name, cmsgpack.pack({w.tokens, ends, w.used}))
		redis.call('PEXPIRE', w.leases, whole(keep))
	elseif w.had then
		redis.call('HDEL', w.leases, name)
	end
	redis.call('SET', w.key, cmsgpack.pack(w.record), 'PX', whole(keep))
end

local all = {}
for i = 1, windows do
	all[i] = load(i)
	all[i].slack = slack
end
for i = 1, changes do
	local w, at, n = all[number()], number(), number()
	if at <= 0 then at = now + at end
	if n < 0 then remove(w, at, -n) else add(w, at, n) end
end
if report and gathering > 0 and gather < tonumber(current) + 12 * period then
	gather = math.max(gather, now + 2000000)
	gathering = gather - now
end

-- Groups: requests that are waiting. Each takes from all its windows or none.
local out = answer(gathering > 0 and 'gathering' or 'ok')
for g = 1, groups do
	local n, count = number(), number()
	local members, longest, at = {}, 0, 0
	for m = 1, count do
		members[m] = number()
		local w = all[members[m]]
		if gathering == 0 and room(w) < n then
			local waits = wait(w, n)
			if waits > longest then longest, at = waits, members[m] end
		end
	end
	if at == 0 and gathering == 0 then
		for m = 1, count do add(all[members[m]], now + slack, n) end
	end
	out[#out + 1] = at
	out[#out + 1] = whole(longest)
end
for i = 1, windows do
	local w = all[i]
	local waits = lease(w)
	save(w)
	out[#out + 1] = w.tokens
	out[#out + 1] = whole(waits)
end
leases = leases + 1
out[3] = whole(leases)
remember()
return out
