/* The end of the program (lib/opencl/servant.c): await_quiet(), an exit handler, waits for errands that are under way, and
 * no errand in the background begins after it, for the driver's exit handlers take away what that would use. */
byte under_way;
bool leaving, returned, asleep, runs;

/* run_errand() */
proctype servant()
{
    bool seen;
#ifdef M_LOOK_FIRST
    seen = leaving;
    under_way++;
#else
    under_way++;
    seen = leaving;
#endif
    if
    :: !seen ->
       assert(!returned);
       runs = true;
       assert(!returned);
       runs = false
    :: else
    fi;
#ifdef M_RELAXED_LOOK /* what AArch64 may make of it */
    seen = leaving;
    under_way--;
#else
    under_way--;
    seen = leaving;
#endif
    if
    :: seen -> asleep = false
    :: else
    fi
}

/* await_quiet() */
init
{
    byte count;
    run servant();
    leaving = true;
    do
    :: count = under_way;
       if
       :: count == 0 -> break
       :: else ->
          atomic {
              if
              :: under_way == count -> asleep = true
              :: else
              fi
          };
          !asleep
       fi
    od;
    returned = true
}
