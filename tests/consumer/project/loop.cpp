// The same in C++.
#include "loop.c"
