"""A workload as a load script for locust or k6. Pure: the script holds the profile and a few lines that repeat it.

Both know two models. *Open*: calls arrive when they arrived, whatever the system does, which is what a test of capacity needs.
*Closed*: a number of users, each pausing between calls as tenants did.
"""

import json
import re
from typing import Any

from core.workload import SLICE_S, Workload

TOOLS = ("k6", "locust")
_PARAMETER = re.compile(r"\{[^{}/]*\}|<[^<>/]*>|(?<=/):[^/]+|\*+")


def workload_script(workload: Workload, tool: str) -> str:
    """The script; `tool` is one of `TOOLS`."""
    profile = json.dumps(_profile(workload), separators=(",", ":"), ensure_ascii=True)
    head = f"Workload of {workload.selector.words}, {workload.start:%Y-%m-%d %H:%M} to {workload.end:%Y-%m-%d %H:%M} UTC"
    template = _K6 if tool == "k6" else _LOCUST
    return template.replace("@HEAD@", head.replace("*/", "").replace('"""', "")).replace("@PROFILE@", _lines(profile, tool))


def _profile(workload: Workload) -> dict[str, Any]:
    return {
        "slice_s": SLICE_S,
        "hours": workload.hours,
        "burstiness": round(workload.burstiness, 4),
        "think_s": [round(value, 3) for value in workload.think_s],
        "routes": [
            {
                "name": " ".join(part for part in (one.method or "POST", one.route or f"/{one.service}") if part),
                "method": one.method or "POST",
                "path": _PARAMETER.sub("1", one.route) if one.route.startswith("/") else f"/{one.route or one.service}",
                "model": one.model,
                "share": one.share,
                "sizes": {
                    name: [round(known, 4), [round(value, 1) for value in values]]
                    for name, (known, values) in one.sizes.items()
                },
            }
            for one in workload.routes
        ],
    }


def _lines(text: str, tool: str) -> str:
    """The profile as a literal of the language, in lines that editors can show."""
    pieces = [text[at : at + 110] for at in range(0, len(text), 110)]
    joint = " +\n" if tool == "k6" else "\n"
    return joint.join(f"    {json.dumps(piece)}" for piece in pieces)


_LOCUST = '''"""@HEAD@.

Made by `tpscope workload export --to locust`; no payload is in it. Run it for example with

    locust -f FILE --headless -u 50 -r 50 -H http://localhost:8000

`-u` is how many calls can be in flight. Variables: TPSCOPE_SPEED=60 makes an hour a minute, TPSCOPE_SCALE=0.1 a tenth of the
calls, TPSCOPE_MODEL=closed users that pause between calls instead of arrivals at their times, TPSCOPE_SEED the random numbers.
"""

import json
import os
import random
import time

import gevent
from locust import HttpUser, constant, task

PROFILE = json.loads(
@PROFILE@
)
SPEED = float(os.environ.get("TPSCOPE_SPEED", "1"))
SCALE = float(os.environ.get("TPSCOPE_SCALE", "1"))
CLOSED = os.environ.get("TPSCOPE_MODEL", "open") == "closed"
CHANCE = random.Random(int(os.environ.get("TPSCOPE_SEED", "1")))
SHARES = [route["share"] for route in PROFILE["routes"]]


def quantile(values):
    """A value as often as it was seen."""
    place = CHANCE.random() * (len(values) - 1)
    low = int(place)
    return values[low] + (place - low) * (values[min(low + 1, len(values) - 1)] - values[low])


def arrivals():
    """Seconds from the start: of each hour as many as there were, in slices whose rates vary as they did."""
    slices = 3600 // PROFILE["slice_s"]
    shape = 1.0 / max(PROFILE["burstiness"], 1e-3) ** 2
    for hour, calls in enumerate(PROFILE["hours"]):
        rates = [CHANCE.gammavariate(shape, 1.0 / shape) for _ in range(slices)]
        drawn = CHANCE.choices(range(slices), rates, k=round(calls * SCALE))
        times = sorted((slot + CHANCE.random()) * PROFILE["slice_s"] for slot in drawn)
        yield from ((hour * 3600 + at) / SPEED for at in times)


ARRIVALS = arrivals()
STARTED = []
OPEN_CALLS = [0]


class Caller(HttpUser):
    wait_time = constant(0)

    @task
    def call(self):
        if CLOSED:
            self.ask()
            gevent.sleep(quantile(PROFILE["think_s"] or [1.0, 1.0]) / SPEED)
            return
        if not STARTED:
            STARTED.append(time.monotonic())
        due = next(ARRIVALS, None)
        if due is None:
            gevent.sleep(0.5)
            if not OPEN_CALLS[0]:
                self.environment.runner.quit()
            return
        OPEN_CALLS[0] += 1
        gevent.sleep(max(STARTED[0] + due - time.monotonic(), 0))
        self.ask()
        OPEN_CALLS[0] -= 1

    def ask(self):
        route = CHANCE.choices(PROFILE["routes"], SHARES)[0]
        size = {name: quantile(values) for name, (known, values) in route["sizes"].items() if CHANCE.random() < known}
        body = None
        if "prompt_tokens" in size:
            body = {"model": route["model"], "prompt": "word " * max(round(size["prompt_tokens"]), 1)}
            if "completion_tokens" in size:
                body["max_tokens"] = max(round(size["completion_tokens"]), 1)
            body = json.dumps(body)
        elif "bytes_in" in size and route["method"] not in ("GET", "HEAD"):
            body = "x" * round(size["bytes_in"])
        headers = {"Content-Type": "application/json"} if "prompt_tokens" in size else {}
        self.client.request(route["method"], route["path"], name=route["name"], data=body, headers=headers)
'''

_K6 = """/* @HEAD@.
 *
 * Made by `tpscope workload export --to k6`; no payload is in it. Run it for example with
 *
 *     k6 run -e BASE_URL=http://localhost:8000 FILE
 *
 * Variables: SPEED=60 makes an hour a minute, SCALE=0.1 a tenth of the calls, VUS is how many calls can be in flight,
 * MODEL=closed VUs that pause between calls instead of arrivals at their times.
 */
import http from 'k6/http';
import { sleep } from 'k6';

const PROFILE = JSON.parse(
@PROFILE@
);
const SPEED = Number(__ENV.SPEED || 1);
const SCALE = Number(__ENV.SCALE || 1);
const VUS = Number(__ENV.VUS || 50);
const CLOSED = __ENV.MODEL === 'closed';
const BASE_URL = __ENV.BASE_URL || 'http://localhost:8000';

// A stage a minute of the profile: rates that vary within the hour as they did, and add up to the hour's calls. They are
// whole numbers for k6: by the hour, so that rounding them loses nothing.
function stages() {
  const made = [];
  for (const calls of PROFILE.hours) {
    const spread = PROFILE.burstiness * Math.sqrt(PROFILE.slice_s / 60);
    const rates = Array.from({ length: 60 }, () => Math.max(1 + spread * normal(), 0));
    const sum = rates.reduce((one, other) => one + other, 0) || 1;
    for (const rate of rates) {
      const target = Math.round((calls * SCALE * rate) / sum * 60 * SPEED);
      made.push({ target, duration: '0s' }, { target, duration: `${60 / SPEED}s` });
    }
  }
  return made;
}

function normal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

export const options = {
  scenarios: {
    workload: CLOSED
      ? { executor: 'constant-vus', vus: VUS, duration: `${(PROFILE.hours.length * 3600) / SPEED}s` }
      : { executor: 'ramping-arrival-rate', timeUnit: '1h', preAllocatedVUs: VUS, maxVUs: VUS, stages: stages() },
  },
};

function quantile(values) {
  const place = Math.random() * (values.length - 1);
  const low = Math.floor(place);
  return values[low] + (place - low) * (values[Math.min(low + 1, values.length - 1)] - values[low]);
}

function chosen() {
  let left = Math.random();
  for (const route of PROFILE.routes) {
    left -= route.share;
    if (left < 0) return route;
  }
  return PROFILE.routes[PROFILE.routes.length - 1];
}

export default function () {
  const route = chosen();
  const size = {};
  for (const [name, [known, values]] of Object.entries(route.sizes)) {
    if (Math.random() < known) size[name] = Math.round(quantile(values));
  }
  let body = null;
  const params = { tags: { name: route.name }, headers: {} };
  if (size.prompt_tokens !== undefined) {
    const asked = { model: route.model, prompt: 'word '.repeat(Math.max(size.prompt_tokens, 1)) };
    if (size.completion_tokens !== undefined) asked.max_tokens = Math.max(size.completion_tokens, 1);
    body = JSON.stringify(asked);
    params.headers['Content-Type'] = 'application/json';
  } else if (size.bytes_in !== undefined && !['GET', 'HEAD'].includes(route.method)) {
    body = 'x'.repeat(size.bytes_in);
  }
  http.request(route.method, BASE_URL + route.path, body, params);
  if (CLOSED) sleep(quantile(PROFILE.think_s.length ? PROFILE.think_s : [1, 1]) / SPEED);
}
"""
