#!/bin/sh
# usage: faults.sh RANKS.SH MPIEXEC MPI_FAULTS: what happens to ranks that fail is told in time, and by name
ranks=$1 mpiexec=$2 program=$3
failed=0

# expect NAME RANKS STATUS-PATTERN TEXT...: the job ends within 30 s, with such a status, and says the texts
expect() {
    name=$1 count=$2 wanted=$3
    shift 3
    said=$(timeout -k 5 30 "$ranks" "$mpiexec" "$count" "$program" "$name" 2>&1 </dev/null)
    status=$?
    # shellcheck disable=SC2254 # a pattern
    case $status in
    124) echo "$name: not at its end after 30 s" && failed=1 ;;
    $wanted) ;;
    *) echo "$name: exit status $status, not $wanted" && failed=1 ;;
    esac
    for text; do
        echo "$said" | grep -q -e "$text" || { echo "$name: \"$text\" is not said, but: $said" && failed=1; }
    done
}

expect die 3 '[1-9]*' 'rank 1'
expect away 3 3 'rank 0 knows who is away' 'rank 2 knows who is away'
expect single 2 0
expect thread 2 0
exit $failed
