#!/usr/bin/env bash
# Installs the real servers that tests talk to, and the browser that they run in, with apt-get, on Debian or Ubuntu;
# nothing where all are there already. What is named here is required when FAIRLEAD_REQUIRE_SERVERS=1 (as .ci/run sets it);
# otherwise tests that need it are skipped where it is missing.
set -euo pipefail

# Debian puts some of them where the PATH of most users does not lead.
PATH="$PATH:/usr/sbin"

# What is looked for, and the package it comes in.
servers=(redis-server:redis-server dnsmasq:dnsmasq-base chromium:chromium)

missing=()
for server in "${servers[@]}"; do
  command -v "${server%%:*}" >/dev/null || missing+=("${server##*:}")
done

if [ "${#missing[@]}" -eq 0 ]; then
  echo "All servers are there."
  exit 0
fi

sudo=""
[ "$(id -u)" -eq 0 ] || sudo="sudo"
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
