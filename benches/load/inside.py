"""What is measured inside a process, by the benches that `cargo` builds."""

import os
import subprocess
from pathlib import Path

from servers import REPOSITORY, Missing
from table import Line


def decision(_options):
    """One decision in the process, beside other engines."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")) / "peers"
    said = cargo("run", "--release", "--locked", "--target-dir", str(target), directory=REPOSITORY / "benches/peers")
    ours, cedar, regorus = columns(said, "all")
    how = "mean over six questions of the medians of 21 rounds; same answers"
    yield Line("in-process decision, leave-request policy: ours", "≤ 1", (ours / 1000,), "µs", how)
    how = f"{cedar / 1000:.1f} µs"
    yield Line("the same, `cedar-policy` with prebuilt entities ÷ ours", "≥ 10", (cedar / ours,), "", how)
    yield Line("the same, `regorus` ÷ ours", "≥ 20", (regorus / ours,), "", f"{regorus / 1000:.1f} µs")


def conditions(_options):
    """Conditions E1 to E6, beside the evaluator of the `cel` crate."""
    said = cargo("bench", "--bench", "expressions")
    ratio = 5
    values = tuple(columns(said, f"E{number}")[ratio] for number in range(1, 7))
    yield Line("conditions E1 to E6: the `cel` crate ÷ ours", "≥ 10", values, "", "evaluation, both prepared")


def allocations(_options):
    """Allocations of one call from bytes to bytes, and of each condition."""
    said = cargo("bench", "--bench", "path")
    at = lambda name, stage: next(row[-1] for row in table(said) if row[:2] == [name, stage])
    yield Line("allocations for a 1x4 check from bytes to bytes", "≤ 8", (float(at("1x4", "whole")),))
    names = ("E1", "E2", "E3", "E4", "E6")
    values = tuple(float(at(name, "evaluate")) for name in names)
    how = f"E5 {at('E5', 'evaluate')}"
    yield Line(f"allocations of the conditions {', '.join(names)}", "≤ 0", values, "", how)


def cargo(*arguments: str, directory=REPOSITORY) -> str:
    if not directory.exists():
        raise Missing(f"no `{directory}`")
    done = subprocess.run(["cargo", *arguments], cwd=directory, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise Missing(f"`cargo {' '.join(arguments)}` failed")
    return done.stdout


def table(said: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in said.splitlines() if line.startswith("|")]


def columns(said: str, name: str) -> list[float]:
    """The numbers of the row of this name."""
    row = next(row for row in table(said) if row[0] == name)
    return [float(cell) for cell in row[1:]]
