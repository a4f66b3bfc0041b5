#define _GNU_SOURCE
#include "rounds.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "job.h"
#include "numbers.h"
#include "process.h"

#define ROUNDS 9
#define SLOW_ROUNDS 5 /* for calls that take long anyway */
#define QUICK_ROUNDS 3
#define SLOW_SECONDS 0.2
#define MILLISECONDS 30
#define QUICK_MILLISECONDS 12
#define HOT_CALLS 20000u
#define LAUNCHES 2000u    /* the same, of a device or another process */
#define IDLE_SECONDS 0.25 /* per contestant and round, spent in gaps */
#define IDLE_CALLS 40     /* but at least so many calls */
#define ATTEMPTS 3
#define DISTURBED 0.02 /* of a turn spent waiting for a CPU */
#define PATIENCE 120.0
#define PREPARE_PATIENCE 300.0
#define MEMORY_PART 0.6

static struct bench_process processes[BENCH_ENTRIES];

static struct bench_process *process_of(int entry)
{
    return &processes[bench_entry_process(entry)];
}

static void failed(struct bench_result *result, int entry, const char *text)
{
    fprintf(stderr, "bench: %s, %s of %zu: %s\n", bench_entries[entry].name, result->workload->name, result->n, text);
    result->of[entry].state = BENCH_FAILED;
}

static bool takes_part(const struct bench_result *result, int entry)
{
    return (bench_entries[entry].groups & result->plan->groups) != 0 && result->of[entry].state < BENCH_MISSING;
}

/* A process is asked to prepare once, whatever the number of its modes. */
static bool is_first_of_process(const struct bench_result *result, int entry)
{
    for (int k = 0; k < entry; k++)
        if (takes_part(result, k) && bench_entry_process(k) == bench_entry_process(entry))
            return false;
    return true;
}

/* What the kernel could give without swapping; sysconf does not count the page cache. */
static double memory_available(void)
{
    char line[128];
    double kilobytes = 0.0;
    FILE *file = fopen("/proc/meminfo", "r");
    if (file == NULL)
        return 0.0;
    while (fgets(line, sizeof line, file) != NULL && sscanf(line, "MemAvailable: %lf", &kilobytes) != 1)
        continue;
    fclose(file);
    return kilobytes * 1024;
}

static bool memory_suffices(const struct bench_result *result)
{
    const struct bench_workload *workload = result->workload;
    int count = 0;
    for (int k = 0; k < BENCH_ENTRIES; k++)
        count += takes_part(result, k) && is_first_of_process(result, k);
    double need = (double)count * (double)(workload->inputs + workload->outputs) * (double)workload->item_bytes *
                  (double)result->n;
    double have = memory_available();
    if (need <= MEMORY_PART * have)
        return true;
    fprintf(stderr, "bench: %s of %zu left out: needs %.1f GB, %.1f GB are free\n", workload->name, result->n,
            need * 1e-9, have * 1e-9);
    return false;
}

static void prepare(const struct bench_settings *settings, struct bench_result *result)
{
    char question[96], text[256];
    snprintf(question, sizeof question, "prepare %s %zu\n", result->workload->name, result->n);
    for (int k = 0; k < BENCH_ENTRIES; k++) {
        if (!takes_part(result, k))
            continue;
        struct bench_process *process = process_of(k);
        if (process->pid == 0 &&
            !bench_process_start(process, settings->directory, bench_entries[k].program, bench_entries[k].environment))
            fprintf(stderr, "bench: no %s here: goes on without %s\n", bench_entries[k].program, bench_entries[k].name);
        enum bench_answer answer = BENCH_OK;
        if (process->pid > 0 && is_first_of_process(result, k))
            answer = bench_process_ask(process, question, text, sizeof text, PREPARE_PATIENCE);
        if (process->pid < 0 || answer == BENCH_NONE) /* which says itself why it does nothing here */
            result->of[k].state = BENCH_MISSING;
        else if (answer != BENCH_OK)
            failed(result, k, text);
    }
}

static void give_back(struct bench_result *result)
{
    char text[256];
    for (int k = 0; k < BENCH_ENTRIES; k++)
        if ((bench_entries[k].groups & result->plan->groups) != 0 && process_of(k)->pid > 0)
            bench_process_ask(process_of(k), "free\n", text, sizeof text, PATIENCE);
}

static int parse_sums(const char *text, double *sums)
{
    char *next;
    long count = strtol(text, &next, 10);
    for (long k = 0; k < count && k < BENCH_CHECKSUMS; k++)
        sums[k] = strtod(next, &next);
    return count <= BENCH_CHECKSUMS ? (int)count : 0;
}

/* Each part against the reference's, relative to it or to the mean of all, so that a part near 0 may differ a little. */
static bool sums_agree(const double *sums, const double *reference, int count, double tolerance)
{
    double mean = 0.0;
    for (int k = 0; k < count; k++)
        mean += fabs(reference[k]) / count;
    for (int k = 0; k < count; k++)
        if (!(fabs(sums[k] - reference[k]) <= tolerance * fmax(mean, fabs(reference[k]))))
            return false;
    return true;
}

/* A limit of another workload than its own (a copy, say, for exp) has nothing to be compared. */
static bool has_to_agree(const struct bench_result *result, int entry)
{
    enum bench_kind kind = result->workload->kind;
    return bench_entries[entry].role != BENCH_LIMIT || kind == BENCH_COPY || kind == BENCH_TRIAD || kind == BENCH_SUM ||
           kind == BENCH_DOT;
}

/* Everybody against the first, which is the serial loop where that takes part. */
static void check(struct bench_result *result)
{
    double sums[BENCH_CHECKSUMS], reference[BENCH_CHECKSUMS];
    int expected = 0;
    char text[4096], question[64];
    for (int k = 0; k < BENCH_ENTRIES; k++) {
        if (!takes_part(result, k))
            continue;
        snprintf(question, sizeof question, "check %s\n", bench_entries[k].mode);
        enum bench_answer answer = bench_process_ask(process_of(k), question, text, sizeof text, PATIENCE);
        if (answer == BENCH_BROKEN)
            failed(result, k, text);
        if (answer != BENCH_OK)
            continue;
        int count = parse_sums(text, sums);
        result->of[k].state = BENCH_MEASURED;
        if (expected == 0) {
            expected = count;
            memcpy(reference, sums, sizeof reference);
        } else if (has_to_agree(result, k) &&
                   (count != expected || !sums_agree(sums, reference, count, result->workload->tolerance))) {
            fprintf(stderr, "bench: %s computes %s of %zu wrongly\n", bench_entries[k].name, result->workload->name,
                    result->n);
            result->of[k].state = BENCH_WRONG;
        }
    }
}

static size_t gap_calls(const struct bench_settings *settings, const struct bench_plan *plan)
{
    const long gap = plan->gap;
    if (gap == 0)
        return ((plan->groups & (BENCH_OPENCL | BENCH_PROCESS_POOLS)) != 0 ? LAUNCHES : HOT_CALLS) /
               (settings->quick ? 4u : 1u);
    size_t calls = (size_t)fmax(IDLE_CALLS, IDLE_SECONDS * 1e6 / (double)gap);
    return settings->quick ? calls / 2 : calls;
}

struct turn {
    double seconds, p99, counted, idle;
};

/* True with the contestant's numbers; else it is out of this case. */
static bool one_turn(struct bench_result *result, int entry, const char *question, int fields, struct turn *turn)
{
    char text[256];
    enum bench_answer answer = bench_process_ask(process_of(entry), question, text, sizeof text, PATIENCE);
    if (answer == BENCH_NONE)
        result->of[entry].state = BENCH_ABSENT;
    else if (answer == BENCH_BROKEN ||
             sscanf(text, "%lf %lf %lf %lf", &turn->seconds, &turn->p99, &turn->counted, &turn->idle) != fields)
        failed(result, entry, text);
    return result->of[entry].state == BENCH_MEASURED;
}

/* A turn in which threads waited for a CPU that other programs had is tried again, and the fastest counts: the same
 * for all contestants. */
static void one_round(const struct bench_settings *settings, struct bench_result *result, int entry, int round)
{
    char question[96];
    const char *mode = bench_entries[entry].mode;
    bool single = result->plan->gap != BENCH_THROUGHPUT;
    if (single)
        snprintf(question, sizeof question, "gaps %s %ld %zu\n", mode, result->plan->gap,
                 gap_calls(settings, result->plan));
    else
        snprintf(question, sizeof question, "run %s %d\n", mode, settings->quick ? QUICK_MILLISECONDS : MILLISECONDS);
    struct bench_measurement *measurement = &result->of[entry];
    double fastest = INFINITY, disturbed = 1.0, took = 0.0;
    for (int attempt = 0; attempt < ATTEMPTS && disturbed > DISTURBED && took < SLOW_SECONDS; attempt++) {
        struct turn turn = {0};
        double start = bench_seconds(CLOCK_MONOTONIC), waited = bench_process_waited(process_of(entry));
        if (!one_turn(result, entry, question, single ? 4 : 1, &turn))
            return;
        took = bench_seconds(CLOCK_MONOTONIC) - start;
        disturbed = (bench_process_waited(process_of(entry)) - waited) / took;
        if (attempt > 0 && !(turn.seconds < fastest))
            continue;
        fastest = fmin(turn.seconds, INFINITY);
        measurement->seconds[round] = turn.seconds;
        measurement->p99[round] = turn.p99;
        measurement->counted = turn.counted;
        measurement->idle[round] = turn.idle;
    }
}

static int rounds_of(const struct bench_settings *settings, const struct bench_result *result)
{
    if (settings->rounds > 0)
        return settings->rounds;
    if (settings->quick)
        return QUICK_ROUNDS;
    double slowest = 0.0;
    for (int k = 0; k < BENCH_ENTRIES; k++)
        if (result->of[k].state == BENCH_MEASURED)
            slowest = fmax(slowest, result->of[k].seconds[0]);
    return slowest > SLOW_SECONDS || result->plan->gap > 0 ? SLOW_ROUNDS : ROUNDS;
}

int bench_measure(const struct bench_settings *settings, const struct bench_plan *plan, size_t n,
                  struct bench_result *result)
{
    memset(result, 0, sizeof *result);
    result->plan = plan;
    result->workload = bench_workload_find(plan->workload);
    result->n = n;
    if (!memory_suffices(result))
        return -1;
    prepare(settings, result);
    check(result);
    int rounds = 1;
    for (int round = 0; round < rounds; round++) {
        for (int turn = 0; turn < BENCH_ENTRIES; turn++) {
            int entry = (turn + round * 3) % BENCH_ENTRIES;
            if (result->of[entry].state == BENCH_MEASURED)
                one_round(settings, result, entry, round);
        }
        if (round == 0)
            rounds = rounds_of(settings, result);
    }
    result->rounds = rounds;
    give_back(result);
    return 0;
}

void bench_measure_end(void)
{
    for (int k = 0; k < BENCH_ENTRIES; k++)
        bench_process_end(&processes[k]);
}

static const double *series(const struct bench_result *result, int entry, enum bench_part part)
{
    const struct bench_measurement *of = &result->of[entry];
    return part == BENCH_P50 ? of->seconds : part == BENCH_P99 ? of->p99 : of->idle;
}

static bool measured(const struct bench_result *result, int entry)
{
    return entry >= 0 && result->of[entry].state == BENCH_MEASURED;
}

/* In a round in which no call counted there is nothing to compare. */
static size_t without_nan(double *values, int count)
{
    size_t kept = 0;
    for (int k = 0; k < count; k++)
        if (!isnan(values[k]))
            values[kept++] = values[k];
    return kept;
}

double bench_median(const struct bench_result *result, int entry, enum bench_part part)
{
    double values[BENCH_MAX_ROUNDS];
    if (!measured(result, entry))
        return NAN;
    memcpy(values, series(result, entry, part), sizeof values);
    return bench_quantile(values, without_nan(values, result->rounds), 0.5);
}

struct bench_ratio bench_paired(const struct bench_result *result, int mine, int other, enum bench_part part)
{
    double values[BENCH_MAX_ROUNDS];
    if (!measured(result, mine) || !measured(result, other))
        return (struct bench_ratio){NAN, NAN, NAN};
    const double *own = series(result, mine, part), *theirs = series(result, other, part);
    for (int k = 0; k < result->rounds; k++)
        values[k] = theirs[k] / own[k];
    size_t count = without_nan(values, result->rounds);
    double low = bench_quantile(values, count, 0.25), high = bench_quantile(values, count, 0.75);
    return (struct bench_ratio){low, bench_quantile(values, count, 0.5), high};
}

int bench_best(const struct bench_result *result, enum bench_role role, int mine, enum bench_part part)
{
    int best = -1;
    double least = INFINITY;
    for (int k = 0; k < BENCH_ENTRIES; k++) {
        if (bench_entries[k].role != role || !measured(result, k))
            continue;
        double value =
            measured(result, mine) ? bench_paired(result, mine, k, part).median : bench_median(result, k, part);
        if (value < least) {
            least = value;
            best = k;
        }
    }
    return best;
}
