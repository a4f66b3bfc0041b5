/* Life of objects, and what callers do wrong with them. */
#include <stdarg.h>

#include "tests/fault/fakecl/fake.h"

enum { QUARANTINE = 1 << 14, TEXT_LENGTH = 300 };

/* --- violations --- */

static pthread_mutex_t text_lock = PTHREAD_MUTEX_INITIALIZER;
static char last_text[TEXT_LENGTH];
static int count;
static bool is_lenient;

void violation(const char *format, ...)
{
    va_list arguments;
    (void)pthread_mutex_lock(&text_lock);
    va_start(arguments, format);
    (void)vsnprintf(last_text, sizeof last_text, format, arguments);
    va_end(arguments);
    count++;
    if (!is_lenient) {
        (void)fprintf(stderr, "fakecl: violation: %s\n", last_text);
        abort();
    }
    (void)pthread_mutex_unlock(&text_lock);
}

int violations_count(void)
{
    (void)pthread_mutex_lock(&text_lock);
    int counted = count;
    (void)pthread_mutex_unlock(&text_lock);
    return counted;
}

void violations_reset(bool lenient)
{
    (void)pthread_mutex_lock(&text_lock);
    is_lenient = lenient;
    (void)pthread_mutex_unlock(&text_lock);
}

void violations_clear(void)
{
    (void)pthread_mutex_lock(&text_lock);
    count = 0;
    last_text[0] = '\0';
    (void)pthread_mutex_unlock(&text_lock);
}

const char *fakecl_violation(void)
{
    static __thread char copy[TEXT_LENGTH];
    (void)pthread_mutex_lock(&text_lock);
    memcpy(copy, last_text, sizeof copy);
    (void)pthread_mutex_unlock(&text_lock);
    return copy;
}

/* --- objects --- */

static const struct {
    const char *name;
    cl_int invalid;
} kinds[] = {[0] = {"object", CL_INVALID_VALUE},
             [PLATFORM] = {"platform", CL_INVALID_PLATFORM},
             [DEVICE] = {"device", CL_INVALID_DEVICE},
             [CONTEXT] = {"context", CL_INVALID_CONTEXT},
             [QUEUE] = {"command queue", CL_INVALID_COMMAND_QUEUE},
             [MEM] = {"memory object", CL_INVALID_MEM_OBJECT},
             [PROGRAM] = {"program", CL_INVALID_PROGRAM},
             [KERNEL] = {"kernel", CL_INVALID_KERNEL},
             [EVENT] = {"event", CL_INVALID_EVENT}};

cl_int invalid(object_kind kind)
{
    return kinds[kind].invalid;
}

void *refused(cl_int *to, cl_int error)
{
    if (to != NULL)
        *to = error;
    return NULL;
}

void *object_new(object_kind kind, size_t bytes, cl_device_id device)
{
    object *o = calloc(1, bytes);
    if (o == NULL)
        return NULL;
    *o = (object){.dispatch = fake_dispatch, .kind = kind, .refs = 1, .device = device};
    lock();
    o->next = fake.live;
    if (fake.live != NULL)
        fake.live->previous = o;
    fake.live = o;
    fake.live_count++;
    unlock();
    return o;
}

bool object_usable(const char *function, const void *what, object_kind kind)
{
    const object *o = what;
    if (o == NULL)
        violation("%s: the %s is NULL", function, kinds[kind].name);
    else if (o->kind != kind)
        violation("%s: a %s is given for a %s", function, kinds[o->kind % 9].name, kinds[kind].name);
    else if (o->refs == 0 && kind != DEVICE && kind != PLATFORM)
        violation("%s: the %s was released", function, kinds[kind].name);
    else
        return true;
    return false;
}

static void destroy(object *o)
{
    static object *quarantine[QUARANTINE];
    static unsigned next;
    switch (o->kind) {
    case QUEUE: unpin(((cl_command_queue)(void *)o)->context); break;
    case MEM: mem_destroy((cl_mem)(void *)o); break;
    case PROGRAM: program_destroy((cl_program)(void *)o); break;
    case KERNEL: kernel_destroy((cl_kernel)(void *)o); break;
    case EVENT: unpin(((cl_event)(void *)o)->queue); break;
    default: break;
    }
    if (o->previous != NULL)
        o->previous->next = o->next;
    else
        fake.live = o->next;
    if (o->next != NULL)
        o->next->previous = o->previous;
    o->destroyed = true;
    free(quarantine[next]);
    quarantine[next] = o;
    next = (next + 1) % QUARANTINE;
}

void pin(void *what)
{
    ((object *)what)->pins++;
}

void unpin(void *what)
{
    object *o = what;
    if (--o->pins == 0 && o->refs == 0)
        destroy(o);
}

void drop(void *what)
{
    object *o = what;
    if (--o->refs > 0)
        return;
    fake.live_count--;
    (void)pthread_cond_broadcast(&fake.changed); /* a queue's thread may end */
    if (o->pins == 0)
        destroy(o);
}

int objects_print(void)
{
    lock();
    for (const object *o = fake.live; o != NULL; o = o->next)
        (void)fprintf(stderr, "fakecl: a %s with %u references and %u pins\n", kinds[o->kind].name, o->refs, o->pins);
    unlock();
    return 0;
}

cl_int object_retain(const char *function, void *what, object_kind kind)
{
    verdict v = enter(function, what, kind);
    if (v.error != CL_SUCCESS)
        return v.error;
    lock();
    ((object *)what)->refs++;
    unlock();
    return CL_SUCCESS;
}

/* Also when it is to fail: a caller has no second way to be rid of the object. */
cl_int object_release(const char *function, void *what, object_kind kind)
{
    const int before = violations_count();
    verdict v = enter(function, what, kind);
    if (v.error == invalid(kind) && (what == NULL || violations_count() != before))
        return v.error;
    lock();
    if (object_usable(function, what, kind))
        drop(what);
    unlock();
    return v.error;
}
