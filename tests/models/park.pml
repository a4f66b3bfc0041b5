/* yoke__park and yoke__unpark (lib/base/wait.c): one sleeper, who frees the word when it has seen as many steps as there will
 * be, and as many wakers. Each inline is the function of its name, each step one access to the word or one system call. */
#ifndef STEPS
#define STEPS 3
#endif
#define ASLEEP 128

byte word, early;
bool asleep, gone;

inline touch() { assert(!gone) }

inline futex_wait(expected) /* on the word */
{
#ifdef M_NO_COMPARISON
    asleep = true;
#else
    atomic {
        touch();
        if
        :: word == (expected) -> asleep = true
        :: else
        fi
    };
#endif
    !asleep
}

inline futex_wake() { asleep = false } /* by address: the memory may be gone */

inline park() /* seen = yoke__park(&word, seen, a deadline, 0) */
{
    atomic { touch(); now = word };
    if
    :: (now & ~ASLEEP) != seen -> atomic { touch(); seen = word & ~ASLEEP }
    :: else ->
       do
       :: (now & ~ASLEEP) != seen -> break
       :: early > 0 -> early--; break
       :: (now & ~ASLEEP) == seen ->
#if defined(M_PLAIN_STORE)
          atomic { touch(); word = now | ASLEEP };
#elif !defined(M_UNMARKED)
          if
          :: (now & ASLEEP) == 0 ->
             atomic {
                 touch();
                 if
                 :: word == now -> word = now | ASLEEP
                 :: else -> now = word; goto again
                 fi
             }
          :: else
          fi;
#endif
#ifdef M_UNMARKED
          futex_wait(seen);
#else
          futex_wait(seen | ASLEEP);
#endif
          atomic { touch(); now = word };
again:    skip
       od;
       atomic { touch(); word = word & ~ASLEEP; seen = word }
    fi
}

proctype waker() /* yoke__unpark */
{
    byte before;
#ifdef M_LOOK_FIRST
    atomic { touch(); before = word };
    atomic { touch(); word++ };
#else
    atomic { touch(); before = word; word++ };
#endif
#ifdef M_LOOK_AGAIN
    atomic { touch(); before = word };
#endif
    if
    :: (before & ASLEEP) != 0 -> futex_wake()
    :: else
    fi
}

init
{
    byte seen, now, steps;
    early = 2; /* deadlines that pass */
    atomic {
        do
        :: steps < STEPS -> run waker(); steps++
        :: else -> break
        od
    };
    do
    :: seen < STEPS -> park()
    :: else -> break
    od;
    assert(seen == STEPS);
    gone = true
}
