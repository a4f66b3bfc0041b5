#!/bin/sh
# usage: pkg_config.sh SOURCE STAGE LIBDIR CMAKE CC [CXX]: the installed tree through pkg-config, with nothing else
set -eu
source=$1/project stage=$2 libdir=$2/prefix/$3 cc=$5 cxx=${6:-c++}
export PKG_CONFIG_PATH="$libdir/pkgconfig" LD_LIBRARY_PATH="$libdir"
warnings="-Wall -Wextra -Wconversion -Werror"
rm -rf "$stage/pkg_config"
mkdir -p "$stage/pkg_config"
cd "$stage/pkg_config"

flags=$(pkg-config --cflags --libs yoke)
case " $flags" in *" -std="* | *" -O"* | *" -f"*) echo "exported flags meddle with the compiler: $flags" && exit 1 ;; esac

# try NAME COMPILER-AND-FLAGS SOURCE LIBRARIES: build and run
try() {
    echo "$1: $2"
    # shellcheck disable=SC2086 # flags are words
    $2 $warnings "$3" -o "$1" $4
    "./$1"
}

try c11 "$cc -std=c11 -O2" "$source/square.c" "$flags"
try debug "$cc -std=c11 -g" "$source/square.c" "$flags"
try native "$cc -std=c11 -O2 -march=native" "$source/square.c" "$flags"
try gnu11 "$cc -std=gnu11 -O2" "$source/square.c" "$flags"
try cxx17 "$cxx -std=c++17 -O2" "$source/square.cpp" "$flags"
try tasks "$cc -std=c11 -O2" "$source/tasks.c" "$flags"
try tasks_cxx17 "$cxx -std=c++17 -O2" "$source/tasks.cpp" "$flags"
try c99 "$cc -std=c99" "$source/status.c" "$flags"
if [ "${YOKE_HAS_LOOP:-0}" = 1 ]; then
    loop=$(pkg-config --cflags --libs yoke-loop)
    case " $loop" in *" -luv"* | *" -std="*) echo "exported flags of yoke-loop: $loop" && exit 1 ;; esac
    try loop "$cc -std=c11 -O2" "$source/loop.c" "$loop"
    try loop_cxx17 "$cxx -std=c++17 -O2" "$source/loop.cpp" "$loop"
    if ldd ./c11 | grep -q libuv; then echo "a program without the loop needs libuv" && exit 1; fi
fi
if [ "${YOKE_HAS_MPI:-0}" = 1 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
    mpi=$(pkg-config --cflags --libs yoke-mpi | sed 's/-I\([^ ]*mpi[^ ]*\)/-isystem \1/g')
    try mpi "$cc -std=c11 -O2" "$source/mpi.c" "$mpi"
    try mpi_cxx17 "$cxx -std=c++17 -O2 -DOMPI_SKIP_MPICXX -DMPICH_SKIP_MPICXX" "$source/mpi.cpp" "$mpi"
    if ldd ./c11 | grep -q libmpi; then echo "a program without ranks needs MPI" && exit 1; fi
fi
ldd ./c11 | grep -q "$libdir/libyoke.so.1" || { echo "c11 does not use the shared library" && exit 1; }

# Static: the archive is taken by its name, the rest as pkg-config tells.
rest=$(pkg-config --static --cflags --libs yoke | sed "s|-lyoke|-l:libyoke.a|")
try static "$cc -std=c11 -O2" "$source/square.c" "$rest"
if ldd ./static | grep -q libyoke; then echo "static uses the shared library" && exit 1; fi
if [ "${YOKE_HAS_LOOP:-0}" = 1 ]; then
    rest=$(pkg-config --static --cflags --libs yoke-loop | sed "s|-lyoke-loop|-l:libyoke-loop.a|; s|-lyoke\b|-l:libyoke.a|")
    try loop_static "$cc -std=c11 -O2" "$source/loop.c" "$rest"
    if ldd ./loop_static | grep -q libyoke; then echo "loop_static uses a shared library" && exit 1; fi
fi
