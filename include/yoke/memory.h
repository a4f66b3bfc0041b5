/* Arrays that Yoke allocates: page-aligned, and shared with devices without a copy where the hardware allows it. */
#ifndef YOKE_MEMORY_H
#define YOKE_MEMORY_H

#include "yoke/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Where the pages of an array go. */
typedef enum yoke_placement {
    YOKE_PLACE_DEFAULT = 0 /**< where they are first touched */
} yoke_placement;

/** Allocates `bytes` of zeroed memory, aligned to a page. Any thread; freed with yoke_free only. 0 bytes give a pointer
 *  that can be freed.
 *  @return NULL with a detail: EINVAL for an unknown placement, EOVERFLOW, ENOMEM. */
YOKE_API void *yoke_alloc(size_t bytes, yoke_placement placement);

/** Frees memory of yoke_alloc, from any thread; NULL is fine. No call may be using it.
 *  @return 0; EINVAL when it is not the start of such memory. */
YOKE_API int yoke_free(void *memory);

#ifdef __cplusplus
}
#endif
#endif
