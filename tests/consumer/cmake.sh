#!/bin/sh
# usage: cmake.sh SOURCE STAGE LIBDIR CMAKE CC [CXX]: find_package(yoke) from the installed tree
set -eux
source=$1 stage=$2 cmake=$4
export CC="$5" CXX="${6:-c++}"
rm -rf "$stage/cmake"
"$cmake" -S "$source/project" -B "$stage/cmake" -DCMAKE_PREFIX_PATH="$stage/prefix" -DCMAKE_BUILD_TYPE=Release
"$cmake" --build "$stage/cmake" --parallel 2
cd "$stage/cmake"
"$(dirname "$cmake")/ctest" --output-on-failure
