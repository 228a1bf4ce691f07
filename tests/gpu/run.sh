#!/usr/bin/env bash
# Everything that needs a CUDA device, in one command and under ten minutes:
#
#     tests/gpu/run.sh [--out DIR] [--seconds 560] [--only PART …]
#
# It runs from a copy of the tree, with the torch (≥ 2.10) and Python (≥ 3.11) that are there and without
# a package registry: what else is missing is taken from tests/gpu/wheels (`wheels.sh` fetches it). The
# report, Markdown, goes to standard output and to report.md in DIR, or in $OUT; the exit status is not 0
# if a part failed. Where there is no CUDA device it rehearses on the CPU, as far as that can: what needs
# a device is skipped, and says so.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
python=${PYTHON:-python3}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
out=${OUT:-$scratch/report}
mkdir -p "$out"

if ! "$python" "$here/prepare.py" "$scratch/site" >"$scratch/prepared.txt" 2>&1; then
    { echo '# ganlab on a GPU: could not start'; echo; sed 's/^/    /' "$scratch/prepared.txt"; } | tee "$out/report.md"
    exit 1
fi
cat "$scratch/prepared.txt" >&2
export PYTHONPATH="$scratch/site:$here/../..:$here/../../plugins${PYTHONPATH:+:$PYTHONPATH}"
export GANLAB_CACHE="$scratch/cache" PYTHONDONTWRITEBYTECODE=1
"$python" "$here/report.py" --out "$out" "$@"
