/* yoke top: what the threads and devices of a running program do, live. */
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <yoke/trace.h>

#include "tools/yoke/tool.h"

enum { LANES = 1100, BAR = 30, LEAST_BAR = 8, LEAST_ROWS = 8, BESIDE_BAR = 33, RATES = 20 };

typedef struct view {
    yoke_watch *watch;
    long process;
    char program[64];
    yoke_lane before[LANES], now[LANES];
    int before_count, now_count;
    yoke_task_counts tasks_before, tasks_now;
    double before_s, now_s;
    bool terminal, colour;
    int rows, bar; /* of lanes; of its letters */
    bool narrow;   /* no room for rates */
} view;

static volatile sig_atomic_t ended;

static void end(int number)
{
    (void)number;
    ended = 1;
}

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- one picture --- */

/* By second, of what grew since the last look. */
static double rate(const view *v, uint64_t before, uint64_t now)
{
    const double passed = v->now_s - v->before_s;
    return passed > 0 && now > before ? (double)(now - before) / passed : 0;
}

static double share(const view *v, uint64_t before, uint64_t now)
{
    const double part = rate(v, before, now) / 1e9;
    return part > 1 ? 1 : part;
}

/* Busy is '#', waiting '.', asleep nothing. */
static void print_bar(const view *v, double busy, double waiting)
{
    const int full = (int)(busy * v->bar + 0.5), half = (int)((busy + waiting) * v->bar + 0.5);
    fputs(v->colour ? "[\033[32m" : "[", stdout);
    for (int k = 0; k < v->bar; k++) {
        if (v->colour && k == full)
            fputs("\033[33m", stdout);
        putchar(k < full ? '#' : k < half ? '.' : ' ');
    }
    fputs(v->colour ? "\033[0m]" : "]", stdout);
}

static void print_lane(const view *v, const yoke_lane *before, const yoke_lane *now)
{
    static const char *const words[] = {"-", "busy", "waiting", "asleep"};
    const double busy = share(v, before->busy_ns, now->busy_ns);
    const double waiting = share(v, before->waiting_ns, now->waiting_ns);
    printf("%-16s ", now->name);
    print_bar(v, busy, waiting);
    printf(" %3.0f%% %-8s", 100 * busy, now->device >= 0 ? "" : words[now->now]);
    if (!v->narrow)
        printf(" %9.3g %9.3g", rate(v, before->parts, now->parts), rate(v, before->steals, now->steals));
    if (now->device >= 0 && !v->narrow) {
        printf("  %s/s in", tool_bytes(rate(v, before->bytes_in, now->bytes_in)).text);
        printf(", %s/s out", tool_bytes(rate(v, before->bytes_out, now->bytes_out)).text);
    }
    putchar('\n');
}

static const yoke_lane *lane_before(const view *v, int k)
{
    static const yoke_lane none;
    if (v->now[k].device < 0)
        return k < v->before_count && v->before[k].device < 0 ? &v->before[k] : &none;
    for (int i = 0; i < v->before_count; i++)
        if (v->before[i].device == v->now[k].device)
            return &v->before[i];
    return &none;
}

/* It may be resized at any time. */
static void fit(view *v)
{
    struct winsize size;
    const bool known = v->terminal && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
    const int columns = known && size.ws_col > 0 ? size.ws_col : BAR + BESIDE_BAR + RATES + 1;
    v->narrow = columns < BESIDE_BAR + RATES + BAR / 2;
    v->rows = known && size.ws_row >= LEAST_ROWS ? size.ws_row - (v->narrow ? 8 : 6) : LANES; /* lines may be broken */
    v->rows = v->rows < 1 ? 1 : v->rows;
    v->bar = columns - 1 - BESIDE_BAR - (v->narrow ? 0 : RATES);
    v->bar = v->bar > BAR ? BAR : v->bar < LEAST_BAR ? LEAST_BAR : v->bar;
}

/* Programs without pools have none. */
static void print_tasks(const view *v)
{
    const yoke_task_counts *now = &v->tasks_now, *before = &v->tasks_before;
    if (now->submitted == 0)
        return;
    printf("tasks: %llu waiting, %llu running, %.3g done/s", (unsigned long long)now->waiting,
           (unsigned long long)now->running, rate(v, before->done, now->done));
    printf("; %llu failed, %llu cancelled\n", (unsigned long long)now->failed, (unsigned long long)now->cancelled);
}

static void print_head(const view *v)
{
    const char *key = v->bar > 18 ? "#: busy, .: waiting" : "#: busy";
    printf("%-16s %-*s %5s %-8s", "", v->bar + 2, key, "busy", "now");
    if (!v->narrow)
        printf(" %9s %9s", "parts/s", "steals/s");
    putchar('\n');
}

static void print_view(const view *v)
{
    double calls = 0, items = 0, busy = 0;
    const int most = v->rows;
    for (int k = 0; k < v->now_count; k++) {
        const yoke_lane *before = lane_before(v, k);
        calls += rate(v, before->calls, v->now[k].calls);
        items += rate(v, before->items, v->now[k].items);
        busy += v->now[k].device < 0 ? share(v, before->busy_ns, v->now[k].busy_ns) : 0;
    }
    if (v->terminal)
        fputs("\033[H\033[2J", stdout);
    printf("%s (%ld): %.3g calls/s, %.3g items/s, %.2f threads busy\n", v->program, v->process, calls, items, busy);
    print_tasks(v);
    putchar('\n');
    print_head(v);
    for (int k = 0; k < v->now_count && k < most; k++)
        print_lane(v, lane_before(v, k), &v->now[k]);
    if (v->now_count > most)
        printf("and %d more\n", v->now_count - most);
    if (v->terminal)
        fputs("q ends\n", stdout);
    fflush(stdout);
}

/* --- looking --- */

static bool look(view *v)
{
    memcpy(v->before, v->now, sizeof v->before);
    v->before_count = v->now_count;
    v->before_s = v->now_s;
    v->now_s = seconds();
    v->tasks_before = v->tasks_now;
    v->now_count = yoke_watch_read(v->watch, v->now, LANES);
    (void)yoke_watch_tasks(v->watch, &v->tasks_now);
    if (v->now_count > LANES)
        v->now_count = LANES;
    return v->now_count >= 0;
}

/* True when a key said so. */
static bool wait_for(double pause_s, bool terminal)
{
    const double until = seconds() + pause_s;
    for (double left; ended == 0 && (left = until - seconds()) > 0;) {
        struct pollfd keys = {.fd = terminal ? STDIN_FILENO : -1, .events = POLLIN};
        char key;
        if (poll(&keys, 1, (int)(left * 1000) + 1) > 0 &&
            (read(STDIN_FILENO, &key, 1) != 1 || key == 'q' || key == 'Q' || key == 3))
            return true;
    }
    return ended != 0;
}

static int watch(view *v, double pause_s, long looks)
{
    (void)look(v);
    for (long k = 0; looks == 0 || k < looks; k++) {
        if (wait_for(pause_s, v->terminal))
            return DONE;
        if (!look(v)) {
            printf("%s (%ld) has ended\n", v->program, v->process);
            return DONE;
        }
        fit(v);
        print_view(v);
    }
    return DONE;
}

static int watch_in_terminal(view *v, double pause_s, long looks)
{
    struct termios usual, raw;
    const struct sigaction stop = {.sa_handler = end};
    v->terminal = isatty(STDOUT_FILENO) == 1 && isatty(STDIN_FILENO) == 1;
    v->colour = v->terminal && getenv("NO_COLOR") == NULL;
    (void)sigaction(SIGINT, &stop, NULL);
    (void)sigaction(SIGTERM, &stop, NULL);
    const bool changed = v->terminal && tcgetattr(STDIN_FILENO, &usual) == 0;
    if (changed) {
        raw = usual;
        raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &raw);
    }
    const int status = watch(v, pause_s, looks);
    if (changed)
        (void)tcsetattr(STDIN_FILENO, TCSANOW, &usual);
    return status;
}

/* The only program there is, when none is named. */
static int choose(long *process)
{
    long pids[16];
    const int count = yoke_watchable(pids, 16);
    if (count < 0)
        return tool_fail(&tool_top, "%s", yoke_error_detail());
    if (count == 1) {
        *process = pids[0];
        return DONE;
    }
    if (count == 0)
        return tool_fail(&tool_top, "no program of this user keeps counters; start one with YOKE_COUNTERS=1");
    (void)tool_fail(&tool_top, "%d programs keep counters; name one:", count);
    for (int k = 0; k < count && k < 16; k++) {
        char name[64];
        (void)system_line("", name, sizeof name, "/proc/%ld/comm", pids[k]);
        fprintf(stderr, "%10ld %s\n", pids[k], name);
    }
    return FAILED;
}

static bool read_number(const char *text, double low, double high, double *number)
{
    char *rest;
    errno = 0;
    *number = strtod(text, &rest);
    return errno == 0 && isdigit((unsigned char)text[0]) && *rest == '\0' && *number >= low && *number <= high;
}

static int run(int count, char **words)
{
    const char *pause = "1", *looks = "0";
    double pause_s, look_count, number;
    long process = 0;
    for (int k = 1; k < count; k++) {
        if (tool_help(&tool_top, words[k]))
            return DONE;
        int is = tool_option(&tool_top, "-d", count, words, &k, &pause);
        if (is == 0)
            is = tool_option(&tool_top, "-n", count, words, &k, &looks);
        if (is < 0)
            return MISUSED;
        if (is > 0)
            continue;
        if (process != 0 || !read_number(words[k], 1, 4194304, &number) || number != (double)(long)number)
            return tool_misuse(&tool_top, "'%s' is no process", words[k]);
        process = (long)number;
    }
    if (!read_number(pause, 0.01, 3600, &pause_s))
        return tool_misuse(&tool_top, "-d %s: seconds from 0.01 to 3600 are wanted", pause);
    if (!read_number(looks, 0, 1e9, &look_count))
        return tool_misuse(&tool_top, "-n %s: a number is wanted", looks);
    if (process == 0 && choose(&process) != DONE)
        return FAILED;
    view *v = calloc(1, sizeof *v);
    int status = FAILED;
    if (v != NULL && (v->watch = yoke_watch_open(process)) != NULL) {
        v->process = process;
        (void)system_line("", v->program, sizeof v->program, "/proc/%ld/comm", process);
        status = watch_in_terminal(v, pause_s, (long)look_count);
        yoke_watch_close(v->watch);
    } else {
        (void)tool_fail(&tool_top, "%s", v != NULL ? yoke_error_detail() : "no memory");
    }
    free(v);
    return status;
}

const command tool_top = {"top", "what the threads and devices of a running program do",
                          "[-d SECONDS] [-n LOOKS] [PROCESS]\n\n"
                          "  -d SECONDS   from one look to the next; 1\n"
                          "  -n LOOKS     end after so many\n"
                          "  PROCESS      its number; not needed where there is only one\n\n"
                          "Programs that were started with YOKE_COUNTERS=1 can be watched, by the same user. q ends.\n",
                          run};
