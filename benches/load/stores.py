"""Policies and bodies of the reference harness, and the decisions that must come out."""

import json
import subprocess
import sys
from pathlib import Path

from servers import PEER_VERSION, REFERENCE, WORK, Missing, Server, ask, peer

SHAPES = ("1x1", "1x4", "10x4", "1x4s")


def store(policies: int) -> Path:
    """A directory with `policies/` and `requests/SHAPE.jsonl`, made once."""
    directory = WORK / f"store-{policies}"
    if not (directory / "made").exists():
        generator = REFERENCE / "gen_store.py"
        if not generator.exists():
            raise Missing(f"no `{generator}`: name the reference harness with BENCH_REFERENCE")
        command = [sys.executable, generator, "--out", directory, "--policies", str(policies)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (directory / "made").touch()
    return directory


def bodies(directory: Path, shape: str) -> Path:
    return directory / "requests" / f"{shape}.jsonl"


def verified(server: Server, directory: Path, shapes=SHAPES) -> str:
    """Asks every body and compares with the peer; ends the run if a decision differs. Says what was compared.

    What the peer says of a body does not depend on the number of policies, only names do: it is asked once, on ten.
    """
    try:
        expected = {shape: expected_effects(shape) for shape in shapes}
    except Missing as missing:
        return f"decisions not compared ({missing})"
    compared = 0
    for shape in shapes:
        for number, (ours, theirs) in enumerate(zip(effects(server, directory, shape), expected[shape], strict=True)):
            if ours != theirs:
                raise SystemExit(f"{server.name} decides body {number} of {shape} differently: {ours}, not {theirs}")
            compared += 1
    return f"{compared} bodies decided as by the peer"


def expected_effects(shape: str):
    """Of each body the effects that the peer answers, kept for the next run."""
    kept = WORK / f"expected-{PEER_VERSION}-{shape}.json"
    if not kept.exists():
        small = store(10)
        with peer(small) as server:
            kept.write_text(json.dumps(list(effects(server, small, shape))))
    return json.loads(kept.read_text())


def effects(server: Server, directory: Path, shape: str):
    """Of each body a list with, for each resource, its id and its actions with their effects."""
    connection = server.connect()
    for body in bodies(directory, shape).read_bytes().splitlines():
        status, answer = ask(connection, body)
        results = json.loads(answer)["results"] if status == 200 else []
        yield [[result["resource"]["id"], dict(sorted(result["actions"].items()))] for result in results] or [status]
