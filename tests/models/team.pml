/* How workers of a team sleep (lib/cpu/job.c, team.c): a caller publishes jobs, wakes who sleeps, works itself, waits for the
 * units that others claimed, and ends the threads. No worker sleeps through a job or the end, and the caller not through
 * the last unit. Memory is that of memory.inc; claims of units are atomic (lib/cpu/range.h is tested by itself). */
#define WORKERS 2
#define UNITS 2
#ifndef JOBS
#define JOBS 1 /* two hold as well, and take ten times as long */
#endif
#define PROCESSES 3 /* 0: the caller */
#define STATE 0
#define QUIT 1
#define ASLEEP 2
#define DONE 3
#define WAITING 4
#define SLEEPING(k) (4 + (k))
#define WORDS 7
#include "memory.inc"

byte units;              /* of the current job that nobody has claimed */
byte served[1 + WORKERS]; /* the last state that each worker saw */

/* work(): claims units, runs them, and adds what it ran to those done (add_done) */
inline work(me)
{
    do
    :: atomic { units > 0 -> units-- };
#ifdef M_PLAIN_UNITS
       load(me, DONE, value);
       store(me, DONE, value + 1);
       load(me, DONE, value);
#else
       atomic { at[me] == NOTHING -> memory[DONE]++; value = memory[DONE] };
#endif
       if
       :: value == UNITS ->
          load(me, WAITING, value);
          if
          :: value != 0 -> futex_wake(me, DONE)
          :: else
          fi
       :: else
       fi
    :: units == 0 -> break
    od
}

inline sleep_until_woken(me)
{
#ifndef M_COUNTED_LATE
    add(me, ASLEEP, 1);
#endif
#ifdef M_STORED_SLEEPING
    store(me, SLEEPING(me), 1);
#else
    exchange(me, SLEEPING(me), 1, value); /* yoke__announce */
#endif
#ifndef M_NO_SECOND_LOOK
    load(me, STATE, value);
    load(me, QUIT, quits);
    if
    :: value != seen || quits -> store(me, SLEEPING(me), 0)
    :: else
    fi;
#endif
#ifdef M_COUNTED_LATE
    add(me, ASLEEP, 1);
#endif
    do
    :: load(me, SLEEPING(me), value);
       if
       :: value != 1 -> break
       :: else -> futex_wait(me, SLEEPING(me), 1)
       fi
    od;
    add(me, ASLEEP, -1)
}

/* yoke__team_serve() */
proctype worker(byte me)
{
    byte seen, value, quits;
    do
    :: load(me, QUIT, quits);
       if
       :: quits -> break
       :: else
       fi;
       load(me, STATE, seen);
       if
       :: seen != served[me] -> served[me] = seen; work(me)
       :: else -> sleep_until_woken(me)
       fi
    od
}

inline wake(k)
{
    load(0, SLEEPING(k), value);
    if
    :: value == 1 ->
       exchange(0, SLEEPING(k), 0, value);
       if
       :: value == 1 -> futex_wake(0, SLEEPING(k))
       :: else
       fi
    :: else
    fi
}

/* publish(), wake_next() */
inline publish()
{
    store(0, DONE, 0);
    store(0, WAITING, 0);
    atomic { at[0] == NOTHING -> units = UNITS }; /* released */
#ifdef M_STORED_STATE
    load(0, STATE, value);
    store(0, STATE, value + 1);
#else
    add(0, STATE, 1);
#endif
    load(0, ASLEEP, value);
    if
    :: value != 0 -> wake(1); wake(2)
    :: else
    fi
}

inline wait_done()
{
    do
    :: load(0, DONE, value);
       if
       :: value == UNITS -> break
       :: else
       fi;
       exchange(0, WAITING, 1, value); /* yoke__announce */
       load(0, DONE, value);
       if
       :: value != UNITS -> futex_wait(0, DONE, value)
       :: else
       fi
    od
}

/* stop_threads() */
inline stop(k)
{
    exchange(0, SLEEPING(k), 0, value);
    if
    :: value == 1 -> futex_wake(0, SLEEPING(k))
    :: else
    fi
}

init
{
    byte value, job;
    atomic { run worker(1); run worker(2) };
    do
    :: job == JOBS -> break
    :: else -> publish(); work(0); wait_done(); assert(units == 0); job++
    od;
    served[1] == JOBS && served[2] == JOBS; /* whoever slept was woken */
    store(0, QUIT, 1);
    add(0, STATE, 1);
    stop(1);
    stop(2);
    _nr_pr == 2 /* joined; the hardware goes on */
}
