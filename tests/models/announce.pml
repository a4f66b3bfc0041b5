/* yoke__announce (lib/base/base.h) as the servant uses it (lib/opencl/servant.c): a thread that sleeps until there is an errand
 * in its inbox, and senders that wait for theirs. One says that it sleeps and looks once more, the other puts something
 * there and looks for sleepers. The mutants store without waiting for memory. */
#define SENDERS 2
#define PROCESSES 3 /* 0: the servant */
#define INBOX 0
#define ASLEEP 1
#define FINISHED(k) (2 + 2 * (k))
#define WAITING(k) (3 + 2 * (k))
#define WORDS 6
#include "memory.inc"

/* push(), in servant_send() */
inline push(me, k)
{
    atomic { at[me] == NOTHING -> memory[INBOX] = memory[INBOX] | (1 << (k)) };
    load(me, ASLEEP, seen);
    if
    :: seen != 0 ->
       exchange(me, ASLEEP, 0, seen);
       if
       :: seen != 0 -> futex_wake(me, ASLEEP)
       :: else
       fi
    :: else
    fi
}

/* await() */
inline await()
{
    do
    :: load(0, INBOX, seen);
       if
       :: seen != 0 -> break
       :: else
       fi;
#ifdef M_STORED_ASLEEP
       store(0, ASLEEP, 1);
#else
       exchange(0, ASLEEP, 1, seen);
#endif
#ifndef M_NO_SECOND_LOOK
       load(0, INBOX, seen);
#else
       seen = 0;
#endif
       if
       :: seen == 0 -> futex_wait(0, ASLEEP, 1)
       :: else
       fi;
       store(0, ASLEEP, 0)
    od
}

/* finish() */
inline finish(k)
{
#ifdef M_STORED_FINISHED
    store(0, FINISHED(k), 1);
#else
    exchange(0, FINISHED(k), 1, seen);
#endif
    load(0, WAITING(k), seen);
    if
    :: seen != 0 -> futex_wake(0, FINISHED(k))
    :: else
    fi
}

/* errand_wait(); a store would do here, for the kernel looks at FINISHED once more */
inline errand_wait(me, k)
{
    exchange(me, WAITING(k), 1, seen);
    do
    :: load(me, FINISHED(k), seen);
       if
       :: seen != 0 -> break
       :: else -> futex_wait(me, FINISHED(k), 0)
       fi
    od
}

proctype servant()
{
    byte seen, taken, done;
    do
    :: done == SENDERS -> break
    :: else ->
       await();
       exchange(0, INBOX, 0, taken); /* take_all() */
       if
       :: (taken & 1) != 0 -> finish(0); done++
       :: else
       fi;
       if
       :: (taken & 2) != 0 -> finish(1); done++
       :: else
       fi
    od
}

proctype sender(byte k)
{
    byte seen;
    push(k + 1, k);
    errand_wait(k + 1, k);
    assert(memory[FINISHED(k)] == 1)
}

init
{
    atomic {
        run servant();
        run sender(0);
        run sender(1)
    }
}
