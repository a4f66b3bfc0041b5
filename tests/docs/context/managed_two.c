#define CHAIN_OF_TWO
#include "managed.c"
