/* A folder of small files that this user alone can write. Whatever is unexpected there (an owner, a link, a size, a bit)
 * means "not found": what is kept can always be made again. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/cache.h"

static const char magic[8] = "yoke\r\n\032";
static const uint64_t seeds[3] = {UINT64_C(0xcbf29ce484222325), UINT64_C(0x9e3779b97f4a7c15),
                                  UINT64_C(0xbf58476d1ce4e5b9)};

/* FNV-1a: every step can be undone, so a change of one byte always shows. */
static uint64_t hash(uint64_t state, const void *bytes, size_t count)
{
    const unsigned char *byte = bytes;
    for (size_t k = 0; k < count; k++)
        state = (state ^ byte[k]) * UINT64_C(0x100000001b3);
    return state;
}

static uint64_t checksum_of(const header *h, const void *key, const void *content)
{
    uint64_t sum = hash(seeds[2], h, offsetof(header, checksum));
    sum = hash(sum, key, (size_t)h->key_bytes);
    return hash(sum, content, (size_t)h->content_bytes);
}

/* --- the folder --- */

/* Absolute, and no "." or "..": with a final "/." or "/" a link would be followed. */
static bool is_plain_path(const char *path)
{
    if (path[0] != '/')
        return false;
    for (const char *at = path; (at = strstr(at, "/.")) != NULL; at++)
        if (at[2] == '\0' || at[2] == '/' || (at[2] == '.' && (at[3] == '\0' || at[3] == '/')))
            return false;
    return true;
}

void yoke__cache_open(yoke__cache *cache)
{
    const char *base = yoke__env("YOKE_CACHE_DIR"), *below = "";
    if (base == NULL && (base = yoke__env("XDG_CACHE_HOME")) != NULL)
        below = "/yoke";
    if (base == NULL && (base = yoke__env("HOME")) != NULL)
        below = "/.cache/yoke";
    cache->folder[0] = '\0';
    if (base == NULL || !is_plain_path(base))
        return;
    int length = snprintf(cache->folder, sizeof cache->folder, "%s%s", base, below);
    if (length < 0 || (size_t)length >= sizeof cache->folder)
        length = 0;
    while (length > 0 && cache->folder[length - 1] == '/')
        length--;
    cache->folder[length] = '\0';
}

/* Makes the folder and the one it is in, when they are missing. */
static void make_folder(const char *path)
{
    char parent[sizeof((yoke__cache *)0)->folder];
    (void)snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    if (slash != NULL && slash != parent) {
        *slash = '\0';
        (void)mkdir(parent, 0700);
    }
    (void)mkdir(path, 0700);
}

bool yoke__cache_is_ours(const struct stat *what)
{
    return what->st_uid == geteuid() && (what->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

int yoke__cache_open_folder(const yoke__cache *cache, bool make)
{
    if (cache->folder[0] == '\0')
        return -1;
    const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    int folder = open(cache->folder, flags);
    if (folder < 0 && errno == ENOENT && make) {
        make_folder(cache->folder);
        folder = open(cache->folder, flags);
    }
    struct stat what;
    if (folder >= 0 && (fstat(folder, &what) != 0 || !yoke__cache_is_ours(&what))) {
        (void)close(folder);
        folder = -1;
    }
    return folder;
}

/* --- one entry --- */

static bool name_entry(char name[NAME_LENGTH], header *h, const char *kind, const void *key, size_t key_bytes)
{
    size_t length = strspn(kind, "abcdefghijklmnopqrstuvwxyz");
    if (length == 0 || length >= KIND_LENGTH || kind[length] != '\0')
        return false;
    *h = (header){.format = FORMAT, .header_bytes = sizeof *h, .key_bytes = key_bytes};
    memcpy(h->magic, magic, sizeof magic);
    memcpy(h->kind, kind, length);
    (void)snprintf(name, NAME_LENGTH, "%s-%016llx%016llx", kind, (unsigned long long)hash(seeds[0], key, key_bytes),
                   (unsigned long long)hash(seeds[1], key, key_bytes));
    return true;
}

unsigned char *yoke__cache_read_file(int folder, const char *name, size_t *bytes)
{
    /* O_NONBLOCK: opening a FIFO must not wait for its writer */
    int file = openat(folder, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    struct stat what;
    unsigned char *all = NULL;
    size_t done = 0;
    if (file >= 0 && fstat(file, &what) == 0 && S_ISREG(what.st_mode) && yoke__cache_is_ours(&what) &&
        what.st_size >= (off_t)sizeof(header) && what.st_size <= CACHE_BYTES_LIMIT)
        all = yoke__alloc((size_t)what.st_size);
    while (all != NULL && done < (size_t)what.st_size) {
        ssize_t got = read(file, all + done, (size_t)what.st_size - done);
        if (got > 0) {
            done += (size_t)got;
        } else if (got == 0 || errno != EINTR) {
            yoke__free(all);
            all = NULL;
        }
    }
    if (file >= 0)
        (void)close(file);
    *bytes = done;
    return all;
}

static bool is_whole(const unsigned char *all, size_t bytes, const header *wanted, const void *key, size_t *content)
{
    header found;
    memcpy(&found, all, sizeof found);
    size_t rest = bytes - sizeof found;
    if (memcmp(&found, wanted, offsetof(header, content_bytes)) != 0 || wanted->key_bytes > rest ||
        found.content_bytes != rest - wanted->key_bytes)
        return false;
    const unsigned char *kept_key = all + sizeof found;
    *content = (size_t)found.content_bytes;
    return found.checksum == checksum_of(&found, kept_key, kept_key + wanted->key_bytes) &&
           (wanted->key_bytes == 0 || memcmp(kept_key, key, (size_t)wanted->key_bytes) == 0);
}

bool yoke__cache_examine(const char *name, const unsigned char *all, size_t bytes, yoke__cache_found *found)
{
    header h;
    char rightly[NAME_LENGTH], kind[KIND_LENGTH];
    *found = (yoke__cache_found){.key = NULL};
    if (bytes < sizeof h)
        return false;
    memcpy(&h, all, sizeof h);
    memcpy(kind, h.kind, sizeof kind);
    kind[KIND_LENGTH - 1] = '\0';
    const size_t key_bytes = (size_t)h.key_bytes;
    const unsigned char *key = all + sizeof h;
    if (h.key_bytes > bytes - sizeof h || !name_entry(rightly, &h, kind, key, key_bytes) ||
        strcmp(rightly, name) != 0 || !is_whole(all, bytes, &h, key, &found->content_bytes))
        return false;
    (void)snprintf(found->kind, sizeof found->kind, "%s", kind);
    found->key = (const char *)key;
    found->key_bytes = key_bytes;
    found->content = key + key_bytes;
    return true;
}

bool yoke__cache_read(const yoke__cache *cache, const char *kind, const void *key, size_t key_bytes, void **content,
                      size_t *bytes)
{
    char name[NAME_LENGTH];
    header wanted;
    if (!name_entry(name, &wanted, kind, key, key_bytes))
        return false;
    int folder = yoke__cache_open_folder(cache, false);
    if (folder < 0)
        return false;
    size_t file_bytes;
    unsigned char *all = yoke__cache_read_file(folder, name, &file_bytes);
    (void)close(folder);
    if (all == NULL || !is_whole(all, file_bytes, &wanted, key, bytes)) {
        yoke__free(all);
        return false;
    }
    memmove(all, all + sizeof wanted + key_bytes, *bytes);
    *content = all;
    return true;
}

/* --- writing --- */

static bool write_all(int file, const void *bytes, size_t count)
{
    const char *from = bytes;
    while (count > 0) {
        ssize_t done = write(file, from, count);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        from += done;
        count -= (size_t)done;
    }
    return true;
}

/* Beyond that limit a write does not only fail: it ends the process with SIGXFSZ. */
static bool fits_limits(size_t bytes)
{
    struct rlimit limit;
    return bytes <= (size_t)CACHE_BYTES_LIMIT && getrlimit(RLIMIT_FSIZE, &limit) == 0 &&
           (limit.rlim_cur == RLIM_INFINITY || bytes <= limit.rlim_cur);
}

typedef struct entry {
    char name[NAME_LENGTH];
    struct timespec written;
} entry;

static int by_age(const void *a, const void *b)
{
    const struct timespec *x = &((const entry *)a)->written, *y = &((const entry *)b)->written;
    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? -1 : 1;
    return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

/* Calls visit for every entry whose name starts so, and counts them. */
static size_t each_entry(int folder, const char *start, void (*visit)(void *context, int folder, const char *name),
                         void *context)
{
    size_t count = 0;
    int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = again >= 0 ? fdopendir(again) : NULL;
    if (listing == NULL && again >= 0)
        (void)close(again);
    for (struct dirent *one; listing != NULL && (one = readdir(listing)) != NULL;) {
        if (strncmp(one->d_name, start, strlen(start)) != 0 || strlen(one->d_name) >= NAME_LENGTH)
            continue;
        count++;
        if (visit != NULL)
            visit(context, folder, one->d_name);
    }
    if (listing != NULL)
        (void)closedir(listing);
    return count;
}

typedef struct roll {
    entry *entry;
    size_t count, capacity;
} roll;

static void enroll(void *context, int folder, const char *name)
{
    roll *r = context;
    struct stat what;
    if (r->count == r->capacity || fstatat(folder, name, &what, AT_SYMLINK_NOFOLLOW) != 0)
        return;
    (void)snprintf(r->entry[r->count].name, NAME_LENGTH, "%s", name);
    r->entry[r->count++].written = what.st_mtim;
}

static void remove_stale(void *context, int folder, const char *name)
{
    struct stat what;
    if (fstatat(folder, name, &what, AT_SYMLINK_NOFOLLOW) == 0 && time(NULL) - what.st_mtime > STALE_SECONDS)
        (void)unlinkat(folder, name, 0);
    (void)context;
}

/* Keeps the folder bounded: of too many entries of a kind the oldest quarter goes, and what dead writers left. */
static void prune(int folder, const char *kind)
{
    char start[KIND_LENGTH + 1];
    (void)snprintf(start, sizeof start, "%s-", kind);
    (void)each_entry(folder, ".new-", remove_stale, NULL);
    size_t count = each_entry(folder, start, NULL, NULL);
    if (count <= ENTRIES_LIMIT)
        return;
    roll r = {yoke__alloc_zeroed(count, sizeof(entry)), 0, count};
    if (r.entry == NULL)
        return;
    (void)each_entry(folder, start, enroll, &r);
    qsort(r.entry, r.count, sizeof *r.entry, by_age);
    for (size_t k = 0; k < r.count && k < count - ENTRIES_LIMIT + ENTRIES_LIMIT / 4; k++)
        (void)unlinkat(folder, r.entry[k].name, 0);
    yoke__free(r.entry);
}

void yoke__cache_write(const yoke__cache *cache, const char *kind, const void *key, size_t key_bytes,
                       const void *content, size_t bytes)
{
    static _Atomic unsigned writers; /* threads of one process */
    char name[NAME_LENGTH], fresh[NAME_LENGTH];
    header h;
    size_t total;
    if (yoke__add_overflows(key_bytes, bytes, &total) || yoke__add_overflows(total, sizeof h, &total) ||
        !fits_limits(total) || !name_entry(name, &h, kind, key, key_bytes))
        return;
    int folder = yoke__cache_open_folder(cache, true);
    if (folder < 0)
        return;
    h.content_bytes = bytes;
    h.checksum = checksum_of(&h, key, content);
    (void)snprintf(fresh, sizeof fresh, ".new-%ld-%u-%llx", (long)getpid(), atomic_fetch_add(&writers, 1),
                   (unsigned long long)yoke__now_ns());
    int file = openat(folder, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file >= 0) {
        bool whole =
            write_all(file, &h, sizeof h) && write_all(file, key, key_bytes) && write_all(file, content, bytes);
        whole &= close(file) == 0;
        if (!whole || renameat(folder, fresh, folder, name) != 0)
            (void)unlinkat(folder, fresh, 0);
        prune(folder, kind);
    }
    (void)close(folder);
}

void yoke__cache_forget(const yoke__cache *cache, const char *kind, const void *key, size_t key_bytes)
{
    char name[NAME_LENGTH];
    header h;
    int folder = name_entry(name, &h, kind, key, key_bytes) ? yoke__cache_open_folder(cache, false) : -1;
    if (folder < 0)
        return;
    (void)unlinkat(folder, name, 0);
    (void)close(folder);
}
