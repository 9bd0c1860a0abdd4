#!/bin/sh
# Compile the locks: exact versions with the hashes of their files, and nothing about where to get
# them from. That is for each machine's own pip configuration to say.
set -eu
uv=${1:-uv}
export UV_CUSTOM_COMPILE_COMMAND="make lock"
options="--quiet --generate-hashes --no-emit-index-url --no-header --no-annotate"

# shellcheck disable=SC2086
"$uv" pip compile pyproject.toml --all-extras --universal --python-version 3.11 $options \
  --output-file requirements.lock

# The emulator's own image: the same versions, without what only tests and the demo need.
# shellcheck disable=SC2086
"$uv" pip compile pyproject.toml --constraints requirements.lock --python-version 3.11 \
  --python-platform x86_64-manylinux_2_28 $options \
  --output-file images/emulator-environment/requirements.lock

# What old packages published as source need to tell their own dependencies.
constraint=$(mktemp)
trap 'rm -f "$constraint"' EXIT
echo 'setuptools<81' > "$constraint"
for requirements in images/*/requirements.in images/sagemaker-sdk/*/requirements.in \
  tests/sdk/requirements/*.in; do
  # shellcheck disable=SC2086
  "$uv" pip compile "$requirements" --python-version 3.11 \
    --python-platform x86_64-manylinux_2_28 --build-constraints "$constraint" $options \
    --output-file "${requirements%.in}.lock"
done

# Each alone: it comes on top of an environment that has what it needs.
for requirements in images/mxnet/*/requirements.in; do
  # shellcheck disable=SC2086
  "$uv" pip compile "$requirements" --no-deps --python-version 3.11 \
    --python-platform x86_64-manylinux_2_28 $options --output-file "${requirements%.in}.lock"
done
