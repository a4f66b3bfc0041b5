#!/bin/sh
# usage: hosts.sh WIRE MPIEXEC RANKS DELAY PROGRAM...: runs it on so many ranks of each of two hosts that are namespaces of this
# machine, DELAY microseconds apart: by netem where the kernel has it, else by WIRE. Everything is in namespaces of its own,
# which end with their processes; so does what is left of them when this script is killed.
skip() {
    echo "SKIP: $*"
    exit 77
}
PATH=$PATH:/usr/sbin:/sbin
if [ "$1" != inside ]; then
    for tool in unshare nsenter ip tc; do
        command -v $tool >/dev/null || skip "no $tool (Debian: util-linux, iproute2)"
    done
    new="unshare --net --uts --mount --pid --fork --kill-child --mount-proc"
    [ "$(id -u)" = 0 ] || new="$new --user --map-root-user"
    $new true 2>/dev/null || skip "no namespaces: needs root, or namespaces for users"
    folder=$(mktemp -d) || exit 1
    trap 'kill -9 "$all" 2>/dev/null; rm -rf "$folder"' EXIT
    trap 'exit 1' HUP INT TERM
    TMPDIR=$folder $new sh "$0" inside "$@" &
    all=$!
    wait $all
    exit
fi

# On host a, whose first process this is.
wire=$2 mpiexec=$3 ranks=$4 delay=$5
shift 5
on_b() { nsenter --target "$b" --net --uts "$@"; }
up() { # on_b or nothing, address
    $1 ip link set lo up && $1 ip addr add "$2/24" dev yoke && $1 ip link set yoke up
}
hostname yoke-a
unshare --net --uts sleep 600 &
b=$!
until [ "$(readlink /proc/self/ns/net)" != "$(readlink "/proc/$b/ns/net")" ]; do sleep 0.01; done
on_b hostname yoke-b || skip "no second host"
if tc qdisc add dev lo root netem delay 1ms 2>/dev/null; then
    tc qdisc del dev lo root
    ip link add yoke type veth peer name yoke netns "$b" || skip "no veth"
    tc qdisc add dev yoke root netem delay "${delay}us" && on_b tc qdisc add dev yoke root netem delay "${delay}us" ||
        exit 1
else
    "$wire" "$delay" "$b" &
    wire=$!
    until on_b ip link show yoke >/dev/null 2>&1; do
        kill -0 $wire 2>/dev/null || skip "neither netem nor /dev/net/tun"
        sleep 0.01
    done
fi
up "" 10.77.0.1 && up on_b 10.77.0.2 || skip "no addresses"
printf '#!/bin/sh\nshift\nexec nsenter --target %s --net --uts sh -c "$*"\n' "$b" >"$TMPDIR/agent"
chmod +x "$TMPDIR/agent"

export OMPI_MCA_plm_rsh_agent="$TMPDIR/agent" OMPI_MCA_orte_tmpdir_base="$TMPDIR" OMPI_MCA_btl=tcp,self
export OMPI_MCA_btl_tcp_if_include=10.77.0.0/24 OMPI_MCA_oob_tcp_if_include=10.77.0.0/24
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1
"$mpiexec" --host "10.77.0.1:$ranks,10.77.0.2:$ranks" -n $((2 * ranks)) "$@"
