-- Asks for bench-FIRST, then each next one up (or down) to bench-LAST, once,
-- counts the answers by status and by their X-Cache header, and stops.
--
--     wrk -t1 ... -s sweep.lua URL -- FIRST LAST

local ffi = require "ffi"

ffi.cdef [[ int getpid(void); int kill(int pid, int signal); ]]

local SIGINT = 2

local threads = {}
local at, last, step, left, head, tail, over, begun

cache = "{}"                            -- for done(), which runs elsewhere
answers = "{}"

local by_cache, by_status = {}, {}


local function line(counts)
    local words = {}

    for word, n in pairs(counts) do
        words[#words + 1] = string.format('"%s":%d', word, n)
    end

    return "{" .. table.concat(words, ",") .. "}"
end


function setup(thread)
    threads[#threads + 1] = thread
end


function init(args)
    at, last = tonumber(args[1]), tonumber(args[2])
    step = at <= last and 1 or -1
    left = (last - at) * step + 1
    over = "GET /over HTTP/1.1\r\nHost: " .. wrk.headers["Host"]
           .. "\r\n\r\n"
    head = "GET /tournaments/api/bench-"
    tail = "/state/ HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\n\r\n"
end


-- A connection that is free after the last one asks for /over, whose 204 is
-- not counted; so does the first call, which is wrk's own to look whether the
-- requests are sound, and is not sent.

function request()
    if not begun or at == nil then
        begun = true

        return over
    end

    local slug = at

    at = at ~= last and at + step or nil

    return head .. string.format("%d", slug) .. tail
end


function response(status, headers, body)
    if status == 204 or left == 0 then
        return
    end

    local word = headers["X-Cache"] or "none"

    by_cache[word] = (by_cache[word] or 0) + 1
    by_status[status] = (by_status[status] or 0) + 1
    left = left - 1

    if left == 0 then
        cache, answers = line(by_cache), line(by_status)
        wrk.thread:stop()

        -- wrk itself would sleep on to the end of -d

        ffi.C.kill(ffi.C.getpid(), SIGINT)
    end
end


function done(summary, latency, requests)
    local e = summary.errors

    io.write(string.format(
        'wrk-report {"requests":%d,"duration_us":%d,"bytes":%d,'
        .. '"errors":%d,"bad_status":%d,"cache":%s,"status":%s}\n',
        summary.requests, summary.duration, summary.bytes,
        e.connect + e.read + e.write + e.timeout, e.status,
        threads[1]:get("cache"), threads[1]:get("answers")))
end
