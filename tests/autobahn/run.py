#!/usr/bin/env python3
"""Runs the Autobahn test suite against our WebSocket and writes summary.md.

    tests/autobahn/run.py [--python PYTHON2.7] [--work FOLDER] [--cases 12.1.1,13.*]

Both ways over real sockets: Autobahn's fuzzing client against `ws_echo server`, its fuzzing server against
`ws_echo autobahn`. The suite is Python 2.7 only (PyPI, autobahntestsuite); its environment is made in the work folder the first time, with
virtualenv. Not part of `cargo test`: it takes minutes and an interpreter that few machines still have.

With --cases only these run, and summary.md stays. Fails if a case does. The suite gives a case 480 s. Sections 12 and 13 took
70 minutes at the lowest priority of a busy machine, where a case may fail for that alone.
"""

import argparse
import collections
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent

CASES = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*", "12.*", "13.*"]
SECTIONS = {
    "1": "framing", "2": "pings and pongs", "3": "reserved bits", "4": "opcodes", "5": "fragmentation",
    "6": "UTF-8", "7": "close handshake", "9": "limits, performance", "10": "automatic fragmentation",
    "12": "compression", "13": "compression, parameters",
}
GOOD = ("OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED")
LAST_VIRTUALENV = "virtualenv<20.16"  # that makes environments for 2.7
SUITE = "autobahntestsuite==25.10.1"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--python", help="a Python 2.7 interpreter")
    arguments.add_argument("--work", type=pathlib.Path, default=ROOT / "target" / "autobahn",
                           help="where the environment and the reports go")
    arguments.add_argument("--cases", type=lambda text: text.split(","),
                           help="only these, with commas between them: 12.1.*,13.1.1")
    arguments = arguments.parse_args()
    cases = arguments.cases or CASES
    work = arguments.work.resolve()
    work.mkdir(parents=True, exist_ok=True)

    python = environment(work, arguments.python)
    echo = build()
    server = as_server(work, python, echo, cases)
    client = as_client(work, python, echo, cases)
    if not arguments.cases:
        (HERE / "summary.md").write_text(summary(server, client))
    failed = [(end, case, result["behavior"], result["behaviorClose"])
              for end, cases in (("server", server), ("client", client))
              for case, result in cases.items() if grade(result) == "FAILED"]
    for failure in failed:
        print("failed:", *failure)
    print(f"{len(server)} cases of our server, {len(client)} of our client, {len(failed)} failed; reports: {work}")
    return 1 if failed else 0


def environment(work, interpreter):
    """The interpreter of an environment that has the suite."""
    python = work / "env" / "bin" / "python"
    if not (work / "env" / "bin" / "wstest").exists():
        interpreter = interpreter or shutil.which("python2.7") or pyenv()
        if not interpreter:
            sys.exit("no Python 2.7: give one with --python")
        tool = work / "virtualenv"
        run(interpreter, "-m", "pip", "install", "--quiet", "--target", tool, LAST_VIRTUALENV)
        run(interpreter, "-m", "virtualenv", "--quiet", work / "env", env={"PYTHONPATH": str(tool)})
        run(python, "-m", "pip", "install", "--quiet", SUITE)
    return python


def pyenv():
    found = sorted(pathlib.Path.home().glob(".pyenv/versions/2.7*/bin/python2.7"))
    return found[-1] if found else None


def build():
    """The echo program."""
    built = subprocess.run(
        ["cargo", "build", "--quiet", "--release", "-p", "hat-core", "--example", "ws_echo",
         "--message-format", "json"],
        cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = [json.loads(line) for line in built.splitlines()]
    return next(message["executable"] for message in messages
                if message.get("target", {}).get("name") == "ws_echo" and message.get("executable"))


def as_server(work, python, echo, cases):
    """Autobahn is the client."""
    port = free_port()
    reports = work / "reports-server"
    spec = {"outdir": str(reports), "servers": [{"agent": "hat", "url": f"ws://127.0.0.1:{port}"}],
            "cases": cases, "exclude-cases": [], "exclude-agent-cases": {}}
    with Process(echo, "server", f"127.0.0.1:{port}", log=work / "server.log"):
        wait_for(port)
        with Process(*wstest(work, python, "fuzzingclient", spec), log=work / "fuzzingclient.log") as fuzzer:
            fuzzer.wait()
    return results(reports)


def as_client(work, python, echo, cases):
    """Autobahn is the server."""
    port = free_port()
    reports = work / "reports-client"
    spec = {"outdir": str(reports), "url": f"ws://127.0.0.1:{port}",
            "cases": cases, "exclude-cases": [], "exclude-agent-cases": {}}
    with Process(*wstest(work, python, "fuzzingserver", spec, "--webport", "0"), log=work / "fuzzingserver.log"):
        wait_for(port)
        with Process(echo, "autobahn", f"127.0.0.1:{port}", "hat", log=work / "client.log") as client:
            client.wait()
    return results(reports)


def wstest(work, python, mode, spec, *more):
    shutil.rmtree(spec["outdir"], ignore_errors=True)
    file = work / f"{mode}.json"
    file.write_text(json.dumps(spec))
    return [python, python.parent / "wstest", "--mode", mode, "--spec", file, *more]


class Process(subprocess.Popen):
    """A process that does not outlive its block."""

    def __init__(self, *command, log):
        with open(log, "w") as output:
            super().__init__([str(part) for part in command], stdout=output, stderr=subprocess.STDOUT)

    def __exit__(self, *error):
        if self.poll() is None:
            self.terminate()
        return super().__exit__(*error)


def run(*command, env=None):
    subprocess.run([str(part) for part in command], check=True, env={**os.environ, **(env or {})})


def free_port():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def wait_for(port):
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            time.sleep(0.1)
    sys.exit(f"nothing listens on port {port}; see the logs")


def results(reports):
    """Case to result."""
    return json.loads((reports / "index.json").read_text())["hat"]


def grade(result):
    """One word for what a case did and how it closed."""
    both = {result["behavior"], result["behaviorClose"]}
    if not both <= set(GOOD):
        return "FAILED"
    return max(both, key=GOOD.index)


def summary(server, client):
    lines = [
        "# Autobahn",
        "",
        "Written by `run.py` beside it. The Autobahn test suite against `core/examples/ws_echo.rs`: its fuzzing client against our server, its",
        "fuzzing server against our client. Both compress messages of any size, with a context. (There is no section 8 or 11 in the suite.)",
        "",
    ]
    for end, cases in (("server", server), ("client", client)):
        counts = collections.defaultdict(collections.Counter)
        for case, result in cases.items():
            counts[case.split(".")[0]][grade(result)] += 1
        lines += [f"## Our {end}", "", "| section | cases | OK | non-strict | informational | declined | failed |",
                  "|---|---|---|---|---|---|---|"]
        total = collections.Counter()
        for section, name in SECTIONS.items():
            lines.append(row(f"{section} {name}", counts[section]))
            total += counts[section]
        lines += [row("all", total), ""]
        other = [f"{case} {grade(result).lower()}" for case, result in sorted(cases.items(), key=lambda item: key(item[0]))
                 if grade(result) != "OK"]
        lines += [f"Not OK: {', '.join(other) or 'none'}.", ""]
    lines.append("Informational cases have no right answer in RFC 6455: 7.1.6 closes behind 256 KiB of data, 7.13.1 and 7.13.2 use close codes")
    lines.append("from 5000 on, which we end with 1002. Declined cases of section 13 ask our server for a window below 2^15 octets")
    lines.append("(`server_max_window_bits`), which its compressor does not have: RFC 7692 section 7.1.2.1 lets it go on without compression.")
    return "\n".join(lines) + "\n"


def row(name, counts):
    cells = [name, sum(counts.values()), *(counts[grade] for grade in (*GOOD, "FAILED"))]
    return f"| {' | '.join(map(str, cells))} |"


def key(case):
    return [int(part) for part in case.split(".")]


if __name__ == "__main__":
    sys.exit(main())
