/* Files are read, computed with and written: one after the other, and overlapped. Reading and writing are tasks that
 * block, so they hold no core; each task runs when the one before it is done. The store is slow, as over a network. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/sample.h"
#include "yoke/yoke.h"

YOKE_KERNEL(smooth, (out(float, y), in(float, x)), {
    float value = x[i];
    for (int k = 0; k < 100; k++)
        value = value - 0.1f * (value * value - x[i]);
    y[i] = value;
})

enum { FILES = 8, COUNT = 200000, DELAY_MS = 30 };

typedef struct job {
    char from[64], to[64];
    float *x, *y;
    yoke_future read, computed, written;
} job;

static void wait_for_store(void)
{
    const struct timespec delay = {.tv_nsec = DELAY_MS * 1000000};
    nanosleep(&delay, NULL);
}

static int read_file(void *argument, void *result)
{
    job *j = argument;
    (void)result;
    wait_for_store();
    FILE *file = fopen(j->from, "rb");
    if (file == NULL)
        return YOKE_EIO;
    const size_t count = fread(j->x, sizeof *j->x, COUNT, file);
    return fclose(file) == 0 && count == COUNT ? 0 : YOKE_EIO;
}

static int compute(void *argument, void *result)
{
    job *j = argument;
    (void)result;
    return parallel_map(smooth, COUNT, j->y, j->x); /* on every core */
}

static int write_file(void *argument, void *result)
{
    job *j = argument;
    (void)result;
    wait_for_store();
    FILE *file = fopen(j->to, "wb");
    if (file == NULL)
        return YOKE_EIO;
    const size_t count = fwrite(j->y, sizeof *j->y, COUNT, file);
    return fclose(file) == 0 && count == COUNT ? 0 : YOKE_EIO;
}

static void one_by_one(job *jobs)
{
    for (job *j = jobs; j < jobs + FILES; j++)
        if (read_file(j, NULL) != 0 || compute(j, NULL) != 0 || write_file(j, NULL) != 0)
            fail("a file cannot be read or written");
}

static void overlapped(job *jobs)
{
    yoke_executor *pool = yoke_thread_pool(1);
    if (pool == NULL)
        fail("%s", yoke_error_detail());
    yoke_future *reads[FILES], *computations[FILES], *writes[FILES];
    for (int k = 0; k < FILES; k++) {
        job *j = &jobs[k];
        reads[k] = &j->read;
        computations[k] = &j->computed;
        writes[k] = &j->written;
        const yoke_task_options blocks = {.flags = YOKE_TASK_BLOCKS};
        const yoke_task_options then = {.flags = YOKE_TASK_BLOCKS, .after = &computations[k], .after_count = 1};
        must(yoke_submit_on(pool, &blocks, &j->read, read_file, j));
        must(yoke_submit_after(pool, &j->computed, compute, j, &reads[k], 1));
        must(yoke_submit_on(pool, &then, &j->written, write_file, j));
    }
    must(yoke_gather(writes, FILES, 0)); /* as the reading or computing went, if that failed */
    must(yoke_join(pool, 0));
}

static void make_input(job *jobs, const char *folder)
{
    for (int k = 0; k < FILES; k++) {
        job *j = &jobs[k];
        j->x = grab(COUNT, sizeof *j->x);
        j->y = grab(COUNT, sizeof *j->y);
        (void)snprintf(j->from, sizeof j->from, "%s/%d.in", folder, k);
        (void)snprintf(j->to, sizeof j->to, "%s/%d.out", folder, k);
        for (int i = 0; i < COUNT; i++)
            j->x[i] = (float)(i % 1000 + k) / 1000;
        FILE *file = fopen(j->from, "wb");
        if (file == NULL || fwrite(j->x, sizeof *j->x, COUNT, file) != COUNT || fclose(file) != 0)
            fail("%s cannot be written", j->from);
    }
}

/* Reads the results back and takes them away. */
static float *take_results(const job *jobs)
{
    float *all = grab((size_t)FILES * COUNT, sizeof *all);
    for (int k = 0; k < FILES; k++) {
        FILE *file = fopen(jobs[k].to, "rb");
        if (file == NULL || fread(all + (size_t)k * COUNT, sizeof *all, COUNT, file) != COUNT || fclose(file) != 0)
            fail("%s cannot be read", jobs[k].to);
        (void)unlink(jobs[k].to);
    }
    return all;
}

static void clean_up(job *jobs, const char *folder)
{
    for (int k = 0; k < FILES; k++) {
        (void)unlink(jobs[k].from);
        free(jobs[k].x);
        free(jobs[k].y);
    }
    (void)rmdir(folder);
}

int main(int argc, char **argv)
{
    usage(argc, argv, 0, 0, "usage: overlap\n\nReads, computes and writes files, one by one and overlapped.\n");
    static job jobs[FILES];
    char folder[] = "/tmp/yoke-overlap-XXXXXX";
    if (mkdtemp(folder) == NULL)
        fail("%s cannot be made", folder);
    make_input(jobs, folder);
    const double start = seconds();
    one_by_one(jobs);
    const double serial = seconds() - start;
    float *expected = take_results(jobs);
    const double middle = seconds();
    overlapped(jobs);
    const double together = seconds() - middle;
    float *got = take_results(jobs);
    clean_up(jobs, folder);
    if (memcmp((const char *)expected, (const char *)got, (size_t)FILES * COUNT * sizeof *got) != 0)
        fail("the results differ");
    printf("%d files, %d ms to reach each\n", FILES, DELAY_MS);
    printf("one by one: %.0f ms\noverlapped: %.0f ms\n", 1e3 * serial, 1e3 * together);
    printf("saved: %.0f %% of the time\n", 100 * (1 - together / serial));
    free(expected);
    free(got);
    return 0;
}
