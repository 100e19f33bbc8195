"""A server of the page without hat: what `server/web/README.md` describes, by hat-juggler 0.7.6.

    python backend.py PORT [--types 10000] [--rate 1000]

For work on the page with more going on than in a server at home. Standard input takes events to register, one a line, as `hat register` does. Prints `{"url": ...}` once it listens.
"""

import argparse
import asyncio
import base64
import json
import math
import os
import pathlib
import random
import sys
import time

import aiohttp.web
import hat.json
import hat.juggler

WEB = pathlib.Path(os.environ.get("HAT_WEB", pathlib.Path(__file__).parents[2] / "server/web"))
SLOTS = 300
CUT = 4096
POLICY = ("default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
          "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'")


class Events:
    """The state as a plain value, whose changes are collected for the next patch."""

    def __init__(self, args):
        now = time.time()
        self.instance = 0
        self.counts = [None] * SLOTS
        self.second = int(now)
        self.in_second = 0
        self.whole = {}
        self.state = {
            "server": {"name": "hat 0.1.0", "server_id": 1, "status": "operational", "started": now,
                       "addresses": ["127.0.0.1:23012"], "events_kept": 0, "event_types": 0, "registered": 0},
            "clients": {str(n): {"name": name, "address": f"10.0.3.{n + 10}:{40000 + 977 * n}", "subscriptions": subscriptions,
                                 "connected": now - 3700 * n * n - 12, "persisted": n == 2}
                        for n, (name, subscriptions) in enumerate([("historian", ["*"]), ("alarms", ["plant/?/alarm", "site/*"]),
                                                                   ("gateway-iec104", ["plant/*"]), ("hat-cli", [])])},
            "rate": {"at": self.second - 1, "counts": self.counts},
            "events": {}}
        if args.history:
            for age in range(1, SLOTS):
                self.counts[(self.second - age) % SLOTS] = max(0, int(args.rate * (1 + 0.25 * math.sin(age / 23)) + random.gauss(0, args.rate * 0.04)))
        self.types = list(names(args.types))
        self.changed = set()
        for name in self.types:
            self.register(name, sample(name), when=now - random.expovariate(1 / 2000))
        self.instance_at_start = self.instance
        self.changed.clear()
        self.in_second = 0

    def register(self, name, payload, source=None, when=None):
        when = time.time() if when is None else when
        stamp = [int(when), int(when % 1 * 1e6)]
        self.instance += 1
        self.in_second += 1
        event = {"id": [1, 1, self.instance], "timestamp": stamp, "source_timestamp": source, "payload": payload}
        self.whole[name] = event
        self.state["events"][name] = {**event, "payload": cut(payload)}
        self.changed.add(name)
        return event

    def tick(self):
        """The patch since the last."""
        events, server, rate = self.state["events"], self.state["server"], self.state["rate"]
        diff = [{"op": "add", "path": f"/events/{name.replace('~', '~0').replace('/', '~1')}", "value": events[name]} for name in self.changed]
        self.changed.clear()
        while self.second < int(time.time()):
            self.counts[self.second % SLOTS] = self.in_second
            rate["at"] = self.second
            diff += [{"op": "replace", "path": f"/rate/counts/{self.second % SLOTS}", "value": self.in_second},
                     {"op": "replace", "path": "/rate/at", "value": self.second}]
            self.second += 1
            self.in_second = 0
            server.update(registered=self.instance, events_kept=self.instance, event_types=len(events))
            diff += [{"op": "replace", "path": f"/server/{key}", "value": server[key]} for key in ("registered", "events_kept", "event_types")]
        return diff


def cut(payload):
    for kind, field in (("json", "text"), ("binary", "data")):
        if payload and kind in payload and len(payload[kind][field]) > CUT:
            return {kind: {**payload[kind], field: payload[kind][field][:CUT], "truncated": True}}
    return payload


def text(value):
    encoded = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return {"json": {"text": encoded, "size": len(encoded.encode())}}


def binary(name, data):
    return {"binary": {"type": name, "data": base64.b64encode(data).decode(), "size": len(data)}}


def names(count):
    points = ["temperature", "pressure", "flow", "state", "alarm", "setpoint", "quality", "raw", "maintenance/log", "power/active"]
    areas = ["boiler", "turbine", "condenser", "feedwater", "generator", "transformer", "cooling tower", "switchgear"]
    for n in range(count):
        unit, point = divmod(n, len(points))
        block, area = divmod(unit, len(areas))
        yield f"plant/{areas[area]}/{block + 1}/{points[point]}"


def sample(name):
    point = name.rsplit("/", 1)[-1]
    match point:
        case "temperature" | "pressure" | "flow" | "active":
            return text(f"{random.gauss(420, 12):.2f}")
        case "state":
            return text({"running": random.random() > 0.1, "mode": random.choice(["auto", "manual", "local"]), "since": int(time.time()) - random.randrange(9999)})
        case "alarm":
            return text(None) if random.random() > 0.2 else text({"level": random.choice(["warning", "critical"]), "text": "High temperature – bearing 2", "acknowledged": False})
        case "raw":
            return binary("Iec104.Asdu", random.randbytes(random.choice([6, 12, 48, 9000])))
        case "log":
            return text([{"who": "operator", "what": "inspection <b>done</b>", "n": n} for n in range(random.choice([1, 4, 200]))])
        case "quality":
            return None
        case _:
            return text({"value": 12345678901234567890, "limits": [0, 10.50, 1e3], "unit": "°C"})


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--types", type=int, default=10_000)
    parser.add_argument("--rate", type=float, default=1000)
    parser.add_argument("--no-history", dest="history", action="store_false")
    args = parser.parse_args()
    events = Events(args)
    connections = {}

    async def connected(connection):
        connections[connection] = None

    async def requested(connection, name, data):
        if name == "register":
            if data["type"] == "refused":
                raise Exception("this server refuses events of type `refused`")
            payload = data["payload"] and {kind: {**value, "size": len(value.get("text", "").encode()) or len(base64.b64decode(value.get("data", "")))}
                                           for kind, value in data["payload"].items()}
            latest = events.whole.get(data["type"])
            if "expected" in data and data["expected"] != (latest and {name: latest[name] for name in ("id", "timestamp")}):
                raise Exception("a newer event of this type has been registered meanwhile, so nothing was registered: review it again")
            return events.register(data["type"], payload, data["source_timestamp"])
        if name == "event":
            return events.whole.get(data["type"])
        if name == "echo":
            return data
        raise Exception(f"there is no request `{name}`")

    async def file(request):
        path = WEB / (request.match_info["name"] or "index.html")
        return aiohttp.web.FileResponse(path, headers={"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"})

    await hat.juggler.listen("127.0.0.1", args.port, connected, requested, index_path=None, autoflush_delay=None,
                             additional_routes=[aiohttp.web.get("/{name:[A-Za-z_]*[.]?[A-Za-z]*}", file)])
    print(json.dumps({"url": f"http://127.0.0.1:{args.port}/"}), flush=True)

    async def lines():
        reader = asyncio.StreamReader(limit=2**24)
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        while line := await reader.readline():
            event = json.loads(line)
            payload = event.get("payload")
            if payload and payload["kind"] == "binary":
                payload = binary(payload["type"], base64.b64decode(payload["data"]))
            elif payload:
                payload = text(json.dumps(payload["data"]))
            events.register("/".join(event["type"]) if isinstance(event["type"], list) else event["type"], payload)

    async def change():
        start, done = time.monotonic(), 0
        while events.types:
            await asyncio.sleep(0.02)
            while done < (time.monotonic() - start) * args.rate:
                done += 1
                name = random.choice(events.types)
                events.register(name, sample(name))

    async def publish():
        # hat-juggler would compare the whole state for each connection; a patch that is known goes
        # through its transport as it is
        while True:
            await asyncio.sleep(0.2)
            diff = events.tick()
            for connection in list(connections):
                if not connection.is_open:
                    del connections[connection]
                    continue
                whole = connections[connection] is None
                connections[connection] = True
                message = [{"op": "replace", "path": "", "value": events.state}] if whole else diff
                if message:
                    await connection._transport.send({"type": "state", "diff": message})

    await asyncio.gather(lines(), change(), publish())


asyncio.run(main())
