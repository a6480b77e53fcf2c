"""The worst that the limits let through: it must end, and soon."""

import json
import statistics
import time

from servers import ask, fresh_directory, procura
from table import Line

NESTED = "R.attr.list.all(a, R.attr.list.all(b, R.attr.list.all(c, a + b + c >= 0.0)))"
POLICIES = {
    "open": [{"actions": ["*"], "effect": "EFFECT_ALLOW", "roles": ["*"]}],
    "nested": [
        {"actions": ["*"], "effect": "EFFECT_ALLOW", "roles": ["*"], "condition": {"match": {"expr": NESTED}}}
    ],
    "search": [
        {
            "actions": ["*"],
            "effect": "EFFECT_ALLOW",
            "roles": ["*"],
            "condition": {"match": {"expr": "R.attr.text.matches('(x+x+)+y') || R.attr.text.contains('xy')"}},
        }
    ],
}


def worst(options):
    """The longest that one call can take, each within every limit."""
    directory = fresh_directory("worst")
    (directory / "policies").mkdir()
    for kind, rules in POLICIES.items():
        policy = {"resource": kind, "version": "default", "rules": rules}
        text = json.dumps({"apiVersion": "api.cerbos.dev/v1", "resourcePolicy": policy})
        (directory / "policies" / f"{kind}.yaml").write_text(text)
    with procura(directory) as server:
        connection = server.connect()
        for measure, body, expected in cases():
            times = []
            for _ in range(options.rounds):
                began = time.perf_counter()
                status, answer = ask(connection, body)
                times.append((time.perf_counter() - began) * 1000)
                effects = [effect for result in json.loads(answer)["results"] for effect in result["actions"].values()]
                if status != 200 or set(effects) != {expected}:
                    raise SystemExit(f"{measure}: {status}, {set(effects)}")
            how = f"median of {len(times)}, at most {max(times):.1f} ms; {len(effects)} decisions, {len(body)} bytes"
            yield Line(f"worst call: {measure}", "", (statistics.median(times),), "ms", how)


def cases():
    """Measure, body, and the effect of every action."""
    actions = [f"action-{number}" for number in range(50)]
    numbers, megabyte = {"list": list(range(200))}, 1024 * 1024
    allow, deny = "EFFECT_ALLOW", "EFFECT_DENY"
    yield "nothing, for comparison", call("open", 1, ["view"], {}), allow
    yield "50 x 50 without conditions", call("open", 50, actions, {}), allow
    yield "one comprehension in another in another, up to the limit", call("nested", 1, ["view"], numbers), deny
    yield "50 x 50 of these, up to the limit of the call", call("nested", 50, actions, numbers), deny
    yield "1 MiB of attributes in one text", call("open", 1, ["view"], {"text": "x" * megabyte}), allow
    many = {f"name-{number}": number for number in range(50_000)}
    yield "1 MiB of attributes under 50 000 names", call("open", 1, ["view"], many), allow
    yield "1 MiB searched by a regular expression", call("search", 1, ["view"], {"text": "x" * megabyte}), deny


def call(kind: str, resources: int, actions: list[str], attributes: dict) -> bytes:
    resource = lambda number: {"kind": kind, "id": str(number), "attr": attributes}
    return json.dumps(
        {
            "requestId": "worst",
            "principal": {"id": "ada", "roles": ["employee"], "attr": {}},
            "resources": [{"actions": actions, "resource": resource(number)} for number in range(resources)],
        }
    ).encode()
