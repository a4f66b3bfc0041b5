#!/bin/sh
# Runs the suite on Intel's OpenCL for CPUs, which the Python package index has; nothing is installed.
# usage: intel.sh CONFORMANCE FOLDER [arguments of conformance]; 220 MB are fetched into FOLDER once; exit 77 without network
set -u
conformance=${1:?usage: intel.sh CONFORMANCE FOLDER}
folder=${2:?usage: intel.sh CONFORMANCE FOLDER}
shift 2
mkdir -p "$folder" && folder=$(cd "$folder" && pwd) || exit 1
if [ ! -e "$folder/fetched" ]; then # unpacked by hand: the files belong to no Python package
    python3 -m pip download --quiet --disable-pip-version-check --no-cache-dir --dest "$folder/wheels" \
        intel-opencl-rt intel-cmplr-lib-rt ||
        { echo "skipped: intel-opencl-rt cannot be fetched"; exit 77; }
    for wheel in "$folder"/wheels/*.whl; do
        python3 -m zipfile -e "$wheel" "$folder/unpacked" || exit 1
    done
    rm -r "$folder/wheels"
    touch "$folder/fetched"
fi
library=$(find "$folder/unpacked" -name libintelocl.so | head -n 1)
[ -n "$library" ] || { echo "skipped: no libintelocl.so in the package"; exit 77; }
libraries=$(dirname "$library")
mkdir -p "$folder/vendors"
echo "$library" > "$folder/vendors/intel.icd"
export OCL_ICD_VENDORS="$folder/vendors" YOKE_CACHE_DIR="$folder/cache"
# The package's own ICD loader stays out of the way.
rm -f "$libraries"/libOpenCL.so*
others=$(find "$folder/unpacked" -type d -name lib | tr '\n' ':')
export LD_LIBRARY_PATH="$others${LD_LIBRARY_PATH:-}"
"$conformance" --devices "$@"
