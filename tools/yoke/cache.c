/* yoke cache: what is kept from one run of a program to the next. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <yoke/cache.h>

#include "tools/yoke/tool.h"

typedef struct item {
    char name[96], kind[16], kernel[64], made_on[160];
    uint64_t bytes;
    int64_t written;
    bool whole;
} item;

typedef struct items {
    item *at;
    size_t count, capacity;
    const char *kernel; /* NULL: all */
    bool damaged_only;
} items;

static int collect(const yoke_cache_entry *entry, void *argument)
{
    items *all = argument;
    if ((all->kernel != NULL && strcmp(all->kernel, entry->kernel) != 0) || (all->damaged_only && entry->whole))
        return 0;
    if (all->count == all->capacity) {
        const size_t capacity = all->capacity > 0 ? 2 * all->capacity : 256;
        item *grown = realloc(all->at, capacity * sizeof *grown);
        if (grown == NULL)
            return 1;
        all->at = grown;
        all->capacity = capacity;
    }
    item *one = &all->at[all->count++];
    *one = (item){.bytes = entry->bytes, .written = entry->written, .whole = entry->whole != 0};
    (void)snprintf(one->name, sizeof one->name, "%s", entry->name);
    (void)snprintf(one->kind, sizeof one->kind, "%s", entry->kind);
    (void)snprintf(one->kernel, sizeof one->kernel, "%s", entry->kernel);
    (void)snprintf(one->made_on, sizeof one->made_on, "%.*s", (int)strcspn(entry->made_on, "|"), entry->made_on);
    return 0;
}

static int by_kind_and_kernel(const void *left, const void *right)
{
    const item *a = left, *b = right;
    const int kind = strcmp(a->kind, b->kind), kernel = strcmp(a->kernel, b->kernel);
    return kind != 0 ? kind : kernel != 0 ? kernel : (a->written < b->written) - (a->written > b->written);
}

/* "3 h", "12 d" */
static short_text age_of(int64_t written)
{
    static const struct {
        int64_t seconds;
        const char *unit;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    const int64_t age = (int64_t)time(NULL) - written;
    short_text t = {"now"};
    for (size_t k = 0; k < sizeof units / sizeof *units; k++)
        if (age >= units[k].seconds) {
            (void)snprintf(t.text, sizeof t.text, "%lld %s", (long long)(age / units[k].seconds), units[k].unit);
            break;
        }
    return t;
}

static void print_items(const items *all)
{
    if (all->count > 0)
        printf("%-8s %-28s %9s %8s  %s\n", "kind", "kernel", "size", "age", "made on");
    for (size_t k = 0; k < all->count; k++) {
        const item *one = &all->at[k];
        printf("%-8s %-28.28s %9s %8s  %.42s\n", one->whole ? one->kind : "DAMAGED",
               one->whole ? one->kernel : one->name, tool_bytes((double)one->bytes).text, age_of(one->written).text,
               one->made_on);
    }
}

/* How many are damaged. */
static size_t print_sum(const items *all, const char *folder)
{
    double bytes = 0;
    size_t damaged = 0;
    for (size_t k = 0; k < all->count; k++) {
        bytes += (double)all->at[k].bytes;
        damaged += !all->at[k].whole;
    }
    printf("%s%zu entr%s, %s, in %s\n", all->count > 0 ? "\n" : "", all->count, all->count == 1 ? "y" : "ies",
           tool_bytes(bytes).text, folder);
    return damaged;
}

static int verify(items *all, const char *folder)
{
    const size_t total = all->count;
    size_t damaged = 0;
    for (size_t k = 0; k < total; k++)
        if (!all->at[k].whole)
            all->at[damaged++] = all->at[k];
    if (damaged == 0) {
        printf("all %zu entries in %s are whole\n", total, folder);
        return DONE;
    }
    all->count = damaged;
    print_items(all);
    printf("\n%zu of %zu entries are damaged: they are not used, and made again; yoke cache clear --damaged removes "
           "them\n",
           damaged, total);
    return FAILED;
}

static int clear(const items *all, const char *folder)
{
    double bytes = 0;
    size_t removed = 0;
    int status = DONE;
    for (size_t k = 0; k < all->count; k++) {
        const int result = yoke_cache_remove(all->at[k].name);
        if (result == YOKE_EIO)
            status = tool_fail(&tool_cache, "%s", yoke_error_detail());
        if (result != YOKE_OK)
            continue;
        removed++;
        bytes += (double)all->at[k].bytes;
    }
    printf("%zu entr%s removed from %s, %s\n", removed, removed == 1 ? "y" : "ies", folder, tool_bytes(bytes).text);
    return status;
}

static int run(int count, char **words)
{
    char folder[4096];
    items all = {.count = 0};
    const char *what = NULL;
    for (int k = 1; k < count; k++) {
        if (tool_help(&tool_cache, words[k]))
            return DONE;
        if (strcmp(words[k], "--damaged") == 0)
            all.damaged_only = true;
        else if (words[k][0] == '-' || all.kernel != NULL)
            return tool_misuse(&tool_cache, "unknown argument '%s'", words[k]);
        else if (what == NULL)
            what = words[k];
        else
            all.kernel = words[k];
    }
    what = what != NULL ? what : "list";
    if (strcmp(what, "list") != 0 && strcmp(what, "verify") != 0 && strcmp(what, "clear") != 0)
        return tool_misuse(&tool_cache, "'%s' is none of list, verify and clear", what);
    if (yoke_cache_folder(folder, sizeof folder) != YOKE_OK)
        return tool_fail(&tool_cache, "%s", yoke_error_detail());
    int status = yoke_cache_visit(collect, &all);
    if (status != 0) {
        free(all.at);
        return tool_fail(&tool_cache, "%s", status < 0 ? yoke_error_detail() : "no memory");
    }
    if (all.count > 0)
        qsort(all.at, all.count, sizeof *all.at, by_kind_and_kernel);
    if (strcmp(what, "verify") == 0) {
        status = verify(&all, folder);
    } else if (strcmp(what, "clear") == 0) {
        status = clear(&all, folder);
    } else {
        print_items(&all);
        (void)print_sum(&all, folder);
    }
    free(all.at);
    sink s = {.out = stdout};
    return tool_sink_close(&tool_cache, &s) ? status : FAILED;
}

const command tool_cache = {"cache", "what is kept: kernels compiled for devices, and measurements",
                            "[list | verify | clear] [--damaged] [KERNEL]\n\n"
                            "  list         the entries (the default)\n"
                            "  verify       look for damaged ones; the exit status is 1 when there are any\n"
                            "  clear        remove entries; programs make them again\n"
                            "  --damaged    only those that are not whole\n"
                            "  KERNEL       only those of one kernel\n\n"
                            "YOKE_CACHE_DIR says where it is, else ~/.cache/yoke.\n",
                            run};
