/* Cases that a user-mode emulator (qemu-user) cannot show: there /proc tells of the emulator's process and threads.
 * tests/CMakeLists.txt sets YOKE_TESTS_EMULATED for builds whose tests run in one. */
#ifndef YOKE_TESTS_EMULATED_H
#define YOKE_TESTS_EMULATED_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static inline bool is_emulated(void)
{
    return getenv("YOKE_TESTS_EMULATED") != NULL;
}

static inline bool emulated(const char *why)
{
    if (!is_emulated())
        return false;
    printf("SKIP: under an emulator %s\n", why);
    fflush(stdout);
    return true;
}

#endif
