/* The exchange between the program and a worker process: process_task.c, process.c on one side, serve.c on the other, all in
 * lib/executor. The worker may die at any step, be killed, lie, hang, close its connection, or leave a child that keeps it open.
 * Without -DITEMS: tasks one after the other, with RETRIES; with it: one map whose items travel in batches. */
#ifndef RETRIES
#define RETRIES 0
#endif
#ifdef ITEMS
#define WORK 4 /* items */
#define BATCH 2
#define LIMITED false
#else
#define WORK 2 /* tasks */
#define LIMITED (hangs == 0)
#endif
#define RETURNED 1
#define NOT_FOUND 2
#define HELLO 3

/* The connection: a request has the first item (or the task) and how many; a reply has what it is about. */
chan requests = [1] of { byte, byte, byte };
chan replies = [3] of { byte, byte, byte };
byte begun, items;                    /* progress, in the memory file */
bool start, closed, dead, killed;     /* what the kernel knows of the worker */
byte deaths = 2, lies = 1, hangs = 1, leaks = 1; /* that may still happen */
/* What really happened, for the assertions: */
byte runs[WORK], answered, lied;
bool started[WORK], finished[WORK], noted[WORK], absent[WORK], ended[WORK];

/* --- serve.c --- */

#define STEP if :: killed -> goto dies :: !killed && deaths > 0 -> deaths--; goto dies :: !killed fi

proctype worker()
{
    byte number, first, count, k;
end:
    start;
    start = false;
    STEP;
    replies!0, HELLO, 0;
end_idle:
    if
    :: requests?number, first, count
    :: killed -> goto dies
    :: deaths > 0 -> deaths--; goto dies
    fi;
    STEP;
    if
    :: absent[first] -> atomic { replies!number, NOT_FOUND, first; answered = number }; goto end_idle
    :: else
    fi;
#ifndef M_ITEMS_LATE
    items = 0;
    STEP;
#endif
#ifndef M_BEGUN_LATE
    atomic { begun = number; started[first] = true }; /* before anything of the task runs */
    STEP;
#endif
#ifdef M_ITEMS_LATE
    items = 0;
#endif
    k = 0;
    do
    :: k == count -> break
    :: else ->
       runs[first + k]++;
       STEP;
       if
       :: hangs > 0 -> hangs--; killed; goto dies
       :: leaks > 0 -> leaks--; closed = true
       :: true
       fi;
       finished[first + k] = true;
       STEP;
       atomic { k++; items = k; noted[first + k - 1] = true };
       STEP
    od;
#ifdef M_BEGUN_LATE
    atomic { begun = number; started[first] = true };
#endif
    if
    :: closed -> goto dies
    :: else -> atomic { replies!number, RETURNED, first; answered = number }
    fi;
    if
    :: lies > 0 -> lies--; lied = true; replies!number, RETURNED, first
    :: true
    fi;
    goto end_idle;
dies:
    if
    :: closed = true
    :: true /* a child of the task has the connection, too */
    fi;
    dead = true;
    goto end
}

/* --- process.c --- */

#define GONE 0
#define MESSAGE 1
#define LATE 2
byte number, known; /* of the last request, and of the last that is known to have begun */
bool running;

/* receive(): the two looks of a poll are not one */
inline receive(may_be_late)
{
    socket = false;
    death = false;
    do
    :: atomic { nempty(replies) -> replies?about, kind, what; got = MESSAGE; break }
    :: atomic { empty(replies) && (closed || death) -> got = GONE; break }
    :: empty(replies) && !closed && !death ->
       do
       :: socket = nempty(replies) || closed;
          death = dead;
          if
          :: socket || death -> break
          :: else ->
             if
             :: nempty(replies) || closed || dead
             :: may_be_late -> got = LATE; break
             fi
          fi
       od;
       if
       :: !socket && !death -> break /* late */
#ifdef M_ONE_LOOK
       :: !socket && death -> got = GONE; break
#endif
       :: socket -> death = false
       :: else
       fi
    od
}

inline collect()
{
    if
    :: dead
    :: killed = true; dead
    fi
}

/* yoke__process_start(), yoke__process_await(): with a new connection and a new memory file */
inline revive()
{
    do
    :: running -> break
    :: !running ->
       atomic {
           do
           :: requests?_, _, _
           :: replies?_, _, _
           :: empty(requests) && empty(replies) -> break
           od;
#ifndef M_OLD_MEMORY
           begun = 0;
           items = 0;
#endif
           number = 0;
           known = 0;
           answered = 0;
           closed = false;
           dead = false;
           killed = false;
           start = true;
           running = true
       };
       receive(false);
       if
       :: got == MESSAGE -> assert(kind == HELLO)
       :: else -> collect(); running = false
       fi
    od
}

/* yoke__process_ask(): `got`, and after anything but a reply `began` and `past` */
inline ask(first, count)
{
    number++;
    if
    :: closed -> got = GONE
    :: else -> requests!number, first, count; receive(LIMITED)
    fi;
    past = 0;
    began = true;
#ifdef M_NO_NUMBER
    valid = got == MESSAGE;
#else
    valid = got == MESSAGE && about == number;
#endif
    if
    :: valid && kind == RETURNED -> known = number
    :: valid && kind != RETURNED
#ifdef M_NO_KILL
    :: !valid && got == LATE
#endif
    :: else ->
#ifndef M_EARLY_LOOK
       collect();
#endif
#ifdef M_BEGUN_BY_NUMBER
       began = begun != number - 1;
#else
       began = begun != known;
#endif
#ifdef M_ALL_IS_NONE
       past = (begun == number && items < count -> items : 0);
#else
       past = (begun == number && items <= count -> items : 0);
#endif
       began = began || got != GONE;
#ifdef M_EARLY_LOOK
       collect();
#endif
       running = false
    fi
}

/* --- process_task.c --- */

inline run_task(task)
{
    fails = 0;
    do
    :: revive();
       ask(task, 1);
       if
       :: valid ->
          assert(what == task);
          assert((kind == NOT_FOUND) == absent[task]);
          assert(absent[task] || finished[task]);
          break
       :: !valid && got == LATE -> break
       :: !valid && got != LATE && began && fails >= RETRIES ->
          assert(lied || answered != number); /* a reply is not lost */
          assert(lied || started[task]);      /* a death costs the task that runs */
          break
       :: else ->
#ifndef M_NO_COUNT
          fails = fails + began
#endif
       fi
    od;
    assert(runs[task] <= 1 + RETRIES)
}

inline end_items(first, count, crashed)
{
    k = 0;
    do
    :: k == count -> break
    :: else ->
       assert(!ended[first + k] && runs[first + k] <= 1);
       assert(crashed || finished[first + k]);
       assert(!crashed || lied || !noted[first + k]);
       ended[first + k] = true;
       k++
    od
}

inline run_batch()
{
    size = (WORK - done < BATCH -> WORK - done : BATCH);
    revive();
    ask(done, size);
    if
    :: valid -> assert(what == done); end_items(done, size, false); done = done + size
    :: !valid && began ->
       end_items(done, past, false);
       done = done + past;
       if
       :: past < size -> end_items(done, 1, true); done++
       :: else
       fi
    :: else
    fi
}

init
{
    byte got, about, kind, what, past, fails, done, size, k;
    bool socket, death, began, valid;
    run worker();
#ifdef ITEMS
    hangs = 0;
    do
    :: done < WORK -> run_batch()
    :: else -> break
    od
#else
    if
    :: absent[0] = true
    :: true
    fi;
    do
    :: done < WORK -> run_task(done); done++
    :: else -> break
    od
#endif
}
