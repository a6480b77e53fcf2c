#!/usr/bin/env bash
# One policy, from first answer to proof: ask, edit, ask again, find both decisions, verify the log.
# Usage: examples/walkthrough.sh [path to the procura binary]
set -euo pipefail

bin=${1:-target/release/procura}
[ -x "$bin" ] || { echo "no binary at $bin: run 'cargo build --release' first" >&2; exit 1; }
work=$(mktemp -d)
mkdir "$work/policies"
say() { printf '\n# %s\n' "$1"; }
trap 'kill "${server:-}" 2>/dev/null || true; rm -rf "$work"' EXIT

write_policy() {
  cat > "$work/policies/.invoice.yaml" <<POLICY
apiVersion: api.cerbos.dev/v1
resourcePolicy:
  resource: invoice
  version: default
  rules:
    - name: clerks-pay-small-invoices
      actions: [pay]
      roles: [clerk]
      effect: EFFECT_ALLOW
      condition:
        match:
          expr: R.attr.amount <= $1
POLICY
  mv "$work/policies/.invoice.yaml" "$work/policies/invoice.yaml"
}

ask() {
  curl -fsS "$address/api/check/resources" -d '{
    "principal": {"id": "carol", "roles": ["clerk"]},
    "resources": [{"actions": ["pay"], "resource": {"kind": "invoice", "id": "I-7", "attr": {"amount": 800}}}]
  }'
  echo
}

generation() { curl -fsS "$address/admin/policies/status" | grep -o '"generation":[0-9]*' | head -1; }

say "a policy: clerks pay up to 500"
write_policy 500
"$bin" check "$work/policies"

say "start the server"
"$bin" serve --data-dir "$work/data" --set=storage.disk.directory="$work/policies" \
  --set=server.httpListenAddr=127.0.0.1:0 >"$work/server.log" 2>&1 &
server=$!
address=
until [ -n "$address" ]; do
  kill -0 "$server" || { cat "$work/server.log"; exit 1; }
  sleep 0.1
  address=$(grep -oE 'http://127\.0\.0\.1:[0-9]+' "$work/server.log" | head -1) || true
done
echo "$address"

say "may carol pay 800?"
ask

say "raise the limit to 1000; the running server notices by itself"
before=$(generation)
write_policy 1000
while [ "$(generation)" = "$before" ]; do sleep 0.05; done
ask

say "both decisions are on record"
"$bin" audit list --data-dir "$work/data"

say "and nobody has touched them"
"$bin" audit verify --data-dir "$work/data"
