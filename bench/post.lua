-- wrk: posts the bodies of a file, each once, a connection for each as the gateway does; counts who answers 00000.
local bodies, place, accepted, other, threads = {}, 0, 0, 0, {}

function setup(thread)
   table.insert(threads, thread)
end

function init()
   wrk.method = "POST"
   wrk.headers["Content-Type"] = "application/json"
   wrk.headers["Connection"] = "close"
   for line in io.lines(os.getenv("BENCH_BODIES")) do
      bodies[#bodies + 1] = wrk.format(nil, nil, nil, line)
   end
end

function request()
   place = place + 1
   if place >= #bodies then
      wrk.thread:stop()
   end
   return bodies[math.min(place, #bodies)]
end

function response(status, headers, body)
   if string.find(body, '"rspCode":"00000"', 1, true) then
      accepted = accepted + 1
   else
      other = other + 1
   end
   wrk.thread:set("accepted", accepted)
   wrk.thread:set("other", other)
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '{"seconds": %f, "accepted": %d, "other": %d, "errors": %d, "p50": %f, "p99": %f}\n',
      summary.duration / 1e6, threads[1]:get("accepted") or 0, threads[1]:get("other") or 0,
      errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
