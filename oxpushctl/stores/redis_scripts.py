"""What is done to kept passwords in Redis, as scripts: Redis runs each as a whole, and nothing else meanwhile.

::

    KEYS[1]  seals   hash        current, following
    KEYS[2]  rows    hash        place → {"login","value","origin","state"}
    KEYS[3]  order   sorted set  places, all of one score, so that they are in the order of their letters

A place is a context and a user in ten digits each: ``0000000001:0000000003``. In arguments an empty text stands for
a seal or an origin that is not given.
"""

from __future__ import annotations

# The first two arguments of whoever writes are the seals as it read them.
_IS_SEALED = """
local function is_sealed()
    return (redis.call('HGET', KEYS[1], 'current') or '') == ARGV[1]
        and (redis.call('HGET', KEYS[1], 'following') or '') == ARGV[2]
end
"""

# A row as a table, empty if it is damaged or not ours; whatever does not say otherwise was given by command.
_READ = """
local function read(found)
    local is_read, row = pcall(cjson.decode, found)
    return is_read and type(row) == 'table' and row or {}
end
local function origin(row)
    return row.origin == 'subscribing' and 'subscribing' or 'command'
end
"""

SEAL = (
    _IS_SEALED
    + """
if not is_sealed() then return 0 end
redis.call('DEL', KEYS[1])
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'current', ARGV[3]) end
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'following', ARGV[4]) end
return 1
"""
)

# Further arguments: place and row, for each. What a command gave stays of a command's origin.
PUT = (
    _IS_SEALED
    + _READ
    + """
if not is_sealed() then return 0 end
for i = 3, #ARGV, 2 do
    local written = ARGV[i + 1]
    local row = read(written)
    if origin(row) ~= 'command' then
        local found = redis.call('HGET', KEYS[2], ARGV[i])
        if found and origin(read(found)) == 'command' then
            row.origin = 'command'
            written = cjson.encode(row)
        end
    end
    redis.call('HSET', KEYS[2], ARGV[i], written)
    redis.call('ZADD', KEYS[3], 0, ARGV[i])
end
return 1
"""
)

# Further arguments: place, value as it was read, and new value, for each.
REPLACE = (
    _IS_SEALED
    + _READ
    + """
if not is_sealed() then return -1 end
local count = 0
for i = 3, #ARGV, 3 do
    local found = redis.call('HGET', KEYS[2], ARGV[i])
    local row = found and read(found)
    if row and row.value == ARGV[i + 1] then
        row.value = ARGV[i + 2]
        redis.call('HSET', KEYS[2], ARGV[i], cjson.encode(row))
        count = count + 1
    end
end
return count
"""
)

# Arguments: the lowest and the highest place as ZRANGEBYLEX takes them, and how many at most.
PAGE = """
local page = {}
for _, place in ipairs(redis.call('ZRANGEBYLEX', KEYS[3], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])) do
    local row = redis.call('HGET', KEYS[2], place)
    if row then
        page[#page + 1] = place
        page[#page + 1] = row
    end
end
return page
"""

# Arguments: place, origin.
REMOVE = (
    _READ
    + """
local found = redis.call('HGET', KEYS[2], ARGV[1])
if not found or (ARGV[2] ~= '' and origin(read(found)) ~= ARGV[2]) then return 0 end
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return 1
"""
)

# Arguments: place, value that the state is about, state.
MARK = (
    _READ
    + """
local found = redis.call('HGET', KEYS[2], ARGV[1])
local row = found and read(found)
if row and row.value == ARGV[2] then
    row.state = ARGV[3]
    redis.call('HSET', KEYS[2], ARGV[1], cjson.encode(row))
end
return 1
"""
)
