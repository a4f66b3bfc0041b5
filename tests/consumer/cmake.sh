#!/bin/sh
# usage: cmake.sh SOURCE STAGE LIBDIR CMAKE CC [CXX]: find_package(yoke) from the installed tree; with
# YOKE_HAS_LOOP=1 and YOKE_HAS_MPI=1 in the environment its components "loop" and "mpi" too
set -eux
source=$1 stage=$2 cmake=$4
export CC="$5" CXX="${6:-c++}"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
components=""
[ "${YOKE_HAS_LOOP:-0}" = 0 ] || components="loop"
[ "${YOKE_HAS_MPI:-0}" = 0 ] || components="$components;mpi"
rm -rf "$stage/cmake"
"$cmake" -S "$source/project" -B "$stage/cmake" -DCMAKE_PREFIX_PATH="$stage/prefix" -DCMAKE_BUILD_TYPE=Release \
    -DCOMPONENTS="$components"
"$cmake" --build "$stage/cmake" --parallel 2
cd "$stage/cmake"
"$(dirname "$cmake")/ctest" --output-on-failure
# The installed command finds its library, and the helper process, in the moved tree.
yoke="$stage/prefix/bin/yoke"
"$yoke" --version
"$yoke" info --no-devices --machine "pack:2 core:2 pu:2" | grep -q '^workers   4'
test -s "$stage/prefix/share/man/man1/yoke.1"
