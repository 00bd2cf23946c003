#!/usr/bin/env bash
# Writes constraints.txt anew: the newest versions that pyproject.toml allows, resolved in a clean virtual environment.
# Run it by `make constraints` on the oldest Python that tpscope supports, so that no pin needs a newer one.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${PYTHON:-python3}
extras='demo,xlsx,test,dev'

version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
oldest=$(sed -n 's/^requires-python = ">=\(.*\)"$/\1/p' pyproject.toml)
if [ "$version" != "$oldest" ]; then
    echo "make constraints: needs Python $oldest, the oldest that is supported, not $version; set PYTHON=python$oldest" >&2
    exit 2
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" -m venv "$folder/venv"
# The bundled setuptools goes, so that the packages that need one at run time get a current one, pinned like the rest.
"$folder/venv/bin/python" -m pip --disable-pip-version-check uninstall --quiet --yes setuptools
# What pyproject.toml asks for, without tpscope itself: nothing is built in the checkout, and pip can resolve the same for
# another Python, which it does from wheels only.
"$folder/venv/bin/python" -c '
import tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
print(*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra), sep="\n")
' >"$folder/direct.txt"
echo "Resolving .[$extras] on Python $version ..."
"$folder/venv/bin/python" -m pip --disable-pip-version-check install --quiet --requirement "$folder/direct.txt"
"$folder/venv/bin/python" -m pip check
"$folder/venv/bin/python" -m pip freeze --all --exclude pip | LC_ALL=C sort --ignore-case >"$folder/pins.txt"

newer=()
for other in 3.12 3.13 3.14; do
    echo "Trying the same pins on Python $other ..."
    if "$folder/venv/bin/python" -m pip --disable-pip-version-check install --quiet --dry-run --ignore-installed \
        --python-version "$other" --only-binary :all: --target "$folder/none" \
        --constraint "$folder/pins.txt" --requirement "$folder/direct.txt"; then
        newer+=("$other")
    else
        echo "make constraints: the pins do not resolve on Python $other" >&2
    fi
done

{
    echo "# Every package that tpscope[$extras] installs, direct or not, resolved together on Python $version."
    echo "# The same pins resolve on: ${newer[*]:-no newer Python}. Renew with \`make constraints\`; never edit by hand."
    cat "$folder/pins.txt"
} >"$folder/constraints.txt"
if grep --extended-regexp --line-number '^-e|@|://' "$folder/constraints.txt"; then
    echo "make constraints: the lines above are no plain pins; constraints.txt is left as it was" >&2
    exit 1
fi
cp "$folder/constraints.txt" constraints.txt
echo "constraints.txt: $(grep --count '==' constraints.txt) pins"
