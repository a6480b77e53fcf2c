"""What it costs to know who asks."""

import os
import re
import subprocess

from load import CONNECTIONS
from servers import LOAD_CPU, REPOSITORY, SERVER_CPU, Missing, procura_program, program
from stores import bodies, store
from table import Line

SAID = re.compile(r"^(.+?) +([\d.]+) µs of CPU, ([\d.]+) times plain text, +(\d+) % of the CPU used", re.MULTILINE)
MUST = {"client certificate, TLS": "≤ 1.6", "token, plain text": "≤ 1.25", "API key, plain text": "≤ 1.25"}


def credentials(options):
    """CPU of the server for one request, by the credential that callers show, beside plain text without one."""
    built = REPOSITORY / "target/release/procura-testkit"
    testkit = program("TESTKIT_BIN", built, "build it with `cargo build --release -p procura-testkit`")
    directory = store(100)
    command = ["taskset", "-c", LOAD_CPU, testkit, "credentials", f"--bin={procura_program()}"]
    command += [f"--policies={directory / 'policies'}", f"--bodies={bodies(directory, '1x4')}"]
    command += [f"--server-cpus={SERVER_CPU}", f"--rounds={options.rounds}", f"--seconds={options.seconds}"]
    command += [f"--connections={CONNECTIONS}"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, env=os.environ)
    found = SAID.findall(done.stdout)
    if done.returncode != 0 or not found:
        raise Missing(f"the comparison failed: {done.stderr.strip()}")
    for name, micros, times, busy in found[1:]:
        how = f"{micros} : {found[0][1]} µs, {busy} and {found[0][3]} % of one CPU used"
        how += f"; 1x4, {CONNECTIONS} connections, {options.rounds} rounds of {options.seconds} s"
        yield Line(f"CPU per request, {name} ÷ plain text without credentials", MUST.get(name, ""), (float(times),), "", how)
