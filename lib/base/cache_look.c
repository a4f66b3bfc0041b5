/* What users see of the cache folder. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/base/cache.h"
#include "yoke/cache.h"

enum { LEAST_ROOM = 16 << 20 };

/* No descriptor of it is to be had. */
static int why_not(const char *folder, int error)
{
    struct stat what;
    if (lstat(folder, &what) != 0)
        return yoke__fail(YOKE_ESTATE, "%.400s cannot be made: %s; make it, or set YOKE_CACHE_DIR", folder,
                          strerror(error));
    if (!S_ISDIR(what.st_mode))
        return yoke__fail(YOKE_ESTATE, "%.400s is a link or no folder; set YOKE_CACHE_DIR to another one", folder);
    if (!yoke__cache_is_ours(&what))
        return yoke__fail(YOKE_ESTATE,
                          "%.400s belongs to another user, or others may write to it; chmod 700 it, or set "
                          "YOKE_CACHE_DIR",
                          folder);
    return yoke__fail(YOKE_ESTATE, "%.400s cannot be opened: %s", folder, strerror(error));
}

static int check_room(int folder, const char *path)
{
    struct statvfs about;
    if (faccessat(folder, ".", W_OK, AT_EACCESS) != 0)
        return yoke__fail(YOKE_ESTATE, "%.400s cannot be written to: %s; set YOKE_CACHE_DIR to a folder of yours", path,
                          strerror(errno));
    if (fstatvfs(folder, &about) == 0 && (about.f_flag & ST_RDONLY) != 0)
        return yoke__fail(YOKE_ESTATE, "%.400s is on a read-only file system; set YOKE_CACHE_DIR to another folder",
                          path);
    if (fstatvfs(folder, &about) == 0 && (uint64_t)about.f_bavail * about.f_frsize < LEAST_ROOM)
        return yoke__fail(YOKE_ESTATE, "the file system of %.400s is full; make room, or set YOKE_CACHE_DIR", path);
    return YOKE_OK;
}

int yoke_cache_folder(char *path, size_t bytes)
{
    yoke__cache cache;
    if (path == NULL || bytes == 0)
        return yoke__fail(YOKE_EINVAL, "no room for the path of the cache folder");
    yoke__cache_open(&cache);
    const int length = snprintf(path, bytes, "%s", cache.folder);
    if (length < 0 || (size_t)length >= bytes)
        return yoke__fail(YOKE_EOVERFLOW, "the path of the cache folder is longer than %zu bytes", bytes - 1);
    if (length == 0)
        return yoke__fail(YOKE_ESTATE, "nothing is kept: %s",
                          yoke__env("YOKE_CACHE_DIR") != NULL ? "YOKE_CACHE_DIR is no absolute path"
                                                              : "neither YOKE_CACHE_DIR nor HOME is set");
    const int folder = yoke__cache_open_folder(&cache, true);
    if (folder < 0)
        return why_not(cache.folder, errno);
    const int status = check_room(folder, cache.folder);
    (void)close(folder);
    return status;
}

/* --- entries --- */

/* A key is texts with zeros between them: where in it the kernel's name is, and for what it was made. */
static const struct layout {
    const char *kind;
    unsigned kernel, made_on;
} layouts[] = {{"program", 8, 2}, {"model", 1, 0}};

static const char *text_of(const yoke__cache_found *found, unsigned k)
{
    const char *at = found->key, *end = found->key + found->key_bytes;
    while (k > 0 && at < end) {
        const size_t length = strnlen(at, (size_t)(end - at));
        at += length + 1;
        k--;
    }
    return at < end && memchr(at, '\0', (size_t)(end - at)) != NULL ? at : "";
}

static void describe(const yoke__cache_found *found, yoke_cache_entry *entry)
{
    entry->kind = found->kind;
    for (size_t k = 0; k < sizeof layouts / sizeof *layouts; k++)
        if (strcmp(layouts[k].kind, found->kind) == 0) {
            entry->kernel = text_of(found, layouts[k].kernel);
            entry->made_on = text_of(found, layouts[k].made_on);
        }
}

/* "kind-" and 32 digits. */
static bool is_name(const char *name)
{
    const size_t letters = strspn(name, "abcdefghijklmnopqrstuvwxyz");
    return letters > 0 && letters < KIND_LENGTH && name[letters] == '-' &&
           strspn(name + letters + 1, "0123456789abcdef") == 32 && name[letters + 33] == '\0';
}

static int visit_one(int folder, const char *name, int (*visit)(const yoke_cache_entry *, void *), void *argument)
{
    struct stat what;
    yoke__cache_found found = {.key = NULL};
    size_t bytes = 0;
    if (fstatat(folder, name, &what, AT_SYMLINK_NOFOLLOW) != 0)
        return 0;
    yoke_cache_entry entry = {.name = name,
                              .kind = "",
                              .kernel = "",
                              .made_on = "",
                              .bytes = (uint64_t)what.st_size,
                              .written = (int64_t)what.st_mtim.tv_sec};
    unsigned char *all = yoke__cache_read_file(folder, name, &bytes);
    entry.whole = all != NULL && yoke__cache_examine(name, all, bytes, &found);
    if (entry.whole)
        describe(&found, &entry);
    const int stop = visit(&entry, argument);
    yoke__free(all);
    return stop;
}

/* A descriptor of the folder that is used, or ESTATE. */
static int open_used(void)
{
    yoke__cache cache;
    yoke__cache_open(&cache);
    const int folder = yoke__cache_open_folder(&cache, false);
    if (folder < 0)
        return yoke__fail(YOKE_ESTATE, "there is no cache folder that is used; yoke_cache_folder() says why");
    return folder;
}

int yoke_cache_visit(int (*visit)(const yoke_cache_entry *entry, void *argument), void *argument)
{
    if (visit == NULL)
        return yoke__fail(YOKE_EINVAL, "visit is NULL; give a function");
    const int folder = open_used();
    if (folder < 0)
        return folder;
    const int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = again >= 0 ? fdopendir(again) : NULL;
    int stop = 0;
    for (struct dirent *one; listing != NULL && stop == 0 && (one = readdir(listing)) != NULL;)
        if (is_name(one->d_name))
            stop = visit_one(folder, one->d_name, visit, argument);
    if (listing != NULL)
        (void)closedir(listing);
    else if (again >= 0)
        (void)close(again);
    (void)close(folder);
    return stop;
}

int yoke_cache_remove(const char *name)
{
    if (name == NULL || !is_name(name))
        return yoke__fail(YOKE_EINVAL, "no entry of the cache can be called so");
    const int folder = open_used();
    if (folder < 0)
        return folder;
    int status = YOKE_OK;
    if (unlinkat(folder, name, 0) != 0)
        status = errno == ENOENT ? yoke__fail(YOKE_EINVAL, "there is no entry %.80s in the cache", name)
                                 : yoke__fail(YOKE_EIO, "%.80s was not removed: %s", name, strerror(errno));
    (void)close(folder);
    return status;
}

/* --- for the library --- */

typedef struct each {
    const char *kind;
    void (*visit)(const void *key, size_t key_bytes, const void *content, size_t bytes, void *argument);
    void *argument;
} each;

static void pass_on(int folder, const char *name, const each *e)
{
    yoke__cache_found found;
    size_t bytes = 0;
    unsigned char *all = yoke__cache_read_file(folder, name, &bytes);
    if (all != NULL && yoke__cache_examine(name, all, bytes, &found) && strcmp(found.kind, e->kind) == 0)
        e->visit(found.key, found.key_bytes, found.content, found.content_bytes, e->argument);
    yoke__free(all);
}

void yoke__cache_each(const yoke__cache *cache, const char *kind,
                      void (*visit)(const void *key, size_t key_bytes, const void *content, size_t bytes,
                                    void *argument),
                      void *argument)
{
    const each e = {kind, visit, argument};
    const int folder = yoke__cache_open_folder(cache, false);
    const int again = folder >= 0 ? openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    DIR *listing = again >= 0 ? fdopendir(again) : NULL;
    for (struct dirent *one; listing != NULL && (one = readdir(listing)) != NULL;)
        if (is_name(one->d_name) && strncmp(one->d_name, kind, strlen(kind)) == 0)
            pass_on(folder, one->d_name, &e);
    if (listing != NULL)
        (void)closedir(listing);
    else if (again >= 0)
        (void)close(again);
    if (folder >= 0)
        (void)close(folder);
}
