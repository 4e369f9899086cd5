-- What wrk sends, and what it accepts. A server that answers anything else fails the whole run: an error is fast,
-- and would pass for speed.
local path, body_file, expected_file = os.getenv("BENCH_PATH"), os.getenv("BENCH_BODY"), os.getenv("BENCH_EXPECTED")

local function read(name)
  local file = assert(io.open(name, "rb"))
  local text = file:read("*a")
  file:close()
  return text
end

local expected = read(expected_file)
local whole_contract = os.getenv("BENCH_WHOLE_CONTRACT") == "1"
local threads = {}

wrk.headers["Origin"] = "https://shop.example"
if body_file ~= "" then
  wrk.method = "POST"
  wrk.body = read(body_file)
  wrk.headers["Content-Type"] = "application/json"
end
wrk.path = path

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  wrong, first = 0, ""
end

-- wrk hands header names over as they came, and servers differ in their case.
function has_contract_headers(headers)
  local allowed = headers["Access-Control-Allow-Origin"] or headers["access-control-allow-origin"]
  local id = headers["X-Request-ID"] or headers["x-request-id"]
  return allowed == wrk.headers["Origin"] and id ~= nil and #id == 36
end

function response(status, headers, body)
  -- Looked at in all columns, so that a response costs this program the same whoever sent it.
  local complete = has_contract_headers(headers)
  if status ~= 200 or body ~= expected or whole_contract and not complete then
    wrong = wrong + 1
    if first == "" then first = status .. " " .. body end
  end
end

function done(summary, latency, requests)
  local wrong, first = 0, ""
  for _, thread in ipairs(threads) do
    wrong = wrong + thread:get("wrong")
    if thread:get("first") ~= "" then first = thread:get("first") end
  end
  local errors = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format("RESULT %d %d %d %d\n", summary.requests, errors, wrong, latency:percentile(99)))
  if wrong > 0 then io.write("WRONG " .. first .. "\n") end
end
