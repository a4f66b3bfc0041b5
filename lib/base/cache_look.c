/* What users see of the cache folder. */
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
