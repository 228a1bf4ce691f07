#!/usr/bin/env bash
# Fetch what a machine with torch may lack, on one that reaches a package registry:
#
#     tests/gpu/wheels.sh [--python "3.11 3.12 3.13"] [PACKAGE …]
#
# The wheels go into tests/gpu/wheels, which git ignores, and `run.sh` takes from there what is missing.
# Torch is none of them. Name packages to fetch others than what is usually missing, as in
# `tests/gpu/wheels.sh numpy scipy pillow`: these three take much room, and torch seldom comes without.
set -euo pipefail
cd "$(dirname "$0")"

pythons="3.11 3.12 3.13"
if [ "${1:-}" = --python ]; then
    pythons=$2
    shift 2
fi
packages=("$@")
if [ $# -eq 0 ]; then
    packages=(
        pydantic pluggy click rich tomli-w safetensors filelock platformdirs      # ganlab's own
        tensorboard absl-py markdown protobuf werkzeug                            # event files
        pytest hypothesis                                                         # tests
    )
fi
for python in $pythons; do
    platforms=(--platform manylinux2014_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux_2_28_x86_64)
    # Their own needs come along where they are small: all but the numbers and the servers of TensorBoard.
    for package in "${packages[@]}"; do
        needs=()
        case $package in tensorboard) needs=(--no-deps) ;; esac
        "${PIP_PYTHON:-python3}" -m pip download --quiet --quiet --disable-pip-version-check --only-binary=:all: \
            --implementation cp --python-version "$python" "${platforms[@]}" "${needs[@]}" \
            --dest wheels "$package"
    done
done
size=$(du -sm wheels | cut -f1)
echo "$(ls wheels | wc -l) wheels, $size MiB in tests/gpu/wheels"
if [ "$size" -gt 64 ]; then
    echo "that is more than 64 MiB: name fewer packages, or one --python" >&2
    exit 1
fi
