#!/bin/sh
# Runs the small cases on Oclgrind, which watches every access of every work-item; anything it reports is a failure.
# usage: oclgrind.sh CONFORMANCE [arguments of conformance]; exit 77 without Oclgrind's ICD
set -u
conformance=${1:?usage: oclgrind.sh CONFORMANCE}
shift
library=$(dirname "$(command -v oclgrind)")/../lib/oclgrind/liboclgrind-rt-icd.so
[ -e "$library" ] || { echo "skipped: no $library"; exit 77; }
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/vendors"
echo "$library" > "$folder/vendors/oclgrind.icd"
# The driver itself, by the loader: the wrapper preloads functions, which a library that is opened at run time would miss.
export OCL_ICD_VENDORS="$folder/vendors" OCLGRIND_LOG="$folder/log" YOKE_CACHE_DIR="$folder"
# Its watch over uninitialised values is left out: in version 21.10 that crashes when a thread other than the first launches.
export OCLGRIND_DATA_RACES=1 OCLGRIND_CHECK_API=1
"$conformance" --small --device 0 "$@"
result=$?
if [ -s "$folder/log" ]; then
    echo "Oclgrind reports:"
    head -60 "$folder/log"
    result=1
fi
exit $result
