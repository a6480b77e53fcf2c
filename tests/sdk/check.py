"""Drives running servers through the unchanged Python HTTP client.

Usage: check.py URL URL, of servers with the shipped policies and with those beside this file.
"""
import sys

from cerbos.sdk.client import CerbosClient
from cerbos.sdk.model import Principal, Resource, ResourceAction, ResourceList

ATTR = {"employee": "ada", "managerId": "grace", "region": "emea", "status": "PENDING_APPROVAL", "days": 5,
        "startsAt": "2099-07-01T00:00:00Z"}
grace = Principal("grace", roles={"employee", "manager"})
holiday = Resource("LR-1", "leave_request", attr={**ATTR, "reason": "holiday"})
sabbatical = Resource("LR-2", "leave_request", attr={**ATTR, "reason": "sabbatical"})

with CerbosClient(sys.argv[1]) as cerbos:
    assert cerbos.is_healthy()
    assert cerbos.is_allowed("approve", grace, holiday)
    assert not cerbos.is_allowed("approve", grace, sabbatical)
    answer = cerbos.check_resources(grace, ResourceList(resources=[
        ResourceAction(resource=holiday, actions={"view", "approve"}),
        ResourceAction(resource=sabbatical, actions={"approve"}),
    ]))
    assert answer.get_resource("LR-1").is_allowed("view")
    assert answer.get_resource("LR-1").is_allowed("approve")
    assert not answer.get_resource("LR-2").is_allowed("approve")

ada = Principal("ada", roles={"employee"})
reports = [
    Resource("r1", "report", attr={"audited": True}),
    Resource("r2", "report", scope="acme", attr={"audited": False}),
    Resource("r3", "report", scope="acme", attr={"audited": True}),
]
with CerbosClient(sys.argv[2]) as cerbos:
    resources = ResourceList(resources=[ResourceAction(resource=report, actions={"view"}) for report in reports])
    answer = cerbos.check_resources(ada, resources)
    assert [result.is_allowed("view") for result in answer.results] == [True, True, False]
    assert answer.results[2].resource.scope == "acme"
    assert [output.val for output in answer.results[2].outputs] == ["ask grace"]
print("ok")
