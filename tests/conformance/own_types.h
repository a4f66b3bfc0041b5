/* Struct types that kernels and references share. No padding: memcmp compares them. */
#ifndef YOKE_TESTS_CONFORMANCE_OWN_TYPES_H
#define YOKE_TESTS_CONFORMANCE_OWN_TYPES_H

#include "yoke/yoke.h"

YOKE_TYPE(particle, {
    double mass;
    float place[3];
    int32_t kind;
})
YOKE_TYPE(mixture, {
    float weight[4];
    int32_t shift;
})
YOKE_TYPE(lowest_highest, {
    int32_t low;
    int32_t high;
})
YOKE_TYPE(bucket_counts, { uint32_t count[16]; })

#endif
