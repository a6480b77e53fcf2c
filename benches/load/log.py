"""What it costs to remember every decision."""

import re
import subprocess
import threading
import time
from contextlib import ExitStack

from load import CONNECTIONS, load, median, ratio, rounds
from servers import Missing, audit_limit_program, fresh_directory, peer, procura
from stores import bodies, store, verified
from table import Line


def log_async(options):
    """Throughput that is kept while the log is written behind the answers, all on one CPU."""
    directory = store(100)
    with ExitStack() as stack:
        off, on = (stack.enter_context(procura(directory, log)) for log in ("off", "async"))
        compared = verified(on, directory, ("1x4",))
        found = rounds([off, on], bodies(directory, "1x4"), options.rounds, options.seconds)
        kept = 100 * ratio(found[on.name], found[off.name], lambda one: one.per_second)
        lag, behind, seconds = lag_and_catch_up(on, bodies(directory, "1x4"), options.seconds)
    how = f"1x4, {CONNECTIONS} connections, {options.rounds} rounds; {compared}"
    yield Line("throughput of 1x4 checks kept with the log `async`", "≥ 85", (kept,), "%", how)
    how = f"calls without a record after {options.seconds} s of full load: {behind:.0f}; the most at a time: {lag:.0f}"
    yield Line("the log `async`: time to catch up after the load ends", "", (seconds * 1000,), "ms", how)


def lag_and_catch_up(server, requests, seconds):
    """Most calls without a record at a time under load, those at its end, and the seconds until every call has one."""
    at_start, waiting, ended = unrecorded(server), [0.0], threading.Event()

    def watch():
        while not ended.wait(0.2):
            waiting.append(unrecorded(server) - at_start)

    thread = threading.Thread(target=watch)
    thread.start()
    load(server, requests, seconds)
    began = time.perf_counter()
    ended.set()
    behind = left = unrecorded(server) - at_start
    while left > 0 and time.perf_counter() - began < 60:
        left = unrecorded(server) - at_start
    took = time.perf_counter() - began
    thread.join()
    if left > 0:
        raise SystemExit(f"{left:.0f} calls had no record a minute after the load")
    return max(*waiting, behind), behind, took


def unrecorded(server) -> float:
    """Calls less records, both since the start of the server."""
    metrics = server.metrics()
    return metrics["procura_calls_total"] - metrics["procura_log_records_total"]


def log_durable(options):
    """Throughput and latency when every answer waits for the disk, beside the peer, which does not wait."""
    directory, at_one = store(100), []
    with ExitStack() as stack:
        ours = stack.enter_context(procura(directory, "durable"))
        compared = verified(ours, directory, ("1x4",))
        try:
            servers = [ours, stack.enter_context(peer(directory, file_log=True))]
        except Missing as reason:
            servers, missing = [ours], [("the log `durable` beside Cerbos with its file log", reason)]
        else:
            missing = []
        found = rounds(servers, bodies(directory, "1x4"), options.rounds, options.seconds)
        at_one = [load(ours, bodies(directory, "1x4"), options.seconds, 1) for _ in range(options.rounds)]
    how = f"1x4, {options.rounds} rounds; {compared}"
    if len(servers) == 2:
        value = ratio(found[ours.name], found[servers[1].name], lambda one: one.per_second)
        rates = " : ".join(f"{median(of, lambda one: one.per_second):.0f}" for of in found.values())
        measure = "log `durable`: throughput at 32 connections ÷ Cerbos with its file log"
        yield Line(measure, "≥ 10", (value,), "", f"{rates} requests/s; {how}")
    yield from missing
    for connections, of in (1, at_one), (CONNECTIONS, found[ours.name]):
        values = (median(of, lambda one: one.p50_ms), median(of, lambda one: one.p99_ms))
        yield Line(f"log `durable`: p50 / p99, connections: {connections}", "", values, "ms", how)


CROWD = 256


def log_crowd(options):
    """Throughput of many callers at once when every answer waits for the disk, beside what server and disk can do."""
    directory = store(100)
    with ExitStack() as stack:
        off, on = (stack.enter_context(procura(directory, log)) for log in ("off", "durable"))
        compared = verified(on, directory, ("1x4",))
        found = rounds([off, on], bodies(directory, "1x4"), options.rounds, options.seconds, CROWD)
        load(on, bodies(directory, "1x4"), options.seconds, CROWD)
        lag, seconds = index_lag(on)
        records = on.metrics()["procura_log_records_total"]
    disk = disk_limit(1)
    without, durable = (median(found[server.name], lambda one: one.per_second) for server in (off, on))
    how = f"off {without:.0f}, disk {disk:.0f}, durable {durable:.0f} a second; {options.rounds} rounds; {compared}"
    measure = f"log `durable`, {CROWD} callers: throughput ÷ the smaller of log off and group commit of the disk"
    yield Line(measure, "≥ 60", (100 * durable / min(without, disk),), "%", how)
    how = f"{lag:.0f} of {records:.0f} records are not in it when the load ends"
    yield Line("the index of the log: time to catch up after that load", "", (seconds,), "s", how)


def index_lag(server):
    """Records that are not in the index now, and the seconds until all are."""
    began = time.perf_counter()
    lag = left = server.metrics()["procura_index_lag_records"]
    while left > 0:
        if time.perf_counter() - began > 600:
            raise SystemExit(f"{left:.0f} records were not in the index ten minutes after the load")
        time.sleep(0.05)
        left = server.metrics()["procura_index_lag_records"]
    return lag, time.perf_counter() - began


def disk_limit(seconds):
    """Records a second that the disk takes from as many writers that wait for one sync together (512 bytes each)."""
    command = [audit_limit_program(), fresh_directory("audit-limit"), str(seconds)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    line = re.search(rf"group-commit FdataAppend writers={CROWD} rec/s=(\d+)", said)
    if not line:
        raise SystemExit(f"no group commit of {CROWD} writers in: {said}")
    return float(line[1])
