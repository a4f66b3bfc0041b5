#include "contestants.h"

#include <string.h>

#include "workloads.h"

static const char *const none[] = {NULL};
/* libgomp and libomp at their fastest: bound and spinning for ever. */
static const char *const gomp_spinning[] = {"OMP_PROC_BIND=true", "OMP_WAIT_POLICY=active", "GOMP_SPINCOUNT=infinite",
                                            "OMP_DYNAMIC=false", NULL};
static const char *const libomp_spinning[] = {"OMP_PROC_BIND=true", "OMP_WAIT_POLICY=active", "KMP_BLOCKTIME=infinite",
                                              "OMP_DYNAMIC=false", NULL};
static const char *const omp_default[] = {"OMP_PROC_BIND=true", NULL};
static const char *const omp_passive[] = {"OMP_PROC_BIND=true", "OMP_WAIT_POLICY=passive", NULL};
static const char *const one_avx512[] = {"YOKE_WORKERS=1", "YOKE_ISA=avx512", NULL};
static const char *const one_avx2[] = {"YOKE_WORKERS=1", "YOKE_ISA=avx2", NULL};
static const char *const one_baseline[] = {"YOKE_WORKERS=1", "YOKE_ISA=baseline", NULL};
/* StarPU remembers so many tasks only: a million would not fit into memory. */
static const char *const starpu[] = {"STARPU_SILENT=1", "STARPU_LIMIT_MAX_SUBMITTED_TASKS=20000",
                                     "STARPU_LIMIT_MIN_SUBMITTED_TASKS=10000", NULL};
/* Its tracker of semaphores complains when the contestant is ended. */
static const char *const loky[] = {"PYTHONWARNINGS=ignore", NULL};
/* Empty environments, each with another address: a process for each. */
static const char *const apart[8][1];

/* clang-format off */
const struct bench_entry bench_entries[BENCH_ENTRIES] = {
    {"serial",          "bench_serial",    "loop",     none,            BENCH_SERIAL,    BENCH_MAIN | BENCH_LANES | BENCH_OPENCL},
    {"omp_gcc",         "bench_omp_gcc",   "loop",     gomp_spinning,   BENCH_PEER,      BENCH_MAIN},
    {"omp_clang",       "bench_omp_clang", "loop",     libomp_spinning, BENCH_PEER,      BENCH_MAIN},
    {"tbb_static",      "bench_tbb",       "static",   none,            BENCH_PEER,      BENCH_MAIN},
    {"tbb_affinity",    "bench_tbb",       "affinity", none,            BENCH_PEER,      BENCH_MAIN},
    {"yoke",            "bench_yoke",      "default",  none,            BENCH_YOKE,      BENCH_MAIN},
    {"yoke_divided",    "bench_yoke",      "divided",  none,            BENCH_REFERENCE, BENCH_BARE},
    {"spin_team",       "bench_byhand",    "spin",     none,            BENCH_REFERENCE, BENCH_BARE},
    {"omp_gcc_default", "bench_omp_gcc",   "loop",     omp_default,     BENCH_PEER,      BENCH_WAITING},
    {"omp_gcc_passive", "bench_omp_gcc",   "loop",     omp_passive,     BENCH_PEER,      BENCH_WAITING},
    {"omp_clang_default", "bench_omp_clang", "loop",   omp_default,     BENCH_PEER,      BENCH_WAITING},
    {"limit_plain",     "bench_limits",    "plain",    none,            BENCH_LIMIT,     BENCH_TRAFFIC},
    {"limit_nt",        "bench_limits",    "nt",       none,            BENCH_LIMIT,     BENCH_TRAFFIC},
    {"limit_plain_1",   "bench_limits",    "plain_1",  none,            BENCH_LIMIT,     BENCH_ALONE},
    {"limit_nt_1",      "bench_limits",    "nt_1",     none,            BENCH_LIMIT,     BENCH_ALONE},
    {"hand_avx512",     "bench_byhand",    "avx512",   none,            BENCH_REFERENCE, BENCH_BY_HAND},
    {"hand_avx512_1",   "bench_byhand",    "avx512_1", none,            BENCH_REFERENCE, BENCH_LANES},
    {"yoke_avx512_1",   "bench_yoke",      "default",  one_avx512,      BENCH_REFERENCE, BENCH_LANES},
    {"yoke_avx2_1",     "bench_yoke",      "default",  one_avx2,        BENCH_REFERENCE, BENCH_LANES},
    {"yoke_baseline_1", "bench_yoke",      "default",  one_baseline,    BENCH_REFERENCE, BENCH_LANES},
    {"opencl_by_hand",  "bench_opencl",    "default",  none,            BENCH_REFERENCE, BENCH_OPENCL},
    {"yoke_opencl",     "bench_yoke_opencl", "default", none,           BENCH_REFERENCE, BENCH_OPENCL},
    {"opencl_map_all",  "bench_opencl",    "all",      none,            BENCH_REFERENCE, BENCH_CALLS},
    {"opencl_bare",     "bench_opencl",    "bare",     none,            BENCH_REFERENCE, BENCH_CALLS},
    {"tasks_serial",    "bench_tasks_serial",    "tasks",   none,            BENCH_SERIAL,    BENCH_ANY_TASKS},
    {"tasks_yoke",      "bench_tasks_yoke",      "threads", apart[0],        BENCH_YOKE,      BENCH_TASK_RUNTIMES | BENCH_THREAD_POOLS},
    {"yoke_helps",      "bench_tasks_yoke",      "helps",   apart[7],        BENCH_REFERENCE, BENCH_TASK_RUNTIMES},
    {"yoke_map",        "bench_tasks_yoke",      "map",     apart[1],        BENCH_REFERENCE, BENCH_TASK_RUNTIMES},
    {"tasks_tbb",       "bench_tasks_tbb",       "group",   apart[0],        BENCH_PEER,      BENCH_TASK_RUNTIMES},
    {"tbb_enqueue",     "bench_tasks_tbb",       "enqueue", apart[1],        BENCH_PEER,      BENCH_TASK_RUNTIMES},
    {"tasks_omp_gcc",   "bench_tasks_omp_gcc",   "tasks",   gomp_spinning,   BENCH_PEER,      BENCH_TASK_RUNTIMES},
    {"tasks_omp_clang", "bench_tasks_omp_clang", "tasks",   libomp_spinning, BENCH_PEER,      BENCH_TASK_RUNTIMES},
    {"starpu",          "bench_tasks_starpu",    "tasks",   starpu,          BENCH_PEER,      BENCH_TASK_RUNTIMES},
    {"ThreadPool",          "bench_python", "ThreadPool",          apart[2], BENCH_PEER,      BENCH_THREAD_POOLS},
    {"ThreadPoolExecutor",  "bench_python", "ThreadPoolExecutor",  apart[3], BENCH_PEER,      BENCH_THREAD_POOLS},
    {"yoke_processes",  "bench_tasks_yoke",      "processes", apart[4],      BENCH_YOKE,      BENCH_PROCESS_POOLS},
    {"Pool",                "bench_python", "Pool",                apart[5], BENCH_PEER,      BENCH_PROCESS_POOLS},
    {"ProcessPoolExecutor", "bench_python", "ProcessPoolExecutor", apart[6], BENCH_PEER,      BENCH_PROCESS_POOLS},
    {"loky",                "bench_python", "loky",                loky,     BENCH_PEER,      BENCH_PROCESS_POOLS},
};

#define STREAMED (BENCH_MAIN | BENCH_TRAFFIC)
#define LATENCY (BENCH_MAIN | BENCH_BARE)
#define IDLE (BENCH_MAIN | BENCH_WAITING)
#define LIMITS (BENCH_TRAFFIC | BENCH_ALONE)
#define THREADS (BENCH_TASK_RUNTIMES | BENCH_THREAD_POOLS)
#define PROCESSES BENCH_PROCESS_POOLS
#define RUN BENCH_THROUGHPUT

const struct bench_plan bench_plans[] = {
    {"read",            LIMITS,                     RUN,   true,  {1e8}},
    {"write",           LIMITS,                     RUN,   true,  {1e8}},
    {"copy",            LIMITS,                     RUN,   false, {1e8}},
    {"triad",           LIMITS,                     RUN,   false, {1e8}},
    {"fma",             LIMITS,                     RUN,   true,  {1e8}},
    {"handover",        LIMITS,                     RUN,   true,  {1e4}},
    {"empty",           LATENCY,                    0,     true,  {1, 10, 1e2, 1e3, 1e4, 1e5, 1e6}},
    {"empty",           LATENCY | BENCH_WAITING,    1000,  false, {1, 1e2, 1e4, 1e6}},
    {"triad",           IDLE,                       0,     false, {1e3}},
    {"triad",           IDLE,                       1000,  true,  {1e3}},
    {"triad",           IDLE,                       20000, true,  {1e3}},
    {"exp",             IDLE,                       0,     false, {1e3}},
    {"exp",             IDLE,                       1000,  true,  {1e3}},
    {"exp",             IDLE,                       20000, false, {1e3}},
    {"triad",           STREAMED,                   RUN,   true,  {1, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8}},
    {"copy",            STREAMED,                   RUN,   true,  {1e3, 1e4, 1e5, 1e6, 1e7, 1e8}},
    {"sum",             STREAMED,                   RUN,   true,  {1e3, 1e4, 1e5, 1e6, 1e7, 1e8}},
    {"dot",             STREAMED,                   RUN,   true,  {1e3, 1e4, 1e5, 1e6, 1e7, 1e8}},
    {"exp",             STREAMED,                   RUN,   true,  {1e3, 1e4, 1e5, 1e6, 1e7, 1e8}},
    {"sin",             STREAMED,                   RUN,   true,  {1e3, 1e4, 1e5, 1e6, 1e7, 1e8}},
    {"black_scholes",   BENCH_MAIN,                 RUN,   true,  {1e4, 1e5, 1e6, 1e7, 1e8}},
    {"mandelbrot_256",  BENCH_MAIN | BENCH_BY_HAND, RUN,   true,  {2048 * 2048}},
    {"mandelbrot_1000", BENCH_MAIN | BENCH_BY_HAND, RUN,   false, {2048 * 2048}},
    {"mandelbrot_256",  BENCH_LANES,                RUN,   false, {1024 * 1024}},
    {"nbody",           BENCH_MAIN,                 RUN,   true,  {16384}},
    {"heat",            STREAMED,                   RUN,   false, {8192.0 * 8192}},
    {"blur",            BENCH_MAIN,                 RUN,   true,  {4096 * 2160}},
    {"opencl_triad",    BENCH_OPENCL | BENCH_CALLS, 0,     true,  {1e3}},
    {"opencl_triad",    BENCH_OPENCL,               RUN,   true,  {1e3, 1e5, 1e6, 1e7}},
    {"opencl_dot",      BENCH_OPENCL,               RUN,   true,  {1e7}},
    {"opencl_options",  BENCH_OPENCL,               RUN,   true,  {1e6}},
    {"opencl_heat",     BENCH_OPENCL,               RUN,   true,  {2048 * 2048}},
    {"opencl_nbody",    BENCH_OPENCL,               RUN,   true,  {4096}},
    {"tasks_one",       THREADS,                    0,     true,  {1}},
    {"tasks_one",       THREADS,                    1000,  false, {1}},
    {"tasks_one",       PROCESSES,                  0,     true,  {1}},
    {"tasks_empty",     BENCH_TASK_RUNTIMES,        RUN,   true,  {1e4}},
    {"tasks_empty",     BENCH_TASK_RUNTIMES,        RUN,   false, {1e6}},
    {"tasks_1us",       BENCH_TASK_RUNTIMES,        RUN,   true,  {1e4}},
    {"tasks_1us",       BENCH_TASK_RUNTIMES,        RUN,   false, {1e6}},
    {"tasks_10us",      BENCH_TASK_RUNTIMES,        RUN,   true,  {1e4}},
    {"tasks_10us",      BENCH_TASK_RUNTIMES,        RUN,   false, {1e6}},
    {"tasks_100us",     BENCH_TASK_RUNTIMES,        RUN,   true,  {1e3}},
    {"tasks_100us",     BENCH_TASK_RUNTIMES,        RUN,   false, {2e4}},
    {"tasks_fib",       BENCH_TASK_RUNTIMES,        RUN,   true,  {20}},
    {"tasks_fib",       BENCH_TASK_RUNTIMES,        RUN,   false, {27}},
    {"tasks_fib_cut",   BENCH_TASK_RUNTIMES,        RUN,   true,  {32}},
    {"tasks_map",       BENCH_THREAD_POOLS,         RUN,   true,  {1e4}},
    {"tasks_map",       BENCH_THREAD_POOLS,         RUN,   false, {1e6}},
    {"tasks_map",       PROCESSES,                  RUN,   true,  {1e4}},
    {"tasks_map",       PROCESSES,                  RUN,   false, {1e6}},
};
/* clang-format on */

const size_t bench_plan_count = sizeof bench_plans / sizeof bench_plans[0];

int bench_entry_find(const char *name)
{
    for (int k = 0; k < BENCH_ENTRIES; k++)
        if (strcmp(bench_entries[k].name, name) == 0)
            return k;
    return -1;
}

int bench_entry_process(int entry)
{
    for (int k = 0; k < entry; k++)
        if (strcmp(bench_entries[k].program, bench_entries[entry].program) == 0 &&
            bench_entries[k].environment == bench_entries[entry].environment)
            return k;
    return entry;
}
