/* Starts the contestants, lets them work in turn, and reports. Exit status: 0; 1 when a contestant broke or computed
 * something wrong; 2 for a wrong command line. Slow results fail nothing. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "report.h"
#include "rounds.h"
#include "tasks.h"
#include "wanted.h"

static const char usage[] =
    "usage: tests/bench/run BUILD-DIRECTORY [--quick] [--rounds N] [--size N] [--csv FILE] [WORKLOAD]\n"
    "WORKLOAD is the beginning of a name: empty copy triad sum dot exp sin black_scholes mandelbrot nbody heat blur\n"
    "read write fma handover opencl; tasks, which takes more minutes and so is left out unless it is named\n";

struct bench {
    struct bench_settings settings;
    const char *csv;
    struct bench_result *results;
    size_t count;
};

static bool parse(struct bench *bench, int argc, char **argv)
{
    for (int k = 1; k < argc; k++) {
        if (strcmp(argv[k], "--quick") == 0) {
            bench->settings.quick = true;
        } else if (strcmp(argv[k], "--rounds") == 0 && k + 1 < argc) {
            bench->settings.rounds = atoi(argv[++k]);
            if (bench->settings.rounds < 1 || bench->settings.rounds > BENCH_MAX_ROUNDS) {
                fprintf(stderr, "bench: --rounds takes 1 to %d\n", BENCH_MAX_ROUNDS);
                return false;
            }
        } else if (strcmp(argv[k], "--size") == 0 && k + 1 < argc) {
            bench->settings.size = strtod(argv[++k], NULL);
            if (!(bench->settings.size > 0))
                return false;
        } else if (strcmp(argv[k], "--csv") == 0 && k + 1 < argc) {
            bench->csv = argv[++k];
        } else if (argv[k][0] == '-') {
            return false;
        } else if (bench->settings.directory == NULL) {
            bench->settings.directory = argv[k];
        } else if (bench->settings.filter == NULL) {
            bench->settings.filter = argv[k];
        } else {
            return false;
        }
    }
    return bench->settings.directory != NULL;
}

static bool is_about_tasks(const struct bench_settings *settings)
{
    return settings->filter != NULL && strncmp(settings->filter, "tasks", strlen("tasks")) == 0;
}

static bool is_wanted(const struct bench_settings *settings, const struct bench_plan *plan, double n)
{
    if (settings->filter != NULL && strncmp(plan->workload, settings->filter, strlen(settings->filter)) != 0)
        return false;
    if ((plan->groups & BENCH_ANY_TASKS) != 0 && !is_about_tasks(settings))
        return false;
    if (settings->size > 0 && (n != settings->size || plan->gap != BENCH_THROUGHPUT))
        return false;
    bool limits = (plan->groups & BENCH_MAIN) == 0;
    return !settings->quick || (plan->quick && (limits || n <= BENCH_QUICK_SIZE));
}

static bool is_broken(const struct bench_result *result)
{
    for (int k = 0; k < BENCH_ENTRIES; k++)
        if (result->of[k].state >= BENCH_WRONG)
            return true;
    return false;
}

static size_t cases(void)
{
    size_t count = 0;
    for (size_t k = 0; k < bench_plan_count; k++)
        for (int size = 0; size < BENCH_MAX_SIZES && bench_plans[k].sizes[size] > 0; size++)
            count++;
    return count;
}

static int run(struct bench *bench, FILE *csv)
{
    int status = 0;
    for (size_t k = 0; k < bench_plan_count; k++) {
        const struct bench_plan *plan = &bench_plans[k];
        for (int size = 0; size < BENCH_MAX_SIZES && plan->sizes[size] > 0; size++) {
            struct bench_result *result = &bench->results[bench->count];
            if (!is_wanted(&bench->settings, plan, plan->sizes[size]) ||
                bench_measure(&bench->settings, plan, (size_t)plan->sizes[size], result) != 0)
                continue;
            bench_report_result(result);
            bench_csv_result(csv, result);
            status |= is_broken(result);
            bench->count++;
        }
    }
    return status;
}

int main(int argc, char **argv)
{
    struct bench bench = {0};
    if (!parse(&bench, argc, argv)) {
        fputs(usage, stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN); /* a contestant that died shows in its missing answer */
    FILE *csv = fopen(bench.csv != NULL ? bench.csv : "/dev/null", "w");
    bench.results = calloc(cases() + 1, sizeof *bench.results);
    if (csv == NULL || bench.results == NULL) {
        perror(bench.csv);
        free(bench.results);
        if (csv != NULL)
            fclose(csv);
        return 1;
    }
    double start = bench_seconds(CLOCK_MONOTONIC);
    const bool tasks = is_about_tasks(&bench.settings);
    if (tasks)
        bench_tasks_calibrate();
    bench_report_head(tasks);
    bench_csv_head(csv);
    int status = run(&bench, csv);
    bench_measure_end();
    if (!tasks)
        bench_report_wanted(bench.results, bench.count);
    printf("\n%zu cases in %.0f s", bench.count, bench_seconds(CLOCK_MONOTONIC) - start);
    if (bench.csv != NULL)
        printf("; all numbers are in %s", bench.csv);
    printf("\n");
    if (fclose(csv) != 0) {
        perror(bench.csv);
        status = 1;
    }
    free(bench.results);
    return status;
}
