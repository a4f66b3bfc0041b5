/* The cache folder: kernels compiled for devices, and what was measured of kernels, from one run of a program to the next.
 * All of it can be made again. YOKE_CACHE_DIR says where it is (off: nowhere), else it is yoke in XDG_CACHE_HOME or in
 * ~/.cache. It is used only while nobody else can write to it. */
#ifndef YOKE_CACHE_H
#define YOKE_CACHE_H

#include "yoke/runtime.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Writes the folder's path, which is made if it is not there. Any thread.
 *  @return 0 when it can be used; EINVAL; EOVERFLOW when `bytes` are too few; ESTATE with a detail that says why nothing is
 *          kept: then `path` is the folder that would be used, or "". */
YOKE_API int yoke_cache_folder(char *path, size_t bytes);

/** One file of it; strings are borrowed for the visit. */
typedef struct yoke_cache_entry {
    const char *name;    /**< of the file */
    const char *kind;    /**< "program": compiled for a device; "model": measured; "" where it is not whole */
    const char *kernel;  /**< name of the kernel; "" when it is not known */
    const char *made_on; /**< the device, or the machine; "" when it is not known */
    uint64_t bytes;      /**< of the file */
    int64_t written;     /**< seconds since 1970 */
    int whole;           /**< header, key and checksum fit; others are not used, and made again */
} yoke_cache_entry;

/** Calls visit for every entry, in no order, until it returns other than 0. Other processes may write meanwhile. Any thread.
 *  @return 0, what visit returned, EINVAL, or ESTATE when there is no folder that is used. */
YOKE_API int yoke_cache_visit(int (*visit)(const yoke_cache_entry *entry, void *argument), void *argument);

/** Removes one entry by its file's name. Any thread, also while programs use the cache.
 *  @return 0; EINVAL when no entry is called so; ESTATE as above; EIO. */
YOKE_API int yoke_cache_remove(const char *name);

#ifdef __cplusplus
}
#endif
#endif
