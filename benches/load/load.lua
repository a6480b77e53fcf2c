-- Sends the lines of a file one after the other as check requests. Arguments: the file, and the milliseconds that each
-- connection waits before it asks again (0: none). Prints one line of JSON at the end.
local requests, sent = {}, 0

function init(arguments)
  local headers = { ["Content-Type"] = "application/json" }
  for body in io.lines(arguments[1]) do
    requests[#requests + 1] = wrk.format("POST", "/api/check/resources", headers, body)
  end
  local pause = tonumber(arguments[2])
  if pause > 0 then
    delay = function() return pause end
  end
end

function request()
  sent = sent % #requests + 1
  return requests[sent]
end

function done(summary, latency)
  local failed = summary.errors
  io.write(string.format(
    '\n{"requests": %d, "microseconds": %d, "p50": %.1f, "p99": %.1f, "bad": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    failed.status + failed.connect + failed.read + failed.write + failed.timeout))
end
