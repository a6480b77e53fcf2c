"""The servers that are compared: each a process of its own, on CPUs of its own, with a directory of its own."""

import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
WORK = Path(os.environ.get("BENCH_WORK", Path(tempfile.gettempdir()) / "procura-load"))
REFERENCE = Path(os.environ.get("BENCH_REFERENCE", REPOSITORY.parent / "shared" / "bench"))
PEER_VERSION = "0.55.0"
CHECK = "/api/check/resources"
SERVER_CPU = "0"
LOAD_CPU = "1"
BOTH_CPUS = "0,1"
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")


class Missing(Exception):
    """Something that a measure needs is not on this machine; the text says what and how to get it."""


def program(variable: str, default: Path, hint: str) -> Path:
    """The program that an environment variable names, or the one at its usual place."""
    path = Path(os.environ.get(variable, default))
    if not path.exists():
        raise Missing(f"no `{path}`: {hint}, or name it with {variable}")
    return path


def procura_program() -> Path:
    return program("PROCURA_BIN", REPOSITORY / "target/release/procura", "build it with `cargo build --release`")


def limit_program() -> Path:
    built = REFERENCE / "limit/target/release/pdp-limit"
    return program("LIMIT_BIN", built, "build the limit server of the reference harness")


def audit_limit_program() -> Path:
    built = REFERENCE / "audit-limit/target/release/audit-bench"
    return program("AUDIT_LIMIT_BIN", built, "build the limits of the disk of the reference harness")


def peer_program() -> Path:
    installed = WORK / "node_modules/@cerbos/cerbos-linux-x64/cerbos-linux-x64"
    return program("CERBOS_BIN", installed, "install the peer with `benches/load/run setup`")


class Server:
    """A running server; leaves no process behind when the `with` ends."""

    def __init__(self, name, command, port, ready, cpus=SERVER_CPU, timeout=600.0):
        self.name, self.port, self.log = name, port, WORK / f"{name}-{port}.log"
        with self.log.open("w") as log:
            began = time.perf_counter()
            self.process = subprocess.Popen(["taskset", "-c", cpus, *map(str, command)], stdout=log, stderr=log)
        try:
            self._wait(ready, began + timeout)
        except BaseException:
            self.process.kill()
            raise
        self.ready_seconds = time.perf_counter() - began

    def _wait(self, ready, deadline):
        while time.perf_counter() < deadline:
            if self.process.poll() is not None:
                raise SystemExit(f"{self.name} ended while it started: see {self.log}")
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
                connection.request("GET", ready)
                if connection.getresponse().status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.001)
        raise SystemExit(f"{self.name} was not ready in time: see {self.log}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def cpu_seconds(self) -> float:
        """User and system time of the process, with all its threads, also those that ended."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND

    def rss_mib(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS:"))
        return int(line.split()[1]) / 1024

    def metrics(self) -> dict[str, float]:
        """Our metrics by name, each summed over its labels."""
        connection = self.connect()
        connection.request("GET", "/metrics")
        found: dict[str, float] = {}
        for line in connection.getresponse().read().decode().splitlines():
            if not line.startswith("#"):
                name = re.split("[{ ]", line)[0]
                found[name] = found.get(name, 0.0) + float(line.rsplit(" ", 1)[1])
        return found


def ask(connection, body: bytes):
    """Status and answer of one check."""
    connection.request("POST", CHECK, body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    return response.status, response.read()


def procura(store: Path, log="off", watch=False, cpus=SERVER_CPU, settings=()) -> Server:
    """Our server with the error mode of the peer; `log` is `off` or a durability."""
    port = free_port()
    data = fresh_directory(f"procura-{port}")
    keys = {
        "server.httpListenAddr": f"127.0.0.1:{port}",
        "storage.disk.directory": store / "policies",
        "storage.disk.watchForChanges": str(watch).lower(),
        "engine.onError": "cerbos",
        "audit.enabled": str(log != "off").lower(),
        **({} if log == "off" else {"audit.durability": log}),
        **dict(settings),
    }
    command = [procura_program(), "serve", f"--data-dir={data}"]
    command += [f"--set={key}={value}" for key, value in keys.items()]
    name = "procura" if log == "off" else f"procura-{log}"
    return Server(name, command, port, "/readyz", cpus)


def limit(cpus=SERVER_CPU) -> Server:
    """The wire limit: parses the same bodies and answers in the same shape, but decides nothing."""
    port = free_port()
    command = [limit_program(), "axum-fullborrow", f"127.0.0.1:{port}", "1"]
    return Server("limit", command, port, "/_cerbos/health", cpus)


def peer(store: Path, file_log=False) -> Server:
    """The peer, as its manual says, with everything off that we do not have on."""
    port = free_port()
    directory = fresh_directory(f"peer-{port}")
    audit = {"enabled": False}
    if file_log:
        audit = {"enabled": True, "accessLogsEnabled": True, "decisionLogsEnabled": True, "backend": "file"}
        audit["file"] = {"path": str(directory / "audit.log")}
    configuration = {
        "server": {"httpListenAddr": f"127.0.0.1:{port}", "grpcListenAddr": f"127.0.0.1:{free_port()}"},
        "storage": {"driver": "disk", "disk": {"directory": str(store / "policies"), "watchForChanges": False}},
        "telemetry": {"disabled": True},
        "audit": audit,
    }
    (directory / "config.json").write_text(json.dumps(configuration))
    command = [peer_program(), "server", f"--config={directory / 'config.json'}", "--log-level=warn"]
    return Server("peer-file-log" if file_log else "peer", command, port, "/_cerbos/health")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def fresh_directory(name: str) -> Path:
    directory = WORK / "run" / name
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory
