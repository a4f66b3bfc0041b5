#!/bin/sh
# usage: ranks.sh MPIEXEC RANKS PROGRAM...: runs it on so many ranks of this machine, also as root, also more than there are
# cores, and unbound, so that the ranks divide the cores themselves
mpiexec=$1 ranks=$2
shift 2
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_mpi_yield_when_idle=1 OMPI_MCA_btl_base_warn_component_unused=0
exec "$mpiexec" -n "$ranks" "$@"
