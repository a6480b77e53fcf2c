"""What a check costs and how long it takes, beside the wire limit and the peer."""

from contextlib import ExitStack

from load import CONNECTIONS, median, ratio, rounds
from servers import Missing, limit, peer, procura
from stores import SHAPES, bodies, store, verified
from table import Line


def cpu(options):
    """CPU of the server for one request, ours beside the wire limit and the peer."""
    directory = store(100)
    with ExitStack() as stack:
        servers, missing = started(stack, directory)
        compared = verified(servers[0], directory)
        found = {
            shape: rounds(servers, bodies(directory, shape), options.rounds, options.seconds) for shape in SHAPES
        }
    spent = lambda one: one.cpu_us
    how = f"100 policies, {CONNECTIONS} connections, {options.rounds} rounds of {options.seconds} s; {compared}"
    if "limit" in found["1x1"]:
        for shapes, must in (("1x1", "1x4", "1x4s"), "≤ 1.4"), (("10x4",), "≤ 1.6"):
            values = tuple(ratio(found[shape]["procura"], found[shape]["limit"], spent) for shape in shapes)
            micros = ", ".join(
                f"{shape} {median(found[shape]['procura'], spent):.1f} : {median(found[shape]['limit'], spent):.1f} µs"
                for shape in shapes
            )
            yield Line(f"CPU per request, ours ÷ wire limit, {', '.join(shapes)}", must, values, "", f"{how}; {micros}")
    if "peer" in found["1x1"]:
        shapes = ("1x1", "1x4", "10x4")
        values = tuple(ratio(found[shape]["peer"], found[shape]["procura"], spent) for shape in shapes)
        yield Line("CPU per request, Cerbos ÷ ours, 1x1 / 1x4 / 10x4", "≥ 40 / 45 / 60", values, "", how)
    yield from missing


def scale(options):
    """Whether 10 000 policies make a check dearer than 10 do."""
    times = []
    with ExitStack() as stack:
        for policies in (10, 10_000):
            directory = store(policies)
            servers = [stack.enter_context(procura(directory)), stack.enter_context(limit())]
            compared = verified(servers[0], directory, ("1x4",))
            times.append((servers, bodies(directory, "1x4"), []))
        # The two sizes in turn, so that a neighbour that comes or goes meets both.
        for _ in range(options.rounds):
            for servers, requests, ratios in times:
                found = rounds(servers, requests, 1, options.seconds)
                ratios.append(ratio(found["procura"], found["limit"], lambda one: one.cpu_us))
    few, many = (ratios for _, _, ratios in times)
    value = ratio(many, few, lambda one: one)
    how = f"1x4, {options.rounds} rounds; {median(many, float):.2f} : {median(few, float):.2f}; {compared}"
    yield Line("(ours ÷ limit) at 10 000 policies ÷ (ours ÷ limit) at 10", "≤ 1.1", (value,), "", how)


def p50(options):
    """The latency of a quiet server: one connection."""
    directory, shapes = store(100), ("1x1", "1x4", "10x4")
    with ExitStack() as stack:
        servers, missing = started(stack, directory)
        compared = verified(servers[0], directory, shapes)
        found = [rounds(servers, bodies(directory, shape), options.rounds, options.seconds, 1) for shape in shapes]
    at = lambda one: one.p50_ms
    if "peer" in found[0]:
        values = tuple(ratio(of["peer"], of["procura"], at) for of in found)
        ours = " / ".join(f"{median(of['procura'], at):.3f}" for of in found)
        how = f"ours {ours} ms; {options.rounds} rounds; {compared}"
        if "limit" in found[0]:
            best = " / ".join(f"{ratio(of['peer'], of['limit'], at):.1f}" for of in found)
            how += f"; Cerbos ÷ wire limit {best}"
        yield Line(
            "p50 at one connection, Cerbos ÷ ours, 1x1 / 1x4 / 10x4", "≥ 12 / 12 / 30", values, "",
            how,
        )
    yield from missing


def p99(options):
    """The slowest answers, in rounds without a neighbour: those in which the limit's own p99 is 2 ms at most."""
    directory = store(100)
    with ExitStack() as stack:
        servers = [stack.enter_context(start) for start in (procura(directory), limit(), peer(directory))]
        compared = verified(servers[0], directory, ("1x4",))
        found = rounds(servers, bodies(directory, "1x4"), options.rounds, options.seconds)
    quiet = [number for number, one in enumerate(found["limit"]) if one.p99_ms <= 2]
    how = f"1x4; {len(quiet)} of {options.rounds} rounds were quiet; {compared}"
    if not quiet:
        best = min(one.p99_ms for one in found["limit"])
        raise Missing(f"no round was quiet: the limit's own p99 was {best:.1f} ms at best")
    in_quiet = {name: [of[number] for number in quiet] for name, of in found.items()}
    at = lambda one: one.p99_ms
    how += "; " + ", ".join(f"{name} {median(of, at):.2f} ms" for name, of in in_quiet.items())
    value = ratio(in_quiet["peer"], in_quiet["procura"], at)
    yield Line("p99 at 32 connections, Cerbos ÷ ours", "≥ 30", (value,), "", how)


def started(stack, directory):
    """Our server, then the limit and the peer if they are installed; and the lines that say what is not."""
    servers, missing = [stack.enter_context(procura(directory))], []
    for name, start in ("wire limit", limit), ("Cerbos", lambda: peer(directory)):
        try:
            servers.append(stack.enter_context(start()))
        except Missing as reason:
            missing.append((f"beside the {name}", reason))
    return servers, missing
