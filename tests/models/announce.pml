/* yoke__announce (lib/base/base.h) as the servant uses it (lib/opencl/servant.c): a thread that sleeps until there is an errand
 * in its inbox, and senders that wait for theirs. One says that it sleeps and looks once more, the other puts something
 * there and looks for sleepers. Every process has a store buffer of one store, which reaches memory at any later time (a
 * store waits while it is full, a load looks there first, a read-modify-write and a system call wait until it is empty):
 * what x86-64 does, and qemu to AArch64. The mutants store without waiting. */
#define SENDERS 2
#define NOTHING 255

/* Memory: */
#define INBOX 0
#define ASLEEP 1
#define FINISHED(k) (2 + 2 * (k))
#define WAITING(k) (3 + 2 * (k))
#define WORDS 6
byte memory[WORDS];
bool sleeps[WORDS]; /* in the kernel, on that word */
/* The store buffer of each process (0: the servant): */
byte at[3] = NOTHING, what[3];

inline load(me, word, value)
{
    atomic {
        if
        :: at[me] == word -> value = what[me]
        :: else -> value = memory[word]
        fi
    }
}

inline store(me, word, value) { atomic { at[me] == NOTHING -> at[me] = word; what[me] = value } }

inline exchange(me, word, value, before) { atomic { at[me] == NOTHING -> before = memory[word]; memory[word] = value } }

inline futex_wait(me, word, expected)
{
    atomic {
        at[me] == NOTHING ->
        if
        :: memory[word] == (expected) -> sleeps[word] = true
        :: else
        fi
    };
    !sleeps[word]
}

inline futex_wake(me, word) { atomic { at[me] == NOTHING -> sleeps[word] = false } }

proctype drain() /* the hardware */
{
    byte k;
end:
    do
    :: atomic { at[0] != NOTHING -> memory[at[0]] = what[0]; at[0] = NOTHING }
    :: atomic { at[1] != NOTHING -> memory[at[1]] = what[1]; at[1] = NOTHING }
    :: atomic { at[2] != NOTHING -> memory[at[2]] = what[2]; at[2] = NOTHING }
    od
}

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
        run drain();
        run servant();
        run sender(0);
        run sender(1)
    }
}
