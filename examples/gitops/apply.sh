#!/usr/bin/env bash
# apply.sh OUTDIR: applies the plan that was reviewed, and no other.
#
# Exit code 5 says that the host has changed since: have plan.sh plan again, and somebody look again. 3 says that it failed
# and was undone. The events stay in OUTDIR/events.jsonl.
set -euo pipefail
out=$1
proxy-manager apply "$out/plan.json" --auto-approve --json --lock-timeout 5m | tee "$out/events.jsonl" |
	jq -r 'select(.type == "step_done" or .type == "step_failed") | "\(.type)  \(.step.description)"'
