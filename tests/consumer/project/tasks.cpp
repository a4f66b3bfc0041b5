// The same in C++.
#include "tasks.c"
