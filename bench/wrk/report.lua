-- Prints what wrk measured as one line that bench/run reads.  Defines nothing
-- that wrk would call for each request: see "request" and "response" in wrk's
-- SCRIPTING, which cost the load generator what they take.

function done(summary, latency, requests)
    local e = summary.errors

    io.write(string.format(
        'wrk-report {"requests":%d,"duration_us":%d,"bytes":%d,'
        .. '"errors":%d,"bad_status":%d,"p50_us":%d,"p99_us":%d}\n',
        summary.requests, summary.duration, summary.bytes,
        e.connect + e.read + e.write + e.timeout, e.status,
        latency:percentile(50), latency:percentile(99)))
end
