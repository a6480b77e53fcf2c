#!/usr/bin/env bash
# A stand-in for an identity provider: it signs security events (RFC 8417) and pushes them (RFC 8935). Needs openssl and curl.
#   idp.sh keys                                    makes its key, and the secret that it shows when it pushes
#   idp.sh session-revoked USER SESSION            this session of this user is over
#   idp.sh device-compliance-change DEVICE STATUS  this device is `compliant` or `not-compliant`
# Its files are below $IDP (default: .idp), the server is at $PDP (default: http://127.0.0.1:3592).
set -euo pipefail

home=${IDP:-.idp}
stream=${PDP:-http://127.0.0.1:3592}/api/signals/streams/idp
caep=https://schemas.openid.net/secevent/caep/event-type

# Without it nobody can tell its events from those of a stranger.
make_keys() {
  mkdir -p "$home"
  umask 077
  openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$home/key.pem"
  local modulus
  modulus=$(openssl rsa -in "$home/key.pem" -noout -modulus | cut -d= -f2 | sed 's/../\\x&/g')
  printf '{"keys":[{"kty":"RSA","use":"sig","alg":"RS256","kid":"idp","e":"AQAB","n":"%s"}]}' \
    "$(printf %b "$modulus" | base64url)" > "$home/jwks.json"
  echo "Bearer $(openssl rand -hex 32)" > "$home/authorization"
}

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d '='; }

# push EVENT SUBJECT PAYLOAD: signs the event and sends it. Whoever gets 202 knows that every later decision knows it.
push() {
  local now header claims content signature
  now=$(date +%s)
  header='{"alg":"RS256","typ":"secevent+jwt","kid":"idp"}'
  claims='{"iss":"https://idp.example/","aud":"https://pdp.example/","iat":'$now',"jti":"'$(openssl rand -hex 16)'",
    "sub_id":'$2',"events":{"'$caep/$1'":'$3'}}'
  content=$(printf %s "$header" | base64url).$(printf %s "$claims" | base64url)
  signature=$(printf %s "$content" | openssl dgst -sha256 -sign "$home/key.pem" -binary | base64url)
  curl -sS -o "$home/answer" -w '%{http_code}' "$stream" -H "Authorization: $(cat "$home/authorization")" \
    -H 'Content-Type: application/secevent+jwt' -d "$content.$signature"
  cat "$home/answer"
  echo
}

case ${1:-} in
  keys) make_keys ;;
  session-revoked)
    push "$1" '{"format":"complex","user":{"format":"iss_sub","iss":"https://idp.example/","sub":"'"$2"'"},
      "session":{"format":"opaque","id":"'"$3"'"}}' \
      '{"initiating_entity":"policy","reason_admin":{"en":"signed in from two continents"}}'
    ;;
  device-compliance-change)
    push "$1" '{"format":"complex","device":{"format":"opaque","id":"'"$2"'"}}' '{"current_status":"'"$3"'"}'
    ;;
  *) sed -n '2,/^set /{/^#/s/^# \?//p}' "$0" >&2; exit 2 ;;
esac
