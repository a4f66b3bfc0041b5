/* Counting 8-bit samples. */
#include "yoke/kernels.h"

YOKE_FUNCTION(yoke_histogram_counts, merged, (yoke_histogram_counts a, const yoke_histogram_counts b), {
    for (int value = 0; value < 256; value++)
        for (int k = 0; k < YOKE_HISTOGRAM_PARTS; k++)
            a.part[value][k] += b.part[value][k];
    return a;
})

YOKE_ACCUMULATE(yoke_histogram, (yoke_histogram_counts, {{{0}}}, merged(a, b)), (in(uint8_t, x)),
                { acc->part[x[i]][i % YOKE_HISTOGRAM_PARTS]++; })
