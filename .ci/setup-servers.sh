#!/usr/bin/env bash
# Installs the real servers that tests talk to, with apt-get, on Debian or Ubuntu.
# The list is empty: every test so far starts its own backends inside Node.
# Later: a server named here is required when FAIRLEAD_REQUIRE_SERVERS=1 (as .ci/run sets it);
# otherwise tests that need it are skipped where it is missing.
set -euo pipefail

servers=()

if [ "${#servers[@]}" -eq 0 ]; then
  echo "No servers needed."
  exit 0
fi

sudo=""
[ "$(id -u)" -eq 0 ] || sudo="sudo"
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${servers[@]}"
