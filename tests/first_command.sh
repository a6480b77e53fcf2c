#!/usr/bin/env bash
# Starts the server as the README's first command does, without any configuration, and asks it one question.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(realpath "${PROCURA_BIN:-target/release/procura}")
data=$(mktemp -d)
log=$data/server.log
trap 'kill "$server" 2>/dev/null || true; rm -rf "$data"' EXIT

"$bin" serve --data-dir "$data" --set=server.httpListenAddr=127.0.0.1:0 >"$log" 2>&1 &
server=$!
for _ in $(seq 100); do
  address=$(grep -oE 'http://127\.0\.0\.1:[0-9]+' "$log" | head -1) && [ -n "$address" ] && break
  kill -0 "$server" || { cat "$log"; exit 1; }
  sleep 0.1
done
curl -fsS --retry 20 --retry-connrefused --retry-delay 1 "$address/readyz" >/dev/null
answer=$(curl -fsS "$address/api/check/resources" -d '{
  "principal": {"id": "ada", "roles": ["employee"]},
  "resources": [{"actions": ["view"], "resource": {"kind": "leave_request", "id": "LR-1", "attr": {"employee": "ada"}}}]
}')
echo "$answer"
echo "$answer" | grep -q '"view":"EFFECT_ALLOW"'
kill -TERM "$server"
wait "$server"
