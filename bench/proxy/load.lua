-- The load: 10,000 users in turn, each request with six headers of a browser. Arguments: method, path,
-- bytes of body. Prints one line of JSON at the end; times are in microseconds.
local users, heads, body, number = 10000, {}, "", 0

function init(args)
   local method, path, size = args[1], args[2], tonumber(args[3])
   body = string.rep("x", size)
   local fixed = {
      ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
      ["Accept"] = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
      ["Accept-Language"] = "en-GB,en;q=0.7,de;q=0.3",
      ["Accept-Encoding"] = "gzip, deflate, br",
      ["Cookie"] = "session=6f1d0c54a9d94e6f8c2b; theme=dark; consent=necessary",
      ["Referer"] = "https://cms.example/articles?page=2",
   }
   for user = 1, users do
      fixed["X-User"] = string.format("user-%05d", user)
      local head = wrk.format(method, path, fixed)
      if size > 0 then -- wrk.format sets it by the body it is given: all users' would not fit in memory
         head = head:sub(1, -3) .. "Content-Length: " .. size .. "\r\n\r\n"
      end
      heads[user] = head
   end
   number = math.random(users)
end

function request()
   number = number % users + 1
   if #body == 0 then return heads[number] end
   return heads[number] .. body
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '{"requests": %d, "duration": %d, "p50": %d, "p99": %d, "errors": %d}\n',
      summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
      errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
