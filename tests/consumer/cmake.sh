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
