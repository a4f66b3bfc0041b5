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

#ifdef __cplusplus
}
#endif
#endif
