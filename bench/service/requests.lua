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

function response(status, headers, body)
  if status ~= 200 or body ~= expected then
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
