#include "report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tasks.h"

#define COLUMN 9

const char *bench_time(double seconds, char text[BENCH_TIME_SIZE])
{
    static const struct {
        double unit;
        const char *name;
    } units[] = {{1e-9, "ns"}, {1e-6, "us"}, {1e-3, "ms"}, {1.0, "s"}};
    size_t k = 0;
    if (isnan(seconds)) {
        snprintf(text, BENCH_TIME_SIZE, "-");
        return text;
    }
    while (k < 3 && fabs(seconds) >= 999.5 * units[k].unit)
        k++;
    double value = seconds / units[k].unit;
    snprintf(text, BENCH_TIME_SIZE, "%.*f%s",
             fabs(value) < 9.995   ? 2
             : fabs(value) < 99.95 ? 1
                                   : 0,
             value, units[k].name);
    return text;
}

const char *bench_size(size_t n, char text[BENCH_TIME_SIZE])
{
    size_t rest = n, power = 0;
    while (rest >= 10 && rest % 10 == 0) {
        rest /= 10;
        power++;
    }
    if (rest < 10 && power > 3)
        snprintf(text, BENCH_TIME_SIZE, "%zue%zu", rest, power);
    else
        snprintf(text, BENCH_TIME_SIZE, "%zu", n);
    return text;
}

/* The one of Yoke's entries that ratios in this group are against. */
static int entry_of_yoke(unsigned groups)
{
    return bench_entry_find((groups & BENCH_OPENCL) != 0          ? "yoke_opencl"
                            : (groups & BENCH_PROCESS_POOLS) != 0 ? "yoke_processes"
                            : (groups & BENCH_ANY_TASKS) != 0     ? "tasks_yoke"
                                                                  : "yoke");
}

static const char *const columns[] = {"serial", "omp_gcc", "omp_clang", "tbb_static", "tbb_affinity", "yoke"};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

static const char *const state_names[] = {"absent", "measured", "missing", "WRONG", "FAILED"};

static bool is_column(int entry)
{
    for (int k = 0; k < COLUMNS; k++)
        if (strcmp(columns[k], bench_entries[entry].name) == 0)
            return true;
    return false;
}

void bench_report_head(bool tasks)
{
    printf("Medians per call; ratios are medians of paired ones, theirs / Yoke's: above 1 Yoke is faster.\n\n");
    if (tasks) {
        printf("Each: time per task, or per item of a map. Beyond work: the same less an even share of the\n"
               "serial time. A microsecond of work is %s dependent steps.\n\n",
               getenv("BENCH_SPIN"));
        printf("%-16s %8s %-9s %9s %9s %11s %9s %15s\n", "workload", "n", "calls", "time", "each", "beyond work",
               "ratio", "quartiles");
        return;
    }
    printf("%-16s %8s %-9s", "workload", "n", "calls");
    for (int k = 0; k < COLUMNS; k++)
        printf(" %12s", columns[k]);
    printf("  %-13s %6s %13s %7s %6s\n", "best peer", "ratio", "quartiles", "serial", "limit");
}

static void print_ratio(double value, int width)
{
    if (isnan(value))
        printf(" %*s", width, "-");
    else
        printf(" %*.*f", width, value < 99.5 ? 2 : 0, value);
}

/* What a gap means, and the part of single calls that a line is about. */
static void print_name(const struct bench_result *result, enum bench_part part)
{
    char size[BENCH_TIME_SIZE], calls[32] = "";
    long gap = result->plan->gap;
    if (gap == 0)
        snprintf(calls, sizeof calls, "hot %s", part == BENCH_P99 ? "p99" : "p50");
    else if (gap > 0)
        snprintf(calls, sizeof calls, "%ldms %s", gap / 1000, part == BENCH_P99 ? "p99" : "p50");
    printf("%-16s %8s %-9s", result->workload->name, bench_size(result->n, size), calls);
}

/* Fraction of the limit that Yoke reaches. */
static double limit_fraction(const struct bench_result *result, int mine)
{
    return bench_paired(result, mine, bench_best(result, BENCH_LIMIT, mine, BENCH_P50), BENCH_P50).median;
}

/* All, or those that have no column. */
static void print_others(const struct bench_result *result, enum bench_part part, bool all)
{
    char text[BENCH_TIME_SIZE];
    int printed = 0;
    for (int k = 0; k < BENCH_ENTRIES; k++) {
        if ((is_column(k) && !all) || result->of[k].state != BENCH_MEASURED)
            continue;
        printf("%s%s %s",
               printed++ > 0 ? ", "
               : all         ? "    "
                             : "    also: ",
               bench_entries[k].name, bench_time(bench_median(result, k, part), text));
        if (result->plan->gap != BENCH_THROUGHPUT && result->of[k].counted < 1)
            printf(" (%.1f%% of its calls)", 100 * result->of[k].counted);
    }
    if (printed > 0)
        printf("\n");
}

static void print_part(const struct bench_result *result, enum bench_part part)
{
    char text[BENCH_TIME_SIZE];
    int mine = bench_entry_find("yoke");
    int peer = bench_best(result, BENCH_PEER, mine, part);
    print_name(result, part);
    for (int k = 0; k < COLUMNS; k++) {
        int entry = bench_entry_find(columns[k]);
        enum bench_state state = result->of[entry].state;
        const char *shown =
            state >= BENCH_WRONG ? state_names[state] : bench_time(bench_median(result, entry, part), text);
        printf(" %12s", shown);
    }
    struct bench_ratio ratio = bench_paired(result, mine, peer, part);
    printf("  %-13s", peer >= 0 ? bench_entries[peer].name : "-");
    print_ratio(ratio.median, 6);
    print_ratio(ratio.low, 6);
    print_ratio(ratio.high, 6);
    print_ratio(bench_paired(result, mine, bench_entry_find("serial"), part).median, 7);
    print_ratio(limit_fraction(result, mine), 6);
    printf("\n");
    print_others(result, part, false);
}

static void print_limits(const struct bench_result *result)
{
    char text[BENCH_TIME_SIZE];
    const struct bench_workload *workload = result->workload;
    print_name(result, BENCH_P50);
    for (int k = 0; k < BENCH_ENTRIES; k++) {
        if (result->of[k].state != BENCH_MEASURED)
            continue;
        double per_item = bench_median(result, k, BENCH_P50) / (double)result->n;
        printf("  %s ", bench_entries[k].name);
        if (workload->kind == BENCH_HANDOVER)
            printf("%s a round trip", bench_time(per_item, text));
        else if (workload->kind == BENCH_FMA)
            printf("%.0f GFLOP/s", workload->flops / per_item * 1e-9);
        else
            printf("%.1f GB/s", workload->bytes / per_item * 1e-9);
    }
    printf("\n");
}

/* On a device: both programs, theirs / Yoke's, and what else there is. */
static void print_device(const struct bench_result *result, enum bench_part part)
{
    char text[BENCH_TIME_SIZE];
    int mine = bench_entry_find("yoke_opencl"), other = bench_entry_find("opencl_by_hand");
    struct bench_ratio ratio = bench_paired(result, mine, other, part);
    print_name(result, part);
    printf("  by hand %9s", bench_time(bench_median(result, other, part), text));
    printf("  yoke %9s  ratio", bench_time(bench_median(result, mine, part), text));
    print_ratio(ratio.median, 6);
    print_ratio(ratio.low, 6);
    print_ratio(ratio.high, 6);
    printf("  difference %s\n", bench_time(bench_median(result, mine, part) - bench_median(result, other, part), text));
    print_others(result, part, true);
}

/* Tasks, or items of a map. */
static double tasks_of(const struct bench_result *result)
{
    if (result->workload->kind != BENCH_FIB)
        return (double)result->n;
    double tasks = 0.0, before = 0.0; /* each beyond the cut makes one, as do those below it */
    for (size_t n = (size_t)result->workload->iterations; n < result->n; n++) {
        double next = 1.0 + tasks + before;
        before = tasks;
        tasks = next;
    }
    return tasks;
}

/* What a task takes beyond its share of the work itself; NaN where that means nothing. */
static double beyond_work(const struct bench_result *result, int entry)
{
    if (result->workload->kind == BENCH_SQUARES || result->plan->gap != BENCH_THROUGHPUT)
        return NAN;
    double work = bench_median(result, bench_entry_find("tasks_serial"), BENCH_P50);
    return (bench_median(result, entry, BENCH_P50) - work / bench_threads()) / tasks_of(result);
}

/* A line for each contestant. */
static void print_tasks(const struct bench_result *result, enum bench_part part)
{
    char text[BENCH_TIME_SIZE];
    int mine = entry_of_yoke(result->plan->groups);
    print_name(result, part);
    printf(" %u %s\n", bench_threads(), (result->plan->groups & BENCH_PROCESS_POOLS) != 0 ? "processes" : "threads");
    for (int k = 0; k < BENCH_ENTRIES; k++) {
        enum bench_state state = result->of[k].state;
        if (state == BENCH_ABSENT)
            continue;
        printf("    %-32s", bench_entries[k].name);
        if (state != BENCH_MEASURED) {
            printf(" %9s\n", state == BENCH_MISSING ? "not here" : state_names[state]);
            continue;
        }
        struct bench_ratio ratio = bench_paired(result, mine, k, part);
        double median = bench_median(result, k, part);
        printf(" %9s", bench_time(median, text));
        printf(" %9s", bench_time(median / tasks_of(result), text));
        printf(" %11s", bench_time(beyond_work(result, k), text));
        print_ratio(ratio.median, 9);
        print_ratio(ratio.low, 7);
        print_ratio(ratio.high, 7);
        printf("\n");
    }
}

void bench_report_result(const struct bench_result *result)
{
    if ((result->plan->groups & BENCH_ANY_TASKS) != 0) {
        print_tasks(result, BENCH_P50);
        if (result->plan->gap != BENCH_THROUGHPUT)
            print_tasks(result, BENCH_P99);
    } else if ((result->plan->groups & BENCH_OPENCL) != 0) {
        print_device(result, BENCH_P50);
        if (result->plan->gap != BENCH_THROUGHPUT)
            print_device(result, BENCH_P99);
    } else if ((result->plan->groups & BENCH_MAIN) != 0) {
        print_part(result, BENCH_P50);
        if (result->plan->gap != BENCH_THROUGHPUT)
            print_part(result, BENCH_P99);
    } else if ((result->plan->groups & BENCH_LANES) != 0) {
        print_name(result, BENCH_P50);
        printf("  on one core\n");
        print_others(result, BENCH_P50, true);
    } else {
        print_limits(result);
    }
    fflush(stdout);
}

void bench_csv_head(FILE *file)
{
    fprintf(file, "workload,n,gap_us,contestant,state,rounds,seconds,p99_seconds,counted,idle_cpu_seconds,"
                  "ratio_to_yoke,ratio_low,ratio_high,limit_fraction,call_bytes,call_flops\n");
}

/* Of one call, with what each item costs as workloads.h counts it. */
static double call_flops(const struct bench_result *result)
{
    double items = (double)result->n;
    return result->workload->flops * items * (result->workload->kind == BENCH_NBODY ? items : 1.0);
}

static void csv_number(FILE *file, double value)
{
    if (isnan(value))
        fprintf(file, ",");
    else
        fprintf(file, ",%.6g", value);
}

void bench_csv_result(FILE *file, const struct bench_result *result)
{
    int mine = entry_of_yoke(result->plan->groups);
    bool single = result->plan->gap != BENCH_THROUGHPUT;
    for (int k = 0; k < BENCH_ENTRIES; k++) {
        if (result->of[k].state == BENCH_ABSENT)
            continue;
        struct bench_ratio ratio = bench_paired(result, mine, k, BENCH_P50);
        fprintf(file, "%s,%zu,", result->workload->name, result->n);
        if (single)
            fprintf(file, "%ld", result->plan->gap);
        fprintf(file, ",%s,%s,%d", bench_entries[k].name, state_names[result->of[k].state], result->rounds);
        csv_number(file, bench_median(result, k, BENCH_P50));
        csv_number(file, single ? bench_median(result, k, BENCH_P99) : NAN);
        csv_number(file, single ? result->of[k].counted : NAN);
        csv_number(file, single ? bench_median(result, k, BENCH_IDLE) : NAN);
        csv_number(file, ratio.median);
        csv_number(file, ratio.low);
        csv_number(file, ratio.high);
        csv_number(file, limit_fraction(result, k));
        csv_number(file, result->workload->bytes * (double)result->n);
        csv_number(file, call_flops(result));
        fprintf(file, "\n");
    }
    fflush(file);
}
