/* Inside of the process pool: what its two sides share. process_pool.c opens it, and runs tasks on its processes through
 * process.c (one process: start, exchange, end); serve.c is the other side; locate.c finds functions for both.
 *
 * A pool's threads each take a process that is idle, send it one request over a socket, and wait for its reply or its
 * death; they do no more. Between the two lies a sealed memory file of fixed size for what is too large for a message.
 * The process maps it; the program reads and writes it by system calls, so that what it looks at is its own copy, and
 * cannot fault. Nothing in it is a lock, and of its numbers only two are ever read, and are checked. */
#ifndef YOKE_EXECUTOR_PROCESS_H
#define YOKE_EXECUTOR_PROCESS_H

#include <sys/types.h>

#include "lib/executor/executor.h"

#define YOKE__WORKER_VARIABLE "YOKE_WORKER"

enum {
    SOCKET_FD = 3, /* in the process */
    MEMORY_FD = 4,
    INLINE_BYTES = 192,
    NAME_BYTES = 64,
    ARRAYS_AT_ONCE = 16,
    PROGRESS_AT = 2048, /* in the memory file: after the setup */
    DATA_AT = 4096,     /* and after the progress: arguments, then results, then statuses of items */
    EXIT_UNSERVED = 77, /* main did not call yoke_serve_if_worker() */
    EXIT_UNFIT = 78     /* what it was given cannot be used */
};

#define SETUP_MAGIC UINT64_C(0x31707574655365b6)
#define MESSAGE_MAGIC UINT32_C(0x6bb5e701)

/* What a test has a process do at one step of the protocol. */
typedef struct yoke__process_fault {
    int step, action;
    unsigned times; /* processes that are started with it; one less at each */
} yoke__process_fault;

enum { STEP_START = 1, STEP_HELLO, STEP_REQUEST, STEP_BEGUN, STEP_RAN, STEP_REPLIED, STEP_ARRAYS };
enum { ACT_KILL = 1, ACT_STOP, ACT_GARBAGE, ACT_PROGRESS, ACT_TRUNCATE, ACT_SHORT, ACT_OCCUPY };

extern yoke__process_fault yoke__process_fault_next; /* tests only, with no pool open */

typedef struct setup {
    uint64_t magic, bytes; /* of this structure */
    char version[16];
    int64_t parent, parent_start; /* its number, and when it started: /proc/PID/stat */
    uint64_t shared_bytes;        /* of the whole file */
    uint64_t memory_bytes, cpu_seconds;
    uint32_t by_main;
    int32_t step, action;
} setup;

typedef struct progress {
    _Atomic uint64_t begun; /* number of the last request that was begun */
    _Atomic uint64_t items; /* of these, that have ended */
    _Atomic int64_t since;  /* on yoke__now_ns(): when the one that runs began */
} progress;

/* A function as other processes of the same program find it: in which loaded object, and where there. */
typedef struct yoke__where {
    uint64_t object, offset;
} yoke__where;

bool yoke__function_where(yoke_function *function, yoke__where *where); /* false: it is in none */
yoke_function *yoke__function_at(const yoke__where *where);             /* NULL: there is none */

enum { REQUEST_TASK = 1, REQUEST_ITEMS, REQUEST_MAP, REQUEST_UNMAP };

typedef struct request {
    uint32_t magic, kind;
    uint64_t number;
    yoke__where where;
    uint64_t argument_bytes, result_bytes; /* of the task, or of an item; 0: NULL, and the future's own result */
    uint64_t argument_at, result_at;       /* addresses in a shared array; 0: not there */
    uint64_t count;                        /* items */
    int64_t deadline_ns;
    char name[NAME_BYTES];
    unsigned char argument[INLINE_BYTES]; /* of a task, if it fits */
} request;

/* Shared arrays that the process is to map, with a descriptor each, or to unmap. All or none are. */
typedef struct arrays {
    uint32_t magic, kind;
    uint64_t count;
    struct {
        uint64_t start, bytes;
        int64_t advice;
    } array[ARRAYS_AT_ONCE];
} arrays;

/* REPLY_OCCUPIED: something else is at such an address; REPLY_REFUSED: the system refuses, and `status` is the errno. */
enum { REPLY_HELLO = 1, REPLY_RETURNED, REPLY_NOT_FOUND, REPLY_MAPPED, REPLY_OCCUPIED, REPLY_REFUSED };

typedef struct reply {
    uint32_t magic, kind;
    uint64_t number;
    int64_t status;
    unsigned char result[INLINE_BYTES]; /* of a task, if it fits */
} reply;

/* Where in the file the parts of a request lie; all is 0 where it is in the messages. */
typedef struct layout {
    uint64_t argument, result, statuses, end;
} layout;

/* False: more than any file. */
bool yoke__layout_of(const request *r, layout *l);

/* --- process.c, and process_start.c --- */

typedef struct process {
    struct process *next; /* of those that are idle */
    unsigned index;
    int socket, memory, pidfd; /* -1: none */
    pid_t pid;                 /* 0: it does not run */
    uint64_t number;           /* of the last request */
    yoke__shared *arrays;      /* that it has mapped; not held any more */
    size_t array_count;
    uint64_t steps; /* yoke__shared_steps of these */
    uint64_t begun; /* of the last one whose function was found */
} process;

typedef struct ending {
    unsigned why; /* YOKE__RETURNED: it goes on */
    long long number;
    bool begun;
    uint64_t items;
} ending;

/* When this process, or that of this number, started; -1: not known. */
int64_t yoke__start_of(pid_t pid);
/* Starts it; all signals are blocked in the calling thread. 0, EIO, EAGAIN, ENOMEM. */
int yoke__process_start(process *w, const setup *s);
/* Waits until it serves. 0, or ECRASH; then it is gone. */
int yoke__process_await(process *w);
/* What it comes to; without a reply it is gone. `limit_ns`: of the task, or of each item; 0: none. */
ending yoke__process_ask(process *w, request *r, int64_t limit_ns, reply *answer);
/* Sends a message, with descriptors, and waits for the answer: 1; what yoke__process_lose() wants to know otherwise. */
int yoke__process_exchange(process *w, const void *message, size_t bytes, const int *files, size_t count,
                           int64_t until_ns, reply *answer);
/* Waits for its end, or kills it; what it came to. */
ending yoke__process_lose(process *w, int got, int64_t limit_ns);
/* When a time limit that begins now is over; 0: there is none. */
int64_t yoke__process_until(int64_t limit_ns);
bool yoke__process_write(const process *w, uint64_t at, const void *from, size_t bytes);
bool yoke__process_read(const process *w, uint64_t at, void *to, size_t bytes);
/* process_share.c: has it map what the program shares now, and nothing that was freed. Without change that is one look.
 * YOKE__RETURNED; YOKE__OCCUPIED, _REFUSED, _NO_ROOM: it lives, and some are missing; else it is gone. */
ending yoke__process_share(process *w, int64_t limit_ns);
/* serve_share.c: the other side. `files`: of each array, closed here. */
void yoke__serve_arrays(const arrays *a, const int *files, size_t count, reply *answer);
/* Asks it to end; and waits for that, for so long, then kills it. */
void yoke__process_dismiss(process *w);
void yoke__process_bury(process *w, int64_t until_ns);

#endif
