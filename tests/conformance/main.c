/* conformance: see usage(). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/conformance/conformance.h"

enum { SKIP = 77, USAGE = 2 };

static int usage(const char *why)
{
    fprintf(stderr,
            "conformance: %s\n"
            "usage: conformance [--list] [--only PATTERN] [--cpu | --devices | --device K] [--small] [--perf] [--csv "
            "FILE]\n"
            "  --list          names of the cases, kernel/size/mode/place\n"
            "  --only PATTERN  those that match as in bash, !(yoke_*) too; with --perf: kernels\n"
            "  --cpu           the workers only; --devices: OpenCL devices only; --device K: that one\n"
            "  --small         sizes up to 65, for slow devices\n"
            "  --perf          times at a million items instead\n"
            "  --csv FILE      a line per case\n"
            "exit status: 0, 1 when a case failed, 77 when there is no such device. YOKE_SEED repeats a run.\n",
            why);
    return USAGE;
}

typedef struct command {
    run_settings settings;
    selection which;
    const char *csv;
    bool perf;
} command;

/* NULL, or what is wrong. */
static const char *parse(int argc, char **argv, command *c)
{
    for (int k = 1; k < argc; k++) {
        const char *word = argv[k], *value = k + 1 < argc ? argv[k + 1] : NULL;
        const bool takes_value =
            strcmp(word, "--only") == 0 || strcmp(word, "--device") == 0 || strcmp(word, "--csv") == 0;
        if (takes_value && value == NULL)
            return "an option lacks its value";
        k += takes_value;
        if (strcmp(word, "--list") == 0)
            c->settings.list = true;
        else if (strcmp(word, "--only") == 0)
            c->settings.pattern = value;
        else if (strcmp(word, "--small") == 0)
            c->settings.small = true;
        else if (strcmp(word, "--cpu") == 0)
            c->which.devices = false;
        else if (strcmp(word, "--devices") == 0)
            c->which.cpu = false;
        else if (strcmp(word, "--perf") == 0)
            c->perf = true;
        else if (strcmp(word, "--csv") == 0)
            c->csv = value;
        else if (value != NULL && strcmp(word, "--device") == 0) {
            char *end;
            const long device = strtol(value, &end, 10);
            if (*end != '\0' || end == value || device < 0 || device > 1000)
                return "--device needs a number";
            c->which.device = (int)device;
            c->which.cpu = false;
        } else
            return "unknown option";
    }
    return c->which.cpu || c->which.devices ? NULL : "--cpu and --devices exclude each other";
}

static uint64_t seed_of_run(void)
{
    const char *text = getenv("YOKE_SEED");
    const uint64_t seed = text != NULL ? strtoull(text, NULL, 0) : (uint64_t)time(NULL) * 1000003 + (uint64_t)getpid();
    printf("conformance: YOKE_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

/* A device that is ready but ran nothing was not tested, whatever its reasons. */
static void check_that_devices_ran(places *all, const char *pattern)
{
    for (size_t k = 0; k < all->count && pattern == NULL; k++) {
        place *at = &all->list[k];
        if (at->device >= 0 && at->facts.state == YOKE_DEVICE_READY && at->passed + at->failed == 0)
            report_case(at, at->name, FAILED, "a device that is ready ran no case at all", 0);
    }
}

int main(int argc, char **argv)
{
    command c = {.which = {.cpu = true, .devices = true, .device = -1}};
    places all;
    char detail[DETAIL] = "";
    bool missing;
    const char *wrong = parse(argc, argv, &c);
    if (wrong != NULL)
        return usage(wrong);
    c.settings.seed = seed_of_run();
    if (!places_open(&all, &c.which, &missing, detail)) {
        printf("%s: %s\n", missing ? "skipped" : "failed", detail);
        return missing ? SKIP : 1;
    }
    int result;
    if (c.perf) {
        result = perf(&all, c.settings.pattern, c.settings.seed);
    } else if (!report_open(c.csv)) {
        result = usage("the CSV file cannot be written");
    } else {
        const bool usable = run_cases(&all, &c.settings);
        if (!c.settings.list)
            check_that_devices_ran(&all, c.settings.pattern);
        result = c.settings.list ? 0 : report_close(&all);
        result = usable ? result : 1;
    }
    places_close(&all);
    return result;
}
