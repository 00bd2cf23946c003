#!/usr/bin/env bash
# Installs the programs that tests run against, from Debian's packages: Chromium, Java, Maven (it fetches Kafka's jars), the
# old ClickHouse server and docker-compose. What is there already is left alone.
#
#   scripts/test-deps.sh            where nothing can be installed: one line says which tests will be skipped; exit 0
#   scripts/test-deps.sh --strict   where something is still missing: exit 1
#
# NO_APT=1 installs nothing.
set -euo pipefail
strict=0
if [ "${1:-}" = "--strict" ]; then strict=1; fi

declare -A package=(
    [chromium]=chromium
    [java]=default-jre-headless
    [mvn]=maven
    [clickhouse-server]=clickhouse-server
    [docker-compose]=docker-compose
)
declare -A skipped=(
    [chromium]='tests of the pages in a browser'
    [java]='tests with Apache Kafka'
    [mvn]='tests with Apache Kafka'
    [clickhouse-server]='tests with a ClickHouse server'
    [docker-compose]='tests of docker-compose.yml'
)
programs=(chromium java mvn clickhouse-server docker-compose)

present() {
    # A server's program often lies in sbin, which is not on every user's PATH.
    case $1 in
        chromium) [ -n "${TPSCOPE_CHROMIUM:-}" ] || command -v chromium ;;
        *) PATH="$PATH:/usr/sbin:/sbin" command -v "$1" ;;
    esac >/dev/null 2>&1
}

find_missing() {
    missing=()
    local program
    for program in "${programs[@]}"; do
        present "$program" || missing+=("$program")
    done
}

apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get -qq -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 "$@" </dev/null
}

find_missing
if [ ${#missing[@]} -eq 0 ]; then
    echo "Test engines: all here (${programs[*]})."
    exit 0
fi

as_root=()
reason=''
if [ -n "${NO_APT:-}" ]; then
    reason='NO_APT is set'
elif ! command -v apt-get >/dev/null; then
    reason='this is no Debian or Ubuntu'
elif [ "$(id -u)" -ne 0 ]; then
    if sudo -n true 2>/dev/null; then as_root=(sudo -n); else reason='neither root nor sudo without a password'; fi
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
if [ -z "$reason" ]; then
    echo "Test engines: installing ${missing[*]} from Debian's packages (a few minutes when all are new) ..."
    apt update >"$log" 2>&1 || { tail -n 5 "$log" >&2; echo "Test engines: apt-get update failed; trying with the lists at hand." >&2; }
    for program in "${missing[@]}"; do
        # One by one: a release that lacks one of them still gets the others.
        if ! apt install --yes --no-install-recommends "${package[$program]}" >"$log" 2>&1; then
            tail -n 5 "$log" >&2
            reason="apt-get could not install ${package[$program]}"
        fi
    done
    find_missing
fi

if [ ${#missing[@]} -eq 0 ]; then
    echo "Test engines: all here (${programs[*]})."
    exit 0
fi
what=$(for program in "${missing[@]}"; do echo "${skipped[$program]}"; done | sort -u | paste -sd ';' | sed 's/;/, /g')
packages=$(for program in "${missing[@]}"; do echo "${package[$program]}"; done | paste -sd ' ')
echo "Test engines: ${missing[*]} not here (${reason:-still not on PATH}): skipped are $what. To have them: sudo apt-get install $packages" >&2
exit "$strict"
