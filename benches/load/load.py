"""Load for a server, and what came of it."""

import json
import shutil
import statistics
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from servers import LOAD_CPU, Missing, Server

SCRIPT = Path(__file__).with_name("load.lua")
CONNECTIONS = 32


@dataclass(frozen=True)
class Round:
    """One server under load for some seconds."""

    per_second: float
    cpu_us: float
    """User and system time of the server for one request."""
    busy: float
    """Share of one CPU that the server used."""
    p50_ms: float
    p99_ms: float
    bad: int
    """Requests that failed or were not answered with 2xx or 3xx."""


def load(server: Server, bodies: Path, seconds: float, connections=CONNECTIONS, pause_ms=0, cpus=LOAD_CPU) -> Round:
    """Keep-alive connections that ask without pause, or with `pause_ms` between answer and next question."""
    if not shutil.which("wrk"):
        raise Missing("no `wrk`: install it with `benches/load/run setup`")
    command = ["taskset", "-c", cpus, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    command += ["-s", str(SCRIPT), f"http://127.0.0.1:{server.port}", "--", str(bodies), str(pause_ms)]
    cpu, began = server.cpu_seconds(), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    cpu, wall = server.cpu_seconds() - cpu, time.perf_counter() - began
    try:
        said = json.loads(done.stdout.strip().splitlines()[-1])
    except (IndexError, ValueError):
        raise SystemExit(f"wrk failed: {done.stdout}{done.stderr}") from None
    requests = max(1, said["requests"])
    return Round(
        per_second=requests * 1e6 / said["microseconds"],
        cpu_us=cpu * 1e6 / requests,
        busy=cpu / wall,
        p50_ms=said["p50"] / 1000,
        p99_ms=said["p99"] / 1000,
        bad=said["bad"],
    )


def rounds(servers, bodies: Path, count: int, seconds: float, connections=CONNECTIONS):
    """`count` rounds; in each every server in turn, every other round in reverse. By name, one list a server."""
    for server in servers:
        load(server, bodies, 1, connections)
    found = {server.name: [] for server in servers}
    for number in range(count):
        for server in servers if number % 2 == 0 else servers[::-1]:
            found[server.name].append(load(server, bodies, seconds, connections))
    failed = {name: sum(one.bad for one in of) for name, of in found.items()}
    if any(failed.values()):
        raise SystemExit(f"requests failed, so nothing was measured: {failed}")
    return found


def ratio(dividend, divisor, value) -> float:
    """Median over the rounds of the quotient within a round."""
    return statistics.median(value(a) / value(b) for a, b in zip(dividend, divisor, strict=True))


def median(of, value) -> float:
    return statistics.median(value(one) for one in of)
