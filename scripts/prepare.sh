# SPDX-License-Identifier: Apache-2.0
# Sourced by the other scripts: system packages and the one build that all of them share.
#
# BULKHEAD_BUILD   the build directory (default .build)
# BULKHEAD_WERROR  set: warnings are errors, as in CI. Part of the build's flags, so keep it set or unset.
# shellcheck shell=bash disable=SC2034

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=${BULKHEAD_BUILD:-$root/.build}
bin=$build/release

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "error: $1"
  shift
  for line in "$@"; do say "  $line"; done
  exit 1
}

# Prints the Debian packages that are missing of those named `what:package`: a command, or a pkg-config module.
missing_packages() {
  local pair what package
  for pair in "$@"; do
    what=${pair%%:*}
    package=${pair#*:}
    case $what in
      lib*|sqlite3.pc) pkg-config --exists "${what%.pc}" 2>/dev/null || printf '%s ' "$package" ;;
      *) command -v "$what" >/dev/null || printf '%s ' "$package" ;;
    esac
  done
}

# Installs what is missing when it may, otherwise prints the line to run.
install_packages() {
  local missing apt
  missing=$(missing_packages pkg-config:pkg-config libseccomp:libseccomp-dev \
    sqlite3.pc:libsqlite3-dev python3:python3 node:nodejs)
  [ -n "$missing" ] || return 0
  apt="apt-get install -y --no-install-recommends $missing"
  command -v apt-get >/dev/null || fail "these packages are missing: $missing" \
    "install them, or what this system calls them"
  if [ "$(id -u)" -ne 0 ]; then
    fail "these packages are missing: $missing" "run: sudo apt-get update && sudo $apt"
  fi
  say "installing $missing"
  { apt-get update -q && DEBIAN_FRONTEND=noninteractive $apt; } >&2 ||
    fail "apt could not install them" "run: apt-get update && $apt"
}

need_swift() {
  command -v swift >/dev/null || fail "there is no Swift toolchain" \
    "install Swift 6.2 or later: https://www.swift.org/install/linux/debian/12/"
}

# Builds everything, tests included, in the one configuration there is. A second call finds nothing to do.
build_release() {
  local begin=$SECONDS
  need_swift
  say "building in release mode (the first time takes minutes; progress below)"
  (cd "$root" && swift build -c release --build-tests --scratch-path "$build") >&2 ||
    fail "the build failed" "the compiler's messages are above"
  # Guests start without compiling the SDK. The interpreter they will have, not one of a version manager.
  PATH=/usr/local/bin:/usr/bin:/bin python3 -m compileall -q --invalidation-mode checked-hash \
    "$root/sdk/python/bulkhead" || say "note: the Python SDK was not compiled; guests start more slowly"
  say "built in $((SECONDS - begin)) s"
}
