/* The plain headers in the oldest C that they promise to compile in. */
#include <stdio.h>
#include <string.h>
#include <yoke/runtime.h>

int main(void)
{
    printf("yoke %s: %s\n", yoke_version(), yoke_strerror(YOKE_EINVAL));
    return strcmp(yoke_version(), YOKE_VERSION) == 0 ? 0 : 1;
}
