// The same in C++.
#include "mpi.c"
