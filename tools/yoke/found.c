/* What there is, and what Yoke would use of it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tools/yoke/tool.h"

enum { DEVICE_SECONDS = 60, LEAST_STEPS = 3 };

const char *found_pin_name(yoke_pin pin)
{
    static const char *const names[] = {"default", "compact", "scatter", "numa", "none"};
    return (unsigned)pin < sizeof names / sizeof *names ? names[pin] : "?";
}

const char *found_device_type(yoke_device_type type)
{
    return type == YOKE_DEVICE_CPU ? "CPU" : type == YOKE_DEVICE_GPU ? "GPU" : "accelerator";
}

static int by_number(const void *left, const void *right)
{
    const unsigned a = *(const unsigned *)left, b = *(const unsigned *)right;
    return (a > b) - (a < b);
}

void found_ranges(char *text, size_t size, const unsigned *numbers, size_t count)
{
    unsigned *sorted = malloc((count + 1) * sizeof *sorted);
    size_t used = 0;
    text[0] = '\0';
    if (sorted == NULL)
        return;
    memcpy(sorted, numbers, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_number);
    for (size_t k = 0; k < count && used + 64 < size;) {
        const unsigned step = k + 1 < count ? sorted[k + 1] - sorted[k] : 1;
        size_t end = k;
        while (end + 1 < count && sorted[end + 1] - sorted[end] == step)
            end++;
        if (step > 1 && end < k + LEAST_STEPS)
            end = k;
        used += (size_t)snprintf(text + used, size - used, end > k ? "%s%u-%u" : "%s%u", k > 0 ? ", " : "", sorted[k],
                                 sorted[end]);
        if (end > k && step > 1)
            used += (size_t)snprintf(text + used, size - used, " by %u", step);
        k = end + 1;
    }
    if (used + 64 >= size)
        (void)snprintf(text + used, size - used, ", ...");
    free(sorted);
}

/* --- devices, in a process of their own --- */

static void why_not_used(found_device *d, const yoke_device *facts, const char *asked, unsigned k)
{
    if (facts->state == YOKE_DEVICE_REFUSED)
        (void)snprintf(d->why, sizeof d->why, "refused: %s", facts->reason);
    else if (facts->state == YOKE_DEVICE_LOST)
        (void)snprintf(d->why, sizeof d->why, "lost: %s", facts->reason);
    else if (!d->used && asked != NULL)
        (void)snprintf(d->why, sizeof d->why, "YOKE_DEVICES=%.100s leaves it out", asked);
    else if (!d->used)
        (void)snprintf(d->why, sizeof d->why,
                       "it is the CPU itself, whose cores are the workers'; YOKE_DEVICES=cpu,opencl:%u uses it all the "
                       "same",
                       k);
}

static void note_device(found_devices *found, yoke_runtime *runtime, unsigned k, const char *asked, bool selected)
{
    yoke_device facts;
    found_device *d = &found->at[found->count];
    if (found->count == FOUND_DEVICES || yoke_device_of(runtime, k, &facts) != YOKE_OK)
        return;
    found->count++;
    *d = (found_device){.type = facts.type,
                        .state = facts.state,
                        .used = selected && facts.in_use != 0 && facts.state == YOKE_DEVICE_READY,
                        .shares_memory = facts.shares_memory != 0,
                        .has_double = facts.has_double != 0,
                        .is_exact = facts.is_exact != 0,
                        .compute_units = facts.compute_units,
                        .node = facts.node,
                        .memory_bytes = facts.memory_bytes,
                        .array_bytes = facts.array_bytes};
    (void)snprintf(d->name, sizeof d->name, "%s", facts.name);
    (void)snprintf(d->platform, sizeof d->platform, "%s", facts.platform);
    (void)snprintf(d->driver, sizeof d->driver, "%s", facts.driver);
    (void)snprintf(d->version, sizeof d->version, "%s", facts.version);
    why_not_used(d, &facts, asked, k);
}

/* What the environment selects, and all that there is when it selects the workers alone. */
static void list_devices(found_devices *found)
{
    const char *asked = getenv("YOKE_DEVICES");
    if (asked != NULL && asked[0] == '\0')
        asked = NULL;
    found->looked = true;
    yoke_runtime *runtime = yoke_open(&(yoke_runtime_options){.workers = 1});
    if (runtime == NULL)
        (void)snprintf(found->problem, sizeof found->problem, "%s", yoke_error_detail());
    int count = runtime != NULL ? yoke_devices(runtime) : 0;
    const bool selected = count > 0;
    if (count == 0 && (runtime = yoke_open(&(yoke_runtime_options){.workers = 1, .devices = "all"})) != NULL)
        count = yoke_devices(runtime);
    for (int k = 0; k < count; k++)
        note_device(found, runtime, (unsigned)k, asked, selected);
    if (count < 0)
        (void)snprintf(found->problem, sizeof found->problem, "%s", yoke_error_detail());
    if (count == 0 && found->problem[0] == '\0' &&
        yoke_open(&(yoke_runtime_options){.workers = 1, .devices = "opencl"}) == NULL)
        (void)snprintf(found->problem, sizeof found->problem, "%s", yoke_error_detail());
}

_Noreturn static void child(int end)
{
    found_devices *found = calloc(1, sizeof *found);
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0)
        (void)dup2(nowhere, STDOUT_FILENO); /* drivers may print */
    if (found != NULL) {
        list_devices(found);
        const char *from = (const char *)found;
        for (size_t left = sizeof *found; left > 0;) {
            const ssize_t done = write(end, from, left);
            if (done <= 0)
                break;
            from += done;
            left -= (size_t)done;
        }
    }
    _exit(0); /* past the drivers' exit handlers */
}

static int64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static bool read_all(int end, found_devices *found)
{
    found_devices *got = calloc(1, sizeof *got);
    const int64_t until = now_ms() + DEVICE_SECONDS * 1000;
    size_t done = 0;
    while (got != NULL && done < sizeof *got && now_ms() < until) {
        struct pollfd one = {.fd = end, .events = POLLIN};
        if (poll(&one, 1, (int)(until - now_ms())) <= 0)
            continue;
        const ssize_t some = read(end, (char *)got + done, sizeof *got - done);
        if (some <= 0)
            break;
        done += (size_t)some;
    }
    const bool whole = got != NULL && done == sizeof *got;
    if (whole)
        *found = *got;
    free(got);
    return whole;
}

static void look_for_devices(found_devices *found)
{
    int ends[2], status = 0;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        (void)snprintf(found->problem, sizeof found->problem, "no pipe to look for them: %s", strerror(errno));
        return;
    }
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0)
        child(ends[1]);
    (void)close(ends[1]);
    const bool whole = pid > 0 && read_all(ends[0], found);
    (void)close(ends[0]);
    if (pid < 0) {
        (void)snprintf(found->problem, sizeof found->problem, "no process to look for them: %s", strerror(errno));
        return;
    }
    if (!whole && waitpid(pid, &status, WNOHANG) == 0) {
        (void)kill(pid, SIGKILL);
        (void)snprintf(found->problem, sizeof found->problem, "a driver did not answer within %d s", DEVICE_SECONDS);
    }
    if (whole || found->problem[0] != '\0') {
        (void)waitpid(pid, &status, 0);
        return;
    }
    found->looked = true;
    found->signal = WIFSIGNALED(status) ? WTERMSIG(status) : SIGKILL;
    (void)snprintf(found->problem, sizeof found->problem, "a driver crashed while it listed its devices: %s",
                   strsignal(found->signal));
}

/* --- instruction sets --- */

static void look_for_sets(survey *f)
{
#if defined(__x86_64__)
    static const char *const names[] = {"baseline", "avx2", "avx512"};
#else
    static const char *const names[] = {"neon"};
#endif
    yoke_runtime *usual = yoke_open(&(yoke_runtime_options){.workers = 1, .devices = "cpu"});
    const char *used = usual != NULL ? yoke_isa(usual) : "";
    if (usual == NULL)
        (void)snprintf(f->problem, sizeof f->problem, "%s", yoke_error_detail());
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        found_set *set = &f->sets[f->set_count++];
        set->name = names[k];
        yoke_runtime *runtime = yoke_open(&(yoke_runtime_options){.workers = 1, .devices = "cpu", .isa = names[k]});
        set->there = runtime != NULL;
        set->used = set->there && strcmp(used, names[k]) == 0;
        if (!set->there)
            (void)snprintf(set->why, sizeof set->why, "%s", yoke_error_detail());
        else if (!set->used)
            (void)snprintf(set->why, sizeof set->why, "%s is used", used[0] != '\0' ? used : "none");
        (void)yoke_close(runtime);
    }
    (void)yoke_close(usual);
}

/* --- all of it --- */

static void look_at_system(survey *f)
{
    struct utsname name;
    system_cpu_model("", f->model, sizeof f->model);
    if (uname(&name) == 0)
        (void)snprintf(f->system, sizeof f->system, "%.32s, %.32s %.64s", name.machine, name.sysname, name.release);
    f->cache_count = system_caches("", f->machine->cpus[0].os_cpu, f->caches);
}

survey *found_look(const command *of, const char *description, bool with_devices)
{
    survey *f = calloc(1, sizeof *f);
    if (f == NULL) {
        (void)tool_fail(of, "no memory");
        return NULL;
    }
    f->native = description == NULL;
    if (f->native && with_devices)
        look_for_devices(&f->devices); /* first: a process with threads is not forked */
    f->machine = yoke_machine_read(description);
    if (f->machine == NULL) {
        (void)tool_fail(of, "%s", yoke_error_detail());
        found_free(f);
        return NULL;
    }
    if (f->native) {
        look_at_system(f);
        look_for_sets(f);
    } else {
        (void)snprintf(f->model, sizeof f->model, "%s", description);
    }
    return f;
}

void found_free(survey *f)
{
    if (f != NULL)
        yoke_machine_free(f->machine);
    free(f);
}
