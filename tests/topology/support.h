/* What the topology tests share: the helper's path, simulated file trees, a seeded generator. */
#ifndef YOKE_TESTS_TOPOLOGY_SUPPORT_H
#define YOKE_TESTS_TOPOLOGY_SUPPORT_H

#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/base.h"
#include "lib/topology/topology.h"

/* Sanitizers slow code down by an unknown factor. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if !defined(SANITIZED)
#define SANITIZED 0
#endif

/* The build puts the helper one folder above the tests; a variable that is already set wins. */
static inline void use_built_helper(void)
{
    static const char *const candidates[] = {"/../yoke-topology", "/yoke-topology"};
    char self[PATH_MAX], path[PATH_MAX + 32];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length <= 0)
        return;
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    for (size_t k = 0; k < 2; k++) {
        snprintf(path, sizeof path, "%s%s", self, candidates[k]);
        if (access(path, X_OK) == 0)
            setenv("YOKE_TOPOLOGY_HELPER", path, 0);
    }
}

static inline yoke__topology *topology_from(const char *description)
{
    yoke__topology *topology = NULL;
    int status = yoke__topology_from(&topology, description);
    if (status != YOKE_OK)
        fail_msg("%s: %d, %s", description, status, yoke_error_detail());
    return topology;
}

/* A tree of files under a fresh folder. */
typedef struct tree {
    char root[64];
} tree;

static inline tree tree_make(void)
{
    tree made;
    strcpy(made.root, "/tmp/yoke-tree-XXXXXX");
    assert_non_null(mkdtemp(made.root));
    return made;
}

static inline void tree_put(const tree *at, const char *name, const char *content)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s%s", at->root, name);
    for (char *slash = path + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    fclose(file);
}

static inline int tree_remove_one(const char *path, const struct stat *about, int kind, struct FTW *walk)
{
    (void)about, (void)kind, (void)walk;
    return remove(path);
}

static inline void tree_free(const tree *at)
{
    nftw(at->root, tree_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* YOKE_SEED repeats a run. */
static inline uint64_t test_seed(void)
{
    const char *given = getenv("YOKE_SEED");
    uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)yoke__now_ns();
    print_message("YOKE_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

static inline unsigned next_random(uint64_t *state, unsigned below)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned)((*state >> 33) % below);
}

#endif
