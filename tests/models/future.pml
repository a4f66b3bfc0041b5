/* A future F (lib/future/future.c, wait.c) on a pool's thread, with those who wait for it, cancel it and give it a callback;
 * with -DDEPENDS after another one, B. Users' memory goes as early as yoke/future.h allows: `gone`. Names are those of the
 * C code: each inline is the function yoke__future_* (or yoke_*) of its name, and each step one access to shared memory. */
#define F 0
#define B 1
#define IDLE 0
#define PENDING 1
#define CLAIMED 2
#define RUNNING 3
#define DONE 4
#define FAILED 5
#define CANCELLED 6
#define KIND(word) ((word) & 7)
#define ENDING 8
#define LOCKED 16
#define CONTENDED 32
#define IS_NOBODYS(word) (KIND(word) == IDLE || (KIND(word) >= DONE && ((word) & ENDING) == 0))
#define HAS_ENDED(word) (KIND(word) >= DONE && ((word) & ENDING) == 0)

/* Watchers, bits of a list. */
#define PATIENT 1
#define HASTY 2
#define DEPENDENCY 4

byte state[2], watchers[2], sleepers[2], ends[2]; /* sleepers: of the lock's futex, by process */
bool gone[2], callback, watching, after_ended, queued, quits;
byte skipped, runs, calls, given, users;
bool word[3], here[3]; /* the waiters' words, and whether their stack frames are still there */
bool cancel_won;

inline touch(f) { assert(!gone[f]) }

inline futex_wake(f) { sleepers[f] = 0 } /* by address: the memory is not looked at */

inline lock(f) /* `got`; yoke__future_lock */
{
    do
    :: atomic { IS_NOBODYS(state[f]) -> touch(f); got = false; break }
    :: atomic { !IS_NOBODYS(state[f]) && (state[f] & LOCKED) == 0 ->
           touch(f); state[f] = state[f] | LOCKED; got = true; break }
    :: atomic { (state[f] & LOCKED) != 0 -> touch(f); state[f] = state[f] | CONTENDED; seen = state[f] };
       atomic {
           touch(f);
           if
           :: state[f] == seen -> sleepers[f] = sleepers[f] | (1 << _pid)
           :: else
           fi
       };
       (sleepers[f] & (1 << _pid)) == 0
    od
}

inline unlock(f)
{
    atomic { touch(f); seen = state[f]; state[f] = state[f] & ~(LOCKED | CONTENDED) };
    if
#ifndef M_NO_WAKE
    :: (seen & CONTENDED) != 0 -> futex_wake(f)
#endif
    :: else
    fi
}

inline claim(f, from, to) /* `got` */
{
    atomic {
        touch(f);
        got = KIND(state[f]) == from;
        if
        :: got -> state[f] = (state[f] & ~7) | (to)
        :: else
        fi
    }
}

inline watch(f, watcher) /* `got` */
{
#ifdef M_UNLOCKED_WATCH
    got = !HAS_ENDED(state[f]);
    if :: got -> atomic { touch(f); watchers[f] = watchers[f] | watcher } :: else fi
#else
    lock(f);
    if
    :: got -> watchers[f] = watchers[f] | watcher; unlock(f)
    :: else
    fi
#endif
}

inline unwatch(f, watcher) /* `got` */
{
    lock(f);
    if
    :: got -> atomic { got = (watchers[f] & watcher) != 0; watchers[f] = watchers[f] & ~(watcher) }; unlock(f)
    :: else
    fi
}

inline unpark(waiter) { atomic { assert(here[waiter]); word[waiter] = true } } /* park.pml */

/* With F's lock held. The pool's lock is atomic: nothing else is locked inside of it. */
inline advance()
{
    got = false;
    if
    :: KIND(state[F]) == PENDING && !after_ended ->
       watching = true;
       watch(B, DEPENDENCY);
       if
       :: got
       :: else ->
          watching = false; touch(B);
          if
          :: KIND(state[B]) == DONE -> after_ended = true
          :: else -> skipped = KIND(state[B])
          fi
       fi
    :: else
    fi;
    if
    :: !got ->
       if :: KIND(state[F]) == CLAIMED -> skipped = CLAIMED :: else fi;
       queued = true /* ready() */
    :: else
    fi
}

inline dependency_ended()
{
    lock(F); assert(got);
    watching = false;
    advance();
    unlock(F)
}

inline run_callback(f) { touch(f); calls++; touch(f) }

inline call_back(f, kind)
{
    if
    :: callback && f == F ->
#ifdef M_CALLBACK_AFTER_END
       atomic { state[f] = kind };
       run_callback(f)
#else
       atomic { touch(f); state[f] = (state[f] & ~7) | kind | ENDING };
       unlock(f);
       run_callback(f);
       lock(f); assert(got)
#endif
    :: else
    fi
}

inline finish(f, kind)
{
    lock(f); assert(got);
    call_back(f, kind);
#ifndef M_LATE_LIST
    atomic { touch(f); list = watchers[f] };
#endif
    atomic { touch(f); seen = state[f]; state[f] = kind; ends[f]++; assert(ends[f] == 1) };
    if :: (seen & CONTENDED) != 0 -> futex_wake(f) :: else fi;
#ifdef M_LATE_LIST
    atomic { touch(f); list = watchers[f] };
#endif
    if :: (list & PATIENT) != 0 -> unpark(PATIENT) :: else fi;
    if :: (list & HASTY) != 0 -> unpark(HASTY) :: else fi
}

/* A thread of the pool that runs F: yoke__lane_next() and claim() under the pool's lock, run(). */
proctype worker()
{
    bool got;
    byte seen, list, kind;
    do
    :: atomic { queued ->
           touch(F);
           queued = false;
           kind = (skipped == 0 -> DONE : (skipped == CLAIMED -> CANCELLED : skipped));
           got = skipped == CLAIMED || KIND(state[F]) == PENDING;
#ifdef M_CLAIM_IN_TWO
       };
       atomic {
#endif
           if
           :: got && skipped != CLAIMED -> state[F] = (state[F] & ~7) | (skipped != 0 -> CLAIMED : RUNNING)
           :: else
           fi
       };
       if
       :: !got
       :: got ->
          if
          :: atomic { skipped == 0 -> runs++; assert(!cancel_won); assert(ends[F] == 0) }
#ifdef DEPENDS
             assert(state[B] == DONE)
#endif
          :: else
          fi;
          finish(F, kind)
       fi
    :: quits -> break
    od
}

/* B runs on another thread, and ends. */
proctype before()
{
    bool got;
    byte seen, list, kind;
    if
    :: kind = DONE
    :: kind = FAILED
    fi;
    finish(B, kind);
    if
    :: (list & DEPENDENCY) != 0 -> dependency_ended()
    :: else
    fi
}

/* yoke_cancel, yoke__future_cancel_locked */
proctype canceller()
{
    bool got;
    byte seen, list;
    lock(F);
    if
    :: !got -> goto out
    :: got && KIND(state[F]) != PENDING -> unlock(F); goto out
    :: else
    fi;
    claim(F, PENDING, CLAIMED);
    if
    :: !got -> unlock(F); goto out
    :: else -> cancel_won = true; assert(runs == 0)
    fi;
#ifndef M_NO_WITHDRAW
    queued = false;
#endif
    if
    :: watching ->
       unwatch(B, DEPENDENCY);
#ifndef M_END_TWICE
       if
       :: !got -> unlock(F); goto out /* whoever ends B is on the way here */
       :: else
       fi;
#endif
       watching = false
    :: else
    fi;
    unlock(F);
    finish(F, CANCELLED);
out:
    users--
}

/* yoke_then */
proctype giver()
{
    bool got, first;
    byte seen;
    lock(F);
#ifdef M_THEN_UNLOCKED
    if
    :: got -> unlock(F)
    :: else
    fi;
#endif
    atomic { touch(F); first = !callback; callback = true; given = given + first };
#ifndef M_THEN_UNLOCKED
    if
    :: got -> unlock(F)
    :: else
    fi;
#endif
    if
    :: first && !got -> run_callback(F)
    :: else
    fi;
    users--
}

inline wait_for(waiter, deadline)
{
    if
    :: HAS_ENDED(state[F])
    :: else ->
       here[waiter] = true;
       watch(F, waiter);
       if
       :: !got
       :: got ->
          if
          :: word[waiter]
          :: deadline ->
             unwatch(F, waiter);
#ifndef M_LEAVE_AT_ONCE
             if
             :: got
             :: !got -> word[waiter]
             fi
#endif
          fi
       fi
    fi;
    here[waiter] = false
}

proctype hasty()
{
    bool got;
    byte seen;
    wait_for(HASTY, true);
    users--
}

init
{
    bool got;
    byte seen;
    state[F] = PENDING | LOCKED; /* yoke__future_begin */
#ifdef DEPENDS
    state[B] = RUNNING;
    run before();
#else
    state[B] = DONE;
    after_ended = true;
#endif
    run worker();
    advance();
    unlock(F);
    atomic {
#ifdef CANCEL
        users++;
        run canceller();
#endif
#ifdef HURRY
        users++;
        run hasty();
#endif
#ifdef THEN
        users = users + THEN;
        run giver();
#if THEN == 2
        run giver();
#endif
#endif
        skip
    };
    wait_for(PATIENT, false);
    assert(ends[F] == 1);
    users == 0 && HAS_ENDED(state[B]); /* calls of the program's own have returned */
    atomic {
        gone[F] = true;
        gone[B] = true;
        assert(calls == given);
        assert(runs + (state[F] == CANCELLED) <= 1);
        assert(!cancel_won || state[F] == CANCELLED)
    };
    quits = true
}
