#!/bin/sh
# Unpacks the AArch64 libraries that Yoke needs into a folder, without installing them and without root: Debian's
# packages of two architectures at once would drag half the system to the same versions.
# usage: aarch64-root.sh FOLDER
set -eu
packages="libhwloc15 libhwloc-dev libudev1 libcmocka0 libcmocka-dev libuv1 libuv1-dev opencl-c-headers"
root=${1:?usage: aarch64-root.sh FOLDER}
[ "$(cat "$root/done" 2>/dev/null)" = "$packages" ] && exit 0
for tool in apt-get dpkg; do
    command -v $tool >/dev/null || { echo "aarch64-root.sh: needs Debian's $tool" >&2; exit 1; }
done
rm -rf "$root"
mkdir -p "$root"
root=$(cd "$root" && pwd)
work=$root/work
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/debs"
: >"$work/status"

apt() {
    apt-get -q -o Dir::State="$work" -o Dir::State::lists="$work/lists" -o Dir::State::status="$work/status" \
        -o Dir::Cache="$work/cache" -o APT::Architecture=arm64 -o APT::Architectures=arm64 \
        -o APT::Sandbox::User= "$@"
}

# shellcheck disable=SC2086 # the list is words
if ! (apt update && cd "$work/debs" && apt download $packages) >"$root/log" 2>&1; then
    tail -n 5 "$root/log" >&2
    echo "aarch64-root.sh: could not fetch $packages for arm64" >&2
    exit 1
fi
for package in "$work"/debs/*.deb; do
    dpkg -x "$package" "$root"
done
rm -rf "$work"
echo "$packages" >"$root/done"
