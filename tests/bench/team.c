#define _GNU_SOURCE
#include "team.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

/* One line each, so that members do not disturb one another. */
struct seat {
    _Alignas(128) atomic_uint done;
    pthread_t thread;
    unsigned number;
};

static struct {
    _Alignas(128) atomic_uint round;
    unsigned members;
    bench_member body;
    void *argument;
    struct seat seat[BENCH_TEAM_MAX];
    unsigned size;
} team;

static void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("yield");
#endif
}

static void *serve(void *argument)
{
    struct seat *seat = argument;
    for (unsigned round = 0;;) {
        unsigned now;
        while ((now = atomic_load_explicit(&team.round, memory_order_acquire)) == round)
            relax();
        round = now;
        if (seat->number < team.members)
            team.body(seat->number, team.members, team.argument);
        atomic_store_explicit(&seat->done, round, memory_order_release);
    }
    return NULL;
}

static int start(struct seat *seat, size_t cpu)
{
    cpu_set_t one;
    pthread_attr_t attributes;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    pthread_attr_init(&attributes);
    pthread_attr_setaffinity_np(&attributes, sizeof one, &one);
    int failed = pthread_create(&seat->thread, &attributes, serve, seat);
    pthread_attr_destroy(&attributes);
    return failed;
}

unsigned bench_team_size(void)
{
    cpu_set_t all;
    if (team.size > 0)
        return team.size;
    team.size = 1;
    if (sched_getaffinity(0, sizeof all, &all) != 0)
        return team.size;
    size_t caller = CPU_SETSIZE;
    for (size_t cpu = 0; cpu < CPU_SETSIZE && team.size < BENCH_TEAM_MAX; cpu++) {
        if (!CPU_ISSET(cpu, &all))
            continue;
        if (caller == CPU_SETSIZE) {
            caller = cpu;
            continue;
        }
        struct seat *seat = &team.seat[team.size];
        seat->number = team.size;
        if (start(seat, cpu) != 0)
            break;
        team.size++;
    }
    cpu_set_t own;
    CPU_ZERO(&own);
    CPU_SET(caller, &own);
    sched_setaffinity(0, sizeof own, &own);
    return team.size;
}

void bench_team_run(unsigned members, bench_member body, void *argument)
{
    unsigned size = bench_team_size();
    if (members > size)
        members = size;
    team.members = members;
    team.body = body;
    team.argument = argument;
    unsigned round = 0;
    if (members > 1)
        round = atomic_fetch_add_explicit(&team.round, 1, memory_order_release) + 1;
    body(0, members, argument);
    /* All seats: one that sits this round out must have seen it before the next one overwrites it. */
    for (unsigned k = 1; members > 1 && k < size; k++)
        while (atomic_load_explicit(&team.seat[k].done, memory_order_acquire) != round)
            relax();
}
