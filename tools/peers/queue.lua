-- A queue, for the peer Tarantool: the functions that its clients call. Jobs are tuples {seq, key, body}.
local fiber = require('fiber')
local port, wal_mode = unpack(arg)

box.cfg{listen = '127.0.0.1:' .. port, wal_mode = wal_mode, memtx_memory = 1024 * 1024 * 1024, checkpoint_interval = 0}
box.schema.user.grant('guest', 'super')

local function space(name)
    local s = box.schema.space.create(name)
    s:create_index('seq', {sequence = true})
    return s
end

local jobs, keyed, held = space('jobs'), space('keyed'), space('held') -- held: in the hands of workers
keyed:create_index('key', {parts = {{2, 'integer'}, {1, 'unsigned'}}})

local ready = fiber.cond()

-- Each function is one transaction, with one write to the log.
local function atomic(f)
    return function(...) return box.atomic(f, ...) end
end

local function insert(s, list)
    for _, job in ipairs(list) do
        s:insert{nil, job[1], job[2]}
    end
end

local take_now = atomic(function(max)
    local taken = jobs:select({}, {limit = max})
    for _, job in ipairs(taken) do
        jobs:delete(job[1])
    end
    return taken
end)

local hold_now = atomic(function(max)
    local taken = jobs:select({}, {limit = max})
    for _, job in ipairs(taken) do
        jobs:delete(job[1])
        held:insert(job)
    end
    return taken
end)

-- wait repeats now until it returns a job, or half a second is over.
local function wait(now, max)
    local limit = fiber.clock() + 0.5
    while true do
        if jobs:len() > 0 then
            local taken = now(max)
            if #taken > 0 then return taken end
        end
        local left = limit - fiber.clock()
        if left <= 0 or not ready:wait(left) then return {} end
    end
end

local insert_jobs = atomic(function(list) insert(jobs, list) end)

function put(list)
    insert_jobs(list)
    for _ = 1, #list do ready:signal() end
end

function take(max) return wait(take_now, max) end

function hold(max) return wait(hold_now, max) end

ack = atomic(function(seqs)
    for _, seq in ipairs(seqs) do held:delete(seq) end
end)

put_keyed = atomic(function(list) insert(keyed, list) end)

take_keyed = atomic(function(key)
    local found = keyed.index.key:select({key}, {limit = 1})
    for _, job in ipairs(found) do keyed:delete(job[1]) end
    return found
end)
