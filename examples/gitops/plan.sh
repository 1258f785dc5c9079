#!/usr/bin/env bash
# plan.sh FILE OUTDIR: what a pull request would change, for its reviewers and for the merge.
#
# Leaves in OUTDIR plan.json, which apply.sh applies, and comment.md, the text of a comment. The exit code is 0 if there
# is nothing to do, 2 if there is, as of "plan --detailed-exitcode", and 1 if the file is wrong: then the comment says how.
set -euo pipefail
file=$1 out=$2
mkdir -p "$out"
status=0
proxy-manager plan -f "$file" --out "$out/plan.json" --detailed-exitcode >"$out/plan.txt" 2>"$out/errors.txt" || status=$?

# A diff may hold a fence of its own: ours has to be longer than any in it.
fence=$(grep -ohE '`{3,}' "$out/plan.txt" "$out/errors.txt" | sort | tail -n 1 || true)'```'
{
	case $status in
	0) echo "Nothing changes on $(hostname)." ;;
	2) echo "On $(hostname), merging this does:" ;;
	*) echo "There can be no plan:" ;;
	esac
	echo
	echo "${fence}diff"
	cat "$out/plan.txt" "$out/errors.txt"
	echo "$fence"
} >"$out/comment.md"
exit "$status"
