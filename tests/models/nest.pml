/* A nest (lib/executor/nest.c): its thread puts tasks in without the lock and takes them back, or waits until another thread
 * has run them; that thread sleeps only when no nest is listed. Every task runs once, and the list holds the nest once. */
#define PROCESSES 3 /* 0: the nest's thread; 1: the one that looks for work */
#define TASKS 3
#define SLOT 0
#define LISTED 1
#define LOCK 2
#define CALLED 3
#define WORDS 4
#include "memory.inc"

byte listed_times, ran;
bool idle, over; /* with the lock held */

inline lock(me) { atomic { at[me] == NOTHING && memory[LOCK] == 0 -> memory[LOCK] = 1 } }
inline unlock(me) { atomic { at[me] == NOTHING -> memory[LOCK] = 0 } }

inline list(me)
{
    listed_times++;
    assert(listed_times == 1);
    exchange(me, LISTED, 1, seen)
}

inline pass_on()
{
    if
    :: idle ->
       idle = false;
       add(0, CALLED, 1);
       futex_wake(0, CALLED)
    :: else
    fi
}

/* yoke__nest_put(); the lane's places are one more than the thread's */
inline put()
{
#ifdef M_STORED_TASK
    store(0, SLOT, 1);
#else
    exchange(0, SLOT, 1, seen);
#endif
    load(0, LISTED, seen);
    if
    :: seen != 0
    :: else ->
       lock(0);
       load(0, LISTED, seen);
#ifdef M_NO_SECOND_LOOK
       seen = 0;
#endif
       if
       :: seen == 0 -> list(0)
       :: else
       fi;
       pass_on();
       unlock(0)
    fi
}

proctype owner()
{
    byte seen, count;
    do
    :: count == TASKS -> break
    :: else ->
       put();
       count++;
       if
       :: exchange(0, SLOT, 0, seen); /* it waits for that task */
          if
          :: seen != 0 -> ran++
          :: else
          fi
       :: true
       fi;
       ran == count
    od;
    assert(ran == TASKS);
    lock(0);
    over = true;
    pass_on();
    unlock(0)
}

/* unlist_empty() */
inline unlist()
{
    listed_times--;
#ifdef M_STORED_LISTED
    store(1, LISTED, 0);
#else
    exchange(1, LISTED, 0, seen);
#endif
#ifdef M_LOOK_ONCE
    seen = 0;
#else
    load(1, SLOT, seen);
#endif
    if
    :: seen != 0 -> list(1)
    :: else
    fi
}

proctype other()
{
    byte seen, calls;
    do
    :: lock(1);
       if
       :: over -> unlock(1); break
       :: else
       fi;
       load(1, LISTED, seen);
       if
       :: seen != 0 ->
          exchange(1, SLOT, 0, seen);
          if
          :: seen != 0 -> ran++
          :: else -> unlist()
          fi
       :: else
       fi;
       load(1, LISTED, seen);
       if
       :: seen != 0 -> unlock(1)
       :: else ->
          idle = true;
          calls = memory[CALLED];
          unlock(1);
          do
          :: load(1, CALLED, seen);
             if
             :: seen != calls -> break
             :: else -> futex_wait(1, CALLED, calls)
             fi
          od
       fi
    od
}

init
{
    atomic {
        run owner();
        run other()
    }
}
