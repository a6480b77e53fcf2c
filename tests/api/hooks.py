"""What no schema can say: texts in languages of their own, and pairs that must be in order.

The texts are the `format`s of the document. Tokens pass a server that does not verify them.
"""
import base64
import json
from datetime import datetime, timedelta, timezone

import schemathesis
from hypothesis import strategies as st


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def token(subject):
    return f'{part({"alg": "ES256", "typ": "JWT"})}.{part({"sub": subject})}.{part("signature")}'


def comparison(field, operator, text):
    return f'{field} {operator} "{text}"'


names = st.text("abc.-_ ", min_size=1, max_size=8)
comparisons = st.builds(
    comparison,
    st.sampled_from(["principal", "role", "action", "policy", "rule", "kind", "requestId"]),
    st.sampled_from(["==", "!="]),
    names,
)
schemathesis.openapi.format("jwt", names.map(token))
schemathesis.openapi.format("decision-filter", st.lists(comparisons, min_size=1, max_size=3).map(" && ".join))
past = st.datetimes(datetime(2000, 1, 1), datetime(2020, 1, 1))
schemathesis.openapi.format("instant-past", past.map(lambda at: at.isoformat() + "Z"))
recent = st.integers(0, 600).map(lambda ago: (datetime.now(timezone.utc) - timedelta(seconds=ago)).isoformat())
schemathesis.openapi.format("instant-recent", recent)
future = st.datetimes(datetime(2900, 1, 1), datetime(2999, 1, 1))
schemathesis.openapi.format("instant-future", future.map(lambda at: at.isoformat() + "Z"))
schemathesis.openapi.format("duration-ago", st.builds("{}{}".format, st.integers(1, 1000), st.sampled_from("smh")))


@schemathesis.hook.apply_to(path="/admin/auditlog/list/{kind}")
def filter_case(context, case):
    """A time begins before it ends."""
    start, end = (str((case.query or {}).get(name, "")) for name in ("between.start", "between.end"))
    return not (start and end) or start < end


@schemathesis.serializer("application/secevent+jwt")
def security_event_token(context, value):
    """A token is text."""
    return str(value).encode()
