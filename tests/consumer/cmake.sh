#!/bin/sh
# usage: cmake.sh SOURCE STAGE LIBDIR CMAKE CC [CXX]: find_package(yoke) from the installed tree; with
# YOKE_HAS_LOOP=1 in the environment its component "loop" too
set -eux
source=$1 stage=$2 cmake=$4
export CC="$5" CXX="${6:-c++}"
rm -rf "$stage/cmake"
"$cmake" -S "$source/project" -B "$stage/cmake" -DCMAKE_PREFIX_PATH="$stage/prefix" -DCMAKE_BUILD_TYPE=Release \
    -DWITH_LOOP="${YOKE_HAS_LOOP:-0}"
"$cmake" --build "$stage/cmake" --parallel 2
cd "$stage/cmake"
"$(dirname "$cmake")/ctest" --output-on-failure
# The installed command finds its library, and the helper process, in the moved tree.
yoke="$stage/prefix/bin/yoke"
"$yoke" --version
"$yoke" info --no-devices --machine "pack:2 core:2 pu:2" | grep -q '^workers   4'
test -s "$stage/prefix/share/man/man1/yoke.1"
