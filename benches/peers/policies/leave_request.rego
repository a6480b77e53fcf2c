# The root policy of benches/store in Rego.
package leave_request

import rego.v1

default allow := false

allow if {
	permitted
	not forbidden
}

applicant if {
	"employee" in input.principal.roles
	input.resource.attr.owner == input.principal.id
	input.resource.attr.id != "LR-gone"
}

same_place if input.resource.attr.geography == input.principal.attr.geography

same_place if input.principal.attr.geography == "everywhere"

line_manager if {
	"manager" in input.principal.roles
	same_place
	input.resource.attr.department in input.principal.attr.manages
	input.resource.attr.department != "closed"
}

default place := "elsewhere"

place := "GB" if net.cidr_contains("10.20.0.0/16", input.principal.attr.address)

withdrawable if {
	input.resource.attr.geography == place
	not held_back
}

held_back if {
	input.resource.attr.locked
	input.resource.attr.team != "legal"
}

permitted if "admin" in input.principal.roles

permitted if {
	input.action == "create"
	applicant
}

permitted if {
	input.action == "view"
	applicant
}

permitted if {
	input.action == "view"
	line_manager
}

permitted if {
	input.action == "approve"
	line_manager
	input.resource.attr.status == "PENDING"
	input.resource.attr.status != "HELD"
}

permitted if {
	input.action == "delete"
	applicant
	withdrawable
}

permitted if {
	input.action == "delete"
	line_manager
	withdrawable
}

forbidden if {
	input.action in {"delete", "approve"}
	input.resource.attr.status == "ARCHIVED"
}

forbidden if {
	input.action in {"delete", "approve"}
	count(input.resource.attr.tags) > 100
}
