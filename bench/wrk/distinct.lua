-- Asks for a random one of the bench's tournaments each time.
--
--     wrk ... -s distinct.lua URL -- COUNT

dofile(debug.getinfo(1, "S").source:match("^@(.*/)") .. "report.lua")

local random = math.random
local count, head, tail


function init(args)
    count = tonumber(args[1])
    head = "GET /tournaments/api/bench-"
    tail = "/state/ HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\n\r\n"

    math.randomseed(os.time())
end


function request()
    return head .. random(count) .. tail
end
