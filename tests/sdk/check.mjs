// Drives running servers through the unchanged JavaScript HTTP client.
// Usage: node check.mjs URL URL, of servers with the shipped policies and with those beside this file.
import assert from "node:assert/strict";
import { HTTP } from "@cerbos/http";

const cerbos = new HTTP(process.argv[2]);
const grace = { id: "grace", roles: ["employee", "manager"], attr: {} };
const request = (id, reason) => ({
  kind: "leave_request",
  id,
  attr: { employee: "ada", managerId: "grace", region: "emea", status: "PENDING_APPROVAL", reason, days: 5, startsAt: "2099-07-01T00:00:00Z" },
});

assert.equal(await cerbos.isAllowed({ principal: grace, resource: request("LR-1", "holiday"), action: "approve" }), true);
assert.equal(await cerbos.isAllowed({ principal: grace, resource: request("LR-2", "sabbatical"), action: "approve" }), false);

const answer = await cerbos.checkResources({
  principal: grace,
  resources: [
    { resource: request("LR-1", "holiday"), actions: ["view", "approve", "edit"] },
    { resource: request("LR-2", "sabbatical"), actions: ["approve"] },
  ],
  includeMetadata: true,
  requestId: "from-javascript",
});
assert.equal(answer.requestId, "from-javascript");
assert.ok(answer.cerbosCallId);
assert.equal(answer.isAllowed({ resource: { kind: "leave_request", id: "LR-1" }, action: "approve" }), true);
assert.equal(answer.isAllowed({ resource: { kind: "leave_request", id: "LR-1" }, action: "edit" }), false);
const second = answer.findResult({ kind: "leave_request", id: "LR-2" });
assert.equal(second.isAllowed("approve"), false);
assert.deepEqual(second.metadata.effectiveDerivedRoles, ["direct_manager"]);
assert.equal(second.metadata.actions.approve.matchedPolicy, "resource.leave_request.vdefault");
assert.equal(second.outputs[0].value, "this request needs the approval of HR");

await assert.rejects(cerbos.checkResources({ principal: { ...grace, roles: [] }, resources: [] }));
assert.ok((await cerbos.serverInfo()).version);
assert.equal((await cerbos.checkHealth()).status, "SERVING");

const scoped = new HTTP(process.argv[3]);
const report = (id, scope, audited) => ({ kind: "report", id, scope, attr: { audited } });
const ada = { id: "ada", roles: ["employee"] };
const reports = await scoped.checkResources({
  principal: ada,
  resources: [report("r1", "", true), report("r2", "acme", false), report("r3", "acme", true)].map((resource) => ({
    resource,
    actions: ["view"],
  })),
  includeMetadata: true,
});
assert.deepEqual(reports.results.map((result) => result.isAllowed("view")), [true, true, false]);
assert.deepEqual(reports.results.map((result) => result.resource.scope), ["", "acme", "acme"]);
assert.deepEqual(reports.results.map((result) => result.metadata.actions.view.matchedPolicy), [
  "resource.report.vdefault",
  "resource.report.vdefault/acme",
  "resource.report.vdefault/acme",
]);
assert.deepEqual(reports.results.map((result) => result.metadata.actions.view.matchedScope), ["", "", "acme"]);
assert.deepEqual(reports.results[2].outputs.map(({ source, value }) => [source, value]), [
  ["resource.report.vdefault/acme#closed-for-audit", "ask grace"],
]);
console.log("ok");
