/* Inside of lib/trace: the file of counters that a program shares with who watches it. */
#ifndef YOKE_TRACE_COUNTERS_H
#define YOKE_TRACE_COUNTERS_H

#include "lib/trace/trace.h"

enum { COUNTER_THREADS = 1024, COUNTER_DEVICES = 16, COUNTERS_VERSION = 2 };

/* One thread or device. Only its thread writes a thread's, so its lines are nobody else's; a device's are added to. */
typedef struct counters {
    _Alignas(YOKE_CACHE_LINE) _Atomic uint64_t is_used;
    char name[16]; /* written before it is used */
    _Atomic uint64_t now;
    _Atomic int64_t since_ns;
    _Atomic uint64_t ns[YOKE_ASLEEP + 1];
    _Atomic uint64_t calls, items, parts, steals, bytes_in, bytes_out;
    _Atomic uint64_t tasks[YOKE__TASK_STEPS];
} counters;

typedef struct counters_file {
    char magic[8];
    uint32_t version, bytes;
    int64_t process, start_ns; /* the process's id, and when the file was made */
    counters devices[COUNTER_DEVICES], threads[COUNTER_THREADS];
    counters others; /* tasks of threads for which there was no room: added to */
} counters_file;

#define COUNTERS_MAGIC "yokecnt"

/* /dev/shm/yoke-USER-PROCESS */
void yoke__counters_path(char *path, size_t size, long process);

#endif
