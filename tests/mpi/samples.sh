#!/bin/sh
# usage: samples.sh RANKS.SH MPIEXEC FOLDER-OF-SAMPLES: small ones give the same pictures and counts on 1 and 3 ranks
ranks=$1 mpiexec=$2 samples=$3
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
[ -x "$samples/mpi_heat" ] && [ -x "$samples/mpi_monte_carlo" ] || { echo "SKIP: no samples"; exit 77; }
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
try() { # ranks sample arguments; one rank needs no launcher
    count=$1 sample=$2
    shift 2
    if [ "$count" = 1 ]; then "$samples/$sample" "$@"; else "$ranks" "$mpiexec" "$count" "$samples/$sample" "$@"; fi
}
for count in 1 3; do
    try $count mpi_mandelbrot "$folder/m$count.png" 301 203 200 || exit 1
    try $count mpi_heat "$folder/h$count.png" 67 20 || exit 1
    try $count mpi_monte_carlo 3 >"$folder/p$count.txt" || exit 1
done
cmp "$folder/m1.png" "$folder/m3.png" && cmp "$folder/h1.png" "$folder/h3.png" || exit 1
[ "$(cut -d' ' -f2 "$folder/p1.txt")" = "$(cut -d' ' -f2 "$folder/p3.txt")" ] || { cat "$folder"/p*.txt; exit 1; }
"$samples/mpi_heat" 2>&1 | grep -q 'usage: mpirun' || { echo "no usage"; exit 1; }
