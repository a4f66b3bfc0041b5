/* What is printed and written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/conformance.h"

enum { REASONS = 64, FAILURES_SHOWN = 200 };

/* Skips are many and their reasons few. */
typedef struct reason {
    char place[NAME], text[DETAIL], example[DETAIL];
    unsigned long count;
} reason;

static reason reasons[REASONS];
static size_t reason_count;
static unsigned long failures;
static FILE *csv;

bool report_open(const char *csv_path)
{
    if (csv_path == NULL)
        return true;
    csv = fopen(csv_path, "w");
    if (csv == NULL)
        return false;
    fprintf(csv, "case,outcome,seconds,detail\n");
    return true;
}

static void count_skip(const char *where, const char *name, const char *text)
{
    size_t k = 0;
    while (k < reason_count && (strcmp(reasons[k].text, text) != 0 || strcmp(reasons[k].place, where) != 0))
        k++;
    if (k == REASONS) {
        printf("skip %s: %s\n", name, text);
        return;
    }
    if (k == reason_count) {
        snprintf(reasons[k].place, sizeof reasons[k].place, "%s", where);
        snprintf(reasons[k].text, sizeof reasons[k].text, "%s", text);
        snprintf(reasons[k].example, sizeof reasons[k].example, "%s", name);
        reason_count++;
    }
    reasons[k].count++;
}

static void write_csv(const char *name, outcome what, const char *detail, double seconds)
{
    static const char *const words[] = {"passed", "failed", "skipped"};
    fprintf(csv, "%s,%s,%.6f,\"", name, words[what], seconds);
    for (const char *c = detail; *c != '\0'; c++)
        (void)(*c == '"' ? fputs("\"\"", csv) : fputc(*c, csv));
    fputs("\"\n", csv);
}

void report_case(place *where, const char *name, outcome what, const char *detail, double seconds)
{
    if (csv != NULL)
        write_csv(name, what, detail, seconds);
    if (what == PASSED) {
        where->passed++;
    } else if (what == SKIPPED) {
        where->skipped++;
        count_skip(where->name, name, detail);
    } else {
        where->failed++;
        if (failures++ < FAILURES_SHOWN)
            printf("FAIL %s: %s\n", name, detail);
        else if (failures == FAILURES_SHOWN + 1)
            printf("more failures follow, counted only; --csv has them\n");
    }
}

int report_close(const places *all)
{
    unsigned long passed = 0, failed = 0, skipped = 0;
    printf("\n%-28s %8s %8s %8s\n", "place", "passed", "failed", "skipped");
    for (size_t k = 0; k < all->count; k++) {
        const place *at = &all->list[k];
        printf("%-28s %8lu %8lu %8lu\n", at->name, at->passed, at->failed, at->skipped);
        passed += at->passed;
        failed += at->failed;
        skipped += at->skipped;
    }
    for (size_t k = 0; k < reason_count; k++)
        printf("skipped on %s, %lu times: %s; first %s\n", reasons[k].place, reasons[k].count, reasons[k].text,
               reasons[k].example);
    bool written = true;
    if (csv != NULL)
        written = fclose(csv) == 0;
    if (!written)
        printf("the CSV file could not be written\n");
    printf("%lu passed, %lu failed, %lu skipped\n", passed, failed, skipped);
    return failed == 0 && written ? 0 : 1;
}
