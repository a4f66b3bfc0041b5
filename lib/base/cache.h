/* Inside of lib/base: the folder of the cache, for cache.c (its entries) and cache_look.c (what users see of it). */
#ifndef YOKE_BASE_CACHE_H
#define YOKE_BASE_CACHE_H

#include <sys/stat.h>

#include "lib/base/base.h"

enum {
    KIND_LENGTH = 16,
    NAME_LENGTH = 96,
    ENTRIES_LIMIT = 4096, /* of a kind; then the oldest quarter goes */
    STALE_SECONDS = 3600, /* age of a temporary file whose writer must be dead */
    FORMAT = 1,
};
#define CACHE_BYTES_LIMIT ((off_t)256 << 20)

typedef struct header {
    char magic[8];
    uint32_t format; /* also tells the byte order */
    uint32_t header_bytes;
    char kind[KIND_LENGTH];
    uint64_t key_bytes, content_bytes;
    uint64_t checksum; /* of the members above, the key and the content */
} header;

/* A descriptor of the folder, or -1 when there is none that only we can write. */
int yoke__cache_open_folder(const yoke__cache *cache, bool make);
bool yoke__cache_is_ours(const struct stat *what);
/* The whole file, read into memory before anything in it is believed: it may change meanwhile. NULL: it cannot be. */
unsigned char *yoke__cache_read_file(int folder, const char *name, size_t *bytes);

/* What is in a file that was read. */
typedef struct yoke__cache_found {
    char kind[KIND_LENGTH];
    const char *key;
    const unsigned char *content;
    size_t key_bytes, content_bytes;
} yoke__cache_found;
/* False: it is not whole, or no entry under that name. */
bool yoke__cache_examine(const char *name, const unsigned char *all, size_t bytes, yoke__cache_found *found);

#endif
