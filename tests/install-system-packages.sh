#!/usr/bin/env bash
# Installs the system packages that the tests use, or says what will be skipped without them.
#
#   tests/install-system-packages.sh [PACKAGE...]     (no PACKAGE: all of them)
#
# Needs root on Debian or Ubuntu to install anything. Elsewhere it explains and succeeds: the tests
# themselves skip, or fail where CI is set, when a server is missing.
set -euo pipefail

packages=("$@")
if [ ${#packages[@]} -eq 0 ]; then
    packages=(postgresql pgbouncer mariadb-server iproute2 procps python3-venv)
    # For le-staging: an ACME server, the clients it is compared with, servers with STARTTLS.
    packages+=(pebble curl openssl dovecot-imapd dovecot-pop3d slapd)
    packages+=(dovecot-managesieved prosody nodejs default-jre-headless git golang-go ruby)
    # For the model of the lock.
    packages+=(spin)
    # For chaos: a clock that steps, and names that are not found.
    packages+=(libfaketime libnss-wrapper)
    # For pause: other architectures, tools for images and containers, a C compiler, prlimit.
    packages+=(qemu-user-static skopeo umoci runc buildah gcc util-linux)
    # For debug: a proxy that wants a log-in, TLS before it, and one that speaks SOCKS.
    packages+=(tinyproxy stunnel4 microsocks)
    # For completion: shells besides bash. For man pages: a reader, and linters.
    packages+=(zsh fish bash-completion man-db groff mandoc)
    # For a Kubernetes cluster, whose own programs are built: a network and images for its pods.
    packages+=(containernetworking-plugins busybox-static)
    # For debug: the programs that need a profile.
    packages+=(strace gdb tcpdump)
    # For le-staging in browsers: a screen, its windows, certificates, and a desktop's tools.
    packages+=(chromium firefox-esr libnss3-tools xvfb x11-utils weston)
    packages+=(desktop-file-utils gtk-update-icon-cache libglib2.0-bin)
fi

say() { printf '%s\n' "$*" >&2; }

installed() { [ "$(dpkg-query --show --showformat '${db:Status-Abbrev}' "$1" 2>/dev/null)" = "ii " ]; }

if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    say "This is no Debian: please install yourself what stands for: ${packages[*]}"
    say "Tests that need a missing server are skipped."
    exit 0
fi

missing=()
for package in "${packages[@]}"; do
    installed "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    say "Not installed: ${missing[*]}. Tests that need them are skipped. To run them too:"
    say "    sudo $0"
    exit 0
fi

# Debian starts a server as soon as it is installed. The tests start their own, so nothing should run
# beside them: policy-rc.d is Debian's own way to say so, here for the time of the installation only.
log=$(mktemp)
temporary=("$log")
trap 'rm -f "${temporary[@]}"' EXIT
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    temporary+=("$policy")
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
apt=(apt-get --quiet --quiet --yes -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300)

try() { # try COMMAND...: three times, since mirrors and locks fail for a moment now and then
    local attempt
    for attempt in 1 2 3; do
        "$@" >"$log" 2>&1 && return
        say "Attempt $attempt of 3 failed: $*"
        sleep $((attempt * 2))
    done
    cat "$log" >&2
    return 1
}

say "Installing ${missing[*]} (a minute or two) ..."
try "${apt[@]}" update
try "${apt[@]}" install --no-install-recommends "${missing[@]}"
