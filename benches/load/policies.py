"""What the number of policies costs: start-up, memory, changes and reloads under load."""

import random
import re
import shutil
import statistics
import threading
import time
from pathlib import Path

from load import load
from servers import BOTH_CPUS, WORK, Missing, ask, fresh_directory, peer, procura
from stores import bodies, store, verified
from table import Line

LITERAL = re.compile(r'"(gone|HELD|desk|audit)-[^"]*"')
"""Literals of conditions that no attribute ever equals."""
PAUSE_MS = 10
"""Between an answer and the next question of a connection, where the load must be a share of the most possible."""


def startup(options):
    """From the start of the process to the first 200 of its readiness, on one CPU."""
    directory = store(10_000)
    ours = []
    for _ in range(options.rounds):
        with procura(directory) as server:
            ours.append(server.ready_seconds)
            compared = verified(server, directory, ("1x1",)) if len(ours) == 1 else compared
    value = statistics.median(ours)
    how = f"median of {len(ours)}, {min(ours):.2f} to {max(ours):.2f} s; {compared}"
    yield Line("start-up to ready, 10 000 policies", "≤ 1.2", (value,), "s", how)
    if options.quick:
        raise Missing("the peer takes about three minutes to start: leave out --quick")
    with peer(directory) as server:
        theirs = server.ready_seconds
    yield Line("the same, Cerbos ÷ ours", "≥ 100", (theirs / value,), "", f"Cerbos once, {theirs:.0f} s")


def change(options):
    """From the rename of a changed file into the policies to the first answer that follows it."""
    medians, hows = [], []
    for policies in (100, 10_000):
        directory = copy_of_store(policies)
        changed = directory / "policies/resource_root_00000.yaml"
        text = changed.read_text()
        allowing = "- actions: ['view', 'view:*']\n      effect: EFFECT_ALLOW"
        texts = {b"EFFECT_ALLOW": text, b"EFFECT_DENY": text.replace(allowing, allowing.replace("ALLOW", "DENY"))}
        body = bodies(directory, "1x1").read_bytes().splitlines()[0]
        waits = []
        with procura(directory, watch=True) as server:
            time.sleep(1)
            connection = server.connect()
            for number in range(options.rounds):
                effect = (b"EFFECT_DENY", b"EFFECT_ALLOW")[number % 2]
                waits.append(wait_for(connection, body, effect, changed, texts[effect]))
                time.sleep(1)
        shutil.rmtree(directory)
        medians.append(statistics.median(waits))
        hows.append(f"{min(waits):.0f} to {max(waits):.0f} ms")
    how = f"medians of {options.rounds}; {', '.join(hows)}"
    yield Line("file written → first changed decision, 100 / 10 000 policies", "≤ 100", tuple(medians), "ms", how)


def wait_for(connection, body: bytes, effect: bytes, changed: Path, text: str) -> float:
    """Milliseconds from the change until the only action of `body` has `effect`."""
    beside = changed.parent.parent / "changed"
    beside.write_text(text)
    began = time.perf_counter()
    beside.rename(changed)
    while effect not in ask(connection, body)[1]:
        if time.perf_counter() - began > 60:
            raise SystemExit(f"no answer followed the change of {changed} within a minute")
        time.sleep(0.001)
    return (time.perf_counter() - began) * 1000


def rss(options):
    """Memory under load."""
    values = []
    for policies in (100, 10_000):
        directory = store(policies)
        with procura(directory) as server:
            load(server, bodies(directory, "10x4"), options.seconds)
            values.append(server.rss_mib())
    yield Line("RSS at 100 / 10 000 policies", "≤ 18 / 60", tuple(values), "MiB", f"after {options.seconds} s of 10x4 checks")


def reloads(options):
    """The slowest answers while 200 of 10 000 files change every 2 s, beside those at rest; both CPUs for both."""
    directory = copy_of_store(10_000)
    requests = bodies(directory, "1x4")
    with procura(directory, watch=True, cpus=BOTH_CPUS) as server:
        compared = verified(server, directory, ("1x4",))
        most = load(server, requests, options.seconds, cpus=BOTH_CPUS).per_second
        connections = max(1, round(most / 2 * PAUSE_MS / 1000))
        half = lambda: load(server, requests, 10, connections, PAUSE_MS, BOTH_CPUS)
        half()
        before = server.metrics()["procura_policy_generation"]
        fresh_memory = server.rss_mib()
        at_rest, changing, settled, most_memory = [], [], [], 0.0
        began, minutes = time.perf_counter(), 1 if options.quick else options.minutes
        while time.perf_counter() - began < minutes * 60:
            at_rest.append(half())
            with Changes(directory / "policies", files=200, every=2.0):
                changing.append(half())
            most_memory = max(most_memory, server.rss_mib())
            wait_until_idle(server)
            settled.append(server.rss_mib())
        generations = server.metrics()["procura_policy_generation"] - before
    shutil.rmtree(directory)
    if any(one.bad for one in at_rest + changing):
        raise SystemExit("requests failed while policies changed")
    value = statistics.median(b.p99_ms / a.p99_ms for a, b in zip(at_rest, changing, strict=True))
    p99 = lambda of: statistics.median(one.p99_ms for one in of)
    reached = statistics.median(one.per_second for one in at_rest + changing)
    yield Line(
        "p99 while 200 of 10 000 files change every 2 s ÷ p99 at rest", "≤ 3", (value,), "",
        f"{len(changing)} rounds of 10 s each; {p99(changing):.2f} : {p99(at_rest):.2f} ms; "
        f"{reached:.0f} of at most {most:.0f} requests/s over {connections} connections; "
        f"{generations:.0f} sets went live; {compared}",
    )
    yield rss_growth(fresh_memory, settled, most_memory, minutes)


def wait_until_idle(server):
    """Until the server has used next to no CPU for half a second: nothing is compiled any more."""
    spent = server.cpu_seconds()
    while True:
        time.sleep(0.5)
        before, spent = spent, server.cpu_seconds()
        if spent - before < 0.03:
            return


def rss_growth(fresh, memory, most, minutes):
    """Growth between the first and the last fifth of the time, each a median: one reading is an accident."""
    fifth = max(1, len(memory) // 5)
    first, last = statistics.median(memory[:fifth]), statistics.median(memory[-fifth:])
    growth = (last / first - 1) * 100
    how = f"{first:.0f} to {last:.0f} MiB; {fresh:.0f} before the first change, at most {most:.0f} during one"
    return Line(f"RSS growth over {minutes} minutes of this", "≤ 5" if minutes >= 10 else "", (growth,), "%", how)


class Changes:
    """Changes that many files every so often while the `with` lasts; no decision changes, only texts of conditions."""

    def __init__(self, policies: Path, files: int, every: float):
        self.paths = [path for path in sorted(policies.glob("*.yaml")) if LITERAL.search(path.read_text())]
        self.files, self.every = files, every
        self.random, self.stop = random.Random(1), threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def _run(self):
        while True:
            for path in self.random.sample(self.paths, self.files):
                mark = self.random.randrange(10**8, 10**9)
                beside = WORK / "run" / "changed"
                beside.write_text(LITERAL.sub(rf'"\1-{mark}"', path.read_text()))
                beside.rename(path)
            if self.stop.wait(self.every):
                return


def copy_of_store(policies: int) -> Path:
    directory = fresh_directory(f"copy-{policies}")
    shutil.copytree(store(policies), directory, dirs_exist_ok=True)
    return directory
