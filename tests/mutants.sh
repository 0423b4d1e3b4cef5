#!/bin/sh
# Puts faults into merge, absorb and the choice of what is sent, one at a time, and says which ones no test notices.
# Needs `cargo install cargo-mutants --locked`; takes hours for all files, so name some:
#
#     tests/mutants.sh importer/src/merge.rs bundler/src/choose.rs
#
# What is looked at and which tests are run stands in `.cargo/mutants.toml`. Results: $MUTANTS/mutants.out.
set -eu
cd "$(dirname "$0")/.."
MUTANTS="${MUTANTS:-${TMPDIR:-/tmp}/saddlebag-mutants}"
mkdir -p "$MUTANTS"
# A target folder of its own: what is built from changed sources must not be taken for anything else.
export CARGO_TARGET_DIR="$MUTANTS/target" SADDLEBAG_CASES="${SADDLEBAG_CASES:-3}"
# Built for each mutant and run once: what is quick to build is quicker.
export CARGO_PROFILE_DEV_OPT_LEVEL=0 CARGO_PROFILE_DEV_DEBUG=none
set -- $(for file; do printf -- '--file %s ' "$file"; done)
exec nice -n 15 cargo mutants --workspace --jobs 1 --output "$MUTANTS" "$@"
