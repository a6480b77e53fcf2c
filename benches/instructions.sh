#!/usr/bin/env bash
# Instructions that one call takes, stage by stage, and one evaluation of each condition E1 to E6, beside those in
# benches/instructions.txt. Fails if one rose by more than 5 %; asks to renew the file if one fell as much.
#
#   benches/instructions.sh             compare
#   UPDATE=1 benches/instructions.sh    renew the file
#   PATH_BIN=FILE                       count in this program instead of building one
#
# callgrind counts what the program executes: no clock, no cache, no neighbours. What may still differ between machines
# of one architecture is which variant of memcpy and its like the C library and memchr choose: callgrind shows every
# program one CPU, with AVX2 at most; without AVX2 the counts are not those of the file.
set -euo pipefail
cd "$(dirname "$0")/.."
recorded=benches/instructions.txt
architecture=x86_64

skip() { echo "skipped: $1"; exit 0; }
[ "$(uname -m)" = "$architecture" ] || skip "the counts are those of $architecture"
if ! command -v valgrind >/dev/null; then
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || skip "valgrind is missing: install it"
  { apt-get -qq update && apt-get -qq install -y valgrind; } >/dev/null 2>&1 || skip "valgrind cannot be installed"
fi

# A package of its own builds with the features that the server was built with, so only the last step is new.
[ -n "${PATH_BIN:-}" ] || cargo build --quiet --release --locked -p procura-instructions
export PATH_BIN="${PATH_BIN:-${CARGO_TARGET_DIR:-target}/release/path}" PROCURA_BENCH_STORE="$PWD/benches/store"

instructions() { # STAGE SIZE COUNT
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$PATH_BIN" "$@" 2>&1 | awk '/Collected/ {print $4} !/^==/ {print > "/dev/stderr"}'
}

one() { # STAGE SIZE: the difference of two counts is free of start and end
  local first=50 last=250 before after
  before=$(instructions "$@" $first)
  after=$(instructions "$@" $last)
  echo "$@" $(((after - before) / (last - first)))
}
export -f instructions one

fresh=$(mktemp)
trap 'rm -f "$fresh"' EXIT
{
  for size in 1x1 1x4 10x4 scopes; do
    for stage in parse decide record respond whole; do echo "$stage $size"; done
  done
  for condition in E1 E2 E3 E4 E5 E6; do echo "evaluate $condition"; done
} | xargs -P "$(nproc)" -I {} bash -euo pipefail -c 'one {}' | sort -V >"$fresh"

if [ -n "${UPDATE:-}" ]; then
  { echo "# Instructions of one call or condition on $architecture. UPDATE=1 benches/instructions.sh renews this."; cat "$fresh"; } >"$recorded"
fi
awk '
  /^#/ { next }
  FNR == NR { was[$1 " " $2] = $3; next }
  {
    what = $1 " " $2
    if ($3 <= 0) { printf "%-16s was not counted\n", what; broken = 1; next }
    if (!(what in was)) { printf "%-16s is not in the file\n", what; stale = 1; next }
    change = 100 * ($3 - was[what]) / was[what]
    verdict = change > 5 ? "ROSE" : change < -5 ? "fell" : ""
    printf "%-16s %8d -> %8d %+6.1f %% %s\n", what, was[what], $3, change, verdict
    rose += verdict == "ROSE"; stale += verdict == "fell"
  }
  END {
    if (stale) print "renew the file, so that the gain is held: UPDATE=1 benches/instructions.sh"
    if (rose) print "the decision path became slower: mend it, or renew the file and say in the commit why it is worth it"
    exit rose || broken
  }
' "$recorded" "$fresh"
