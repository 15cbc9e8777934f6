-- Asks for a random one of the bench's tournaments each time: bench-FIRST to
-- bench-LAST, by the paths HEAD .. number .. TAIL.
--
--     wrk ... -s distinct.lua URL -- LAST [FIRST [HEAD TAIL]]

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "report.lua")

local random = math.random
local first, last, head, tail


function init(args)
    last = tonumber(args[1])
    first = tonumber(args[2] or 1)
    head = "GET " .. (args[3] or "/tournaments/api/bench-")
    tail = (args[4] or "/state/") .. " HTTP/1.1\r\nHost: "
           .. wrk.headers["Host"] .. "\r\n\r\n"

    math.randomseed(os.time())
end


function request()
    return head .. random(first, last) .. tail
end
