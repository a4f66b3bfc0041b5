/* lib/opencl/servant: errands run in order, are waited for with a deadline, and can be left behind while they hang. */
#include <pthread.h>
#include <sched.h>

#include "tests/unit/servants.h"

/* --- order --- */

static void errands_run_in_the_order_of_sending(void **state)
{
    (void)state;
    static order_log log;
    static job *jobs[2000];
    atomic_bool gate = false;
    servant *s = servant_of("yoke-order");
    log.count = 0;
    for (uint32_t k = 0; k < 2000; k++) { /* the first one holds the others up, half the way */
        jobs[k] = job_of((job){.number = k, .log = &log, .gate = k == 0 ? &gate : NULL});
        servant_send(s, &jobs[k]->base);
        if (k == 1000)
            atomic_store(&gate, true);
    }
    assert_true(errand_wait(&jobs[1999]->base, in_ns(10ll * SECOND), 0));
    assert_int_equal(log.count, 2000);
    for (uint32_t k = 0; k < 2000; k++) {
        assert_int_equal(log.at[k], k);
        assert_true(errand_wait(&jobs[k]->base, 0, 0));
        errand_release(&jobs[k]->base);
    }
    assert_true(servant_stop(s, in_ns(10ll * SECOND)));
    assert_int_equal(atomic_load(&alive), 0);
}

enum { SENDERS = 4, EACH = 400 };

typedef struct sender {
    pthread_t thread;
    servant *to;
    order_log *log;
    uint32_t index;
    bool good;
} sender;

static void *send_many(void *argument)
{
    sender *self = argument;
    self->good = true;
    for (uint32_t k = 0; k < EACH; k++) {
        job *j = job_of((job){.number = self->index << 16 | k, .log = self->log});
        servant_send(self->to, &j->base);
        if (k % 3 == 0)
            self->good &= errand_wait(&j->base, in_ns(20ll * SECOND), k % 2 == 0 ? SPIN_NS : 0);
        errand_release(&j->base);
    }
    return NULL;
}

static void errands_of_several_senders_all_run_each_in_its_order(void **state)
{
    (void)state;
    static order_log log;
    sender senders[SENDERS];
    uint32_t next[SENDERS] = {0};
    servant *s = servant_of("yoke-senders");
    log.count = 0;
    for (uint32_t k = 0; k < SENDERS; k++) {
        senders[k] = (sender){.to = s, .log = &log, .index = k};
        assert_int_equal(pthread_create(&senders[k].thread, NULL, send_many, &senders[k]), 0);
    }
    for (uint32_t k = 0; k < SENDERS; k++) {
        pthread_join(senders[k].thread, NULL);
        assert_true(senders[k].good);
    }
    assert_true(servant_stop(s, in_ns(10ll * SECOND))); /* after the errands it has */
    assert_int_equal(log.count, SENDERS * EACH);
    for (size_t k = 0; k < log.count; k++)
        assert_int_equal(log.at[k] & 0xffff, next[log.at[k] >> 16]++);
    assert_int_equal(atomic_load(&alive), 0);
}

/* --- waiting --- */

static void wait_ends_at_its_deadline(void **state)
{
    (void)state;
    const int64_t past[] = {0, 1, -1, INT64_MIN}, spins[] = {0, SPIN_NS, INT64_MAX};
    atomic_bool gate = false;
    servant *s = servant_of("yoke-wait");
    job *j = job_of((job){.gate = &gate});
    servant_send(s, &j->base);
    for (size_t k = 0; k < sizeof past / sizeof *past; k++)
        assert_false(errand_wait(&j->base, past[k], INT64_MAX));
    for (size_t k = 0; k < sizeof spins / sizeof *spins; k++) {
        int64_t until = in_ns(20 * MILLISECOND);
        assert_false(errand_wait(&j->base, until, spins[k]));
        int64_t late = yoke__now_ns() - until;
        assert_true(late >= 0 && late < SECOND);
    }
    atomic_store(&gate, true);
    assert_true(errand_wait(&j->base, INT64_MAX, 0));
    assert_true(errand_wait(&j->base, 0, 0));
    errand_release(&j->base);
    assert_true(servant_stop(s, in_ns(10ll * SECOND)));
    none_is_alive_soon();
}

typedef struct disturber {
    job *job;
    atomic_bool stop;
} disturber;

static void *wake_without_reason(void *argument)
{
    disturber *self = argument;
    while (!atomic_load(&self->stop)) {
        yoke__futex_wake(&self->job->base.finished, 1000);
        sleep_ns(MILLISECOND / 10);
    }
    return NULL;
}

static void wait_is_not_fooled_by_wakes_without_reason(void **state)
{
    (void)state;
    atomic_bool gate = false;
    pthread_t thread;
    servant *s = servant_of("yoke-wakes");
    job *j = job_of((job){.gate = &gate});
    disturber d = {.job = j};
    servant_send(s, &j->base);
    assert_int_equal(pthread_create(&thread, NULL, wake_without_reason, &d), 0);
    int64_t until = in_ns(50 * MILLISECOND);
    assert_false(errand_wait(&j->base, until, 0));
    assert_true(yoke__now_ns() >= until);
    atomic_store(&gate, true);
    assert_true(errand_wait(&j->base, in_ns(10ll * SECOND), 0));
    atomic_store(&d.stop, true);
    pthread_join(thread, NULL);
    errand_release(&j->base);
    assert_true(servant_stop(s, in_ns(10ll * SECOND)));
}

static void *wait_too(void *argument)
{
    job *j = argument;
    return errand_wait(&j->base, in_ns(10ll * SECOND), 0) ? argument : NULL;
}

static void all_who_wait_for_an_errand_hear_of_its_end(void **state)
{
    (void)state;
    enum { WAITERS = 3 };
    pthread_t waiters[WAITERS];
    void *heard;
    atomic_bool gate = false;
    servant *s = servant_of("yoke-waiters");
    job *j = job_of((job){.gate = &gate});
    servant_send(s, &j->base);
    for (int k = 0; k < WAITERS; k++)
        assert_int_equal(pthread_create(&waiters[k], NULL, wait_too, j), 0);
    assert_false(errand_wait(&j->base, in_ns(20 * MILLISECOND), 0)); /* one who gives up must not silence the end */
    int64_t start = yoke__now_ns();
    atomic_store(&gate, true);
    for (int k = 0; k < WAITERS; k++) {
        pthread_join(waiters[k], &heard);
        assert_ptr_equal(heard, j);
    }
    assert_true(yoke__now_ns() - start < 5ll * SECOND);
    errand_release(&j->base);
    assert_true(servant_stop(s, in_ns(10ll * SECOND)));
}

/* --- leaving behind --- */

static void abandoned_errand_touches_nothing_any_more(void **state)
{
    (void)state;
    unsigned char area[1000] = {0}, copy[1000];
    atomic_bool began = false;
    servant *s = servant_of("yoke-touch");
    for (int round = 0; round < 5; round++) {
        job *j = job_of((job){.began = &began, .area = area});
        atomic_store(&began, false);
        servant_send(s, &j->base);
        while (round > 0 && !atomic_load(&began)) /* in round 0 most likely before it begins */
            sched_yield();
        if (round > 0)
            sleep_ns(round * MILLISECOND);
        errand_abandon(&j->base);
        memcpy(copy, area, sizeof copy); /* TSan and what follows: nobody writes */
        for (size_t b = 1; b < sizeof copy; b++)
            assert_int_equal(copy[b], copy[0]);
        assert_true(copy[0] == 0 || copy[0] > 100); /* never in the middle of a touch */
        errand_abandon(&j->base);                   /* once more does nothing */
        assert_true(errand_wait(&j->base, in_ns(10ll * SECOND), 0));
        assert_memory_equal(area, copy, sizeof copy);
        assert_false(errand_touch(&j->base));
        errand_release(&j->base);
    }
    assert_true(servant_stop(s, in_ns(10ll * SECOND)));
    none_is_alive_soon();
}

static void abandoned_errand_is_disposed_of_once_when_it_ends(void **state)
{
    (void)state;
    atomic_bool gate = false, began = false;
    atomic_uint disposed = 0;
    servant *s = servant_of("yoke-abandon");
    job *j = job_of((job){.gate = &gate, .began = &began, .disposed = &disposed});
    servant_send(s, &j->base);
    while (!atomic_load(&began))
        sched_yield();
    assert_false(errand_wait(&j->base, in_ns(MILLISECOND), SPIN_NS));
    errand_abandon(&j->base);
    errand_release(&j->base);
    assert_int_equal(atomic_load(&disposed), 0);
    atomic_store(&gate, true);
    assert_true(servant_stop(s, in_ns(10ll * SECOND)));
    assert_int_equal(atomic_load(&disposed), 1);
    assert_int_equal(atomic_load(&alive), 0);
}

static void servant_that_hangs_is_left_behind_in_time(void **state)
{
    (void)state;
    static order_log log; /* outlives this test, whatever the thread does */
    static atomic_bool gate, began;
    static atomic_uint disposed;
    log.count = 0;
    servant *s = servant_of("yoke-hang");
    job *hangs = job_of((job){.number = 1, .log = &log, .gate = &gate, .began = &began, .disposed = &disposed});
    job *behind = job_of((job){.number = 2, .log = &log, .disposed = &disposed});
    servant_send(s, &hangs->base);
    servant_send(s, &behind->base);
    while (!atomic_load(&began))
        sched_yield();
    errand_abandon(&hangs->base);
    errand_release(&hangs->base);
    errand_abandon(&behind->base);
    errand_release(&behind->base);
    int64_t until = in_ns(30 * MILLISECOND);
    assert_false(servant_stop(s, until));
    int64_t late = yoke__now_ns() - until;
    assert_true(late >= 0 && late < SECOND);
    assert_int_equal(atomic_load(&disposed), 0);
    atomic_store(&gate, true); /* the call returns after all */
    none_is_alive_soon();
    assert_int_equal(atomic_load(&disposed), 2);
    assert_int_equal(log.count, 1); /* what was sent after it does not run */
}

static void servant_may_be_stopped_before_it_has_begun(void **state)
{
    (void)state;
    yoke__topology *own;
    assert_true(servant_stop(NULL, 0));
    for (int round = 0; round < 20; round++) { /* ASan: the topology is not used after stopping */
        assert_int_equal(yoke__topology_load(&own), YOKE_OK);
        servant *s = servant_start(own, "yoke-brief", 0, false);
        assert_non_null(s);
        (void)servant_stop(s, 0);
        yoke__topology_free(own);
    }
    for (unsigned long round = rounds_of(200); round > 0; round--) {
        servant *s = servant_of("yoke-brief");
        (void)servant_stop(s, round % 2 == 0 ? 0 : in_ns(MILLISECOND));
        s = servant_of("yoke-brief");
        assert_true(servant_stop(s, in_ns(10ll * SECOND)));
    }
}

static void servant_without_memory_is_refused(void **state)
{
    (void)state;
    yoke__alloc_fail_at(1, false);
    assert_null(servant_start(topology, "yoke-none", -1, false));
    yoke__alloc_fail_at(0, false);
    assert_int_equal(yoke__last_failure(), YOKE_ENOMEM);
    assert_non_null(strstr(yoke_error_detail(), "yoke-none"));
}

/* --- speed --- */

static int by_size(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void ten_thousand_hot_errands_are_handed_over(void **state)
{
    (void)state;
    enum { HOT = 10000 };
    static int64_t took[HOT];
    servant *s = servant_of("yoke-hot");
    for (int k = 0; k < HOT; k++) {
        job *j = job_of((job){.number = 0});
        int64_t start = yoke__now_ns();
        servant_send(s, &j->base);
        bool ended = errand_wait(&j->base, start + 20ll * SECOND, SPIN_NS);
        took[k] = yoke__now_ns() - start;
        assert_true(ended);
        errand_release(&j->base);
    }
    qsort(took, HOT, sizeof *took, by_size);
    print_message("hand-over there and back: median %lld ns, 90 %% below %lld ns\n", (long long)took[HOT / 2],
                  (long long)took[HOT * 9 / 10]);
    assert_true(took[HOT / 2] < MILLISECOND);
    assert_true(servant_stop(s, in_ns(10ll * SECOND)));
    assert_int_equal(atomic_load(&alive), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errands_run_in_the_order_of_sending),
        cmocka_unit_test(errands_of_several_senders_all_run_each_in_its_order),
        cmocka_unit_test(wait_ends_at_its_deadline),
        cmocka_unit_test(wait_is_not_fooled_by_wakes_without_reason),
        cmocka_unit_test(all_who_wait_for_an_errand_hear_of_its_end),
        cmocka_unit_test(abandoned_errand_touches_nothing_any_more),
        cmocka_unit_test(abandoned_errand_is_disposed_of_once_when_it_ends),
        cmocka_unit_test(servant_that_hangs_is_left_behind_in_time),
        cmocka_unit_test(servant_may_be_stopped_before_it_has_begun),
        cmocka_unit_test(servant_without_memory_is_refused),
        cmocka_unit_test(ten_thousand_hot_errands_are_handed_over),
    };
    return cmocka_run_group_tests(tests, load_topology, free_topology);
}
