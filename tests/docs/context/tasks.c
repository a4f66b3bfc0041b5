/* Tasks that are submitted to a pool. */
#include <stdio.h>
#include <yoke/yoke.h>

int square(void *argument, void *result);
int square_root(void *argument, void *result);
void tasks(int five, int squared, int *numbers, int *squares);

void tasks(int five, int squared, int *numbers, int *squares)
{
    {
#include "block.c"
    }
}
