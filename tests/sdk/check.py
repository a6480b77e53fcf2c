"""Drives a running server through the unchanged Python HTTP client. Usage: check.py URL"""
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
print("ok")
