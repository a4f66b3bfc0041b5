#!/bin/sh
# Makes the Debian packages of a build, looks at them, unpacks them into an empty place and builds a program, and strangers'
# projects by the scripts named, against that. Nothing is installed.
# usage: packages.sh BUILD STAGE "WAY..." SOURCE LIBDIR CMAKE CC [CXX]; YOKE_HAS_LOOP as in cmake.sh
set -eu
build=$1 stage=$2 ways=$3 source=$4 libdir=$5 cmake=$6 cc=$7
shift 5
for tool in dpkg-deb dpkg-shlibdeps; do
    command -v $tool >/dev/null || { echo "skipped: no $tool here (Debian: dpkg-dev)"; exit 77; }
done
fail() { echo "$*" && exit 1; }

rm -rf "$stage"
mkdir -p "$stage/root"
(cd "$build" && "$(dirname "$cmake")/cpack" -G DEB -B "$stage/packages") >"$stage/cpack.log" 2>&1 ||
    { cat "$stage/cpack.log"; fail "cpack failed"; }
for package in "$stage"/packages/*.deb; do
    dpkg-deb -x "$package" "$stage/root"
    name=$(dpkg-deb -f "$package" Package)
    for file in copyright changelog.gz changelog.Debian.gz; do
        dpkg-deb -c "$package" | grep -q "/doc/$name/$file\$" || fail "$name has no $file"
    done
    dpkg-deb -c "$package" | grep -v '/$' | grep -qv '/share/doc/' || fail "$name is empty; does its install() name the component?"
    echo "$name: $(dpkg-deb -f "$package" Depends)"
done >"$stage/list"
cat "$stage/list"
core=$(sed -n 's/^\(libyoke[0-9]*\): .*/\1/p' "$stage/list")
[ -n "$core" ] || fail "there is no package of the library"
grep -q "^$core: .*libc6 .*libhwloc15" "$stage/list" || fail "$core does not depend on what it uses"
grep -q "^$core: .*libuv" "$stage/list" && fail "$core depends on libuv"
grep -q "^libyoke-dev: $core (= " "$stage/list" || fail "libyoke-dev does not depend on its library"
prefix=$(find "$stage/root" -name include -type d)
ln -s "${prefix%/include}" "$stage/prefix"
export PKG_CONFIG_PATH="$stage/prefix/$libdir/pkgconfig"
# shellcheck disable=SC2046 # flags are words
"$cc" "$source/project/square.c" -o "$stage/square" $(pkg-config --cflags --libs yoke)
LD_LIBRARY_PATH="$stage/prefix/$libdir" "$stage/square"
for way in $ways; do
    sh "$source/$way.sh" "$source" "$stage" "$libdir" "$@"
done
