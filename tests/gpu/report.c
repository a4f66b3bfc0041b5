#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "tests/gpu/measure.h"

static FILE *csv;
static unsigned number, failures, rows;

double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

bool report_open(const char *csv_path, unsigned device)
{
    number = device;
    if (csv_path != NULL) {
        csv = fopen(csv_path, "a");
        if (csv == NULL || fseek(csv, 0, SEEK_END) != 0)
            return false;
        if (ftell(csv) == 0)
            fprintf(csv, "device,what,n,value,unit,limit,fraction,status\n");
    }
    printf("%-28s %11s %11s %-8s %11s %9s  %s\n", "what", "n", "value", "unit", "limit", "fraction", "status");
    return true;
}

/* Statuses may come from a driver: quotes are doubled, line ends become blanks. */
static void write_text(const char *text)
{
    fputc('"', csv);
    for (; *text != '\0'; text++)
        if (*text == '"')
            fputs("\"\"", csv);
        else
            fputc(*text == '\n' || *text == '\r' ? ' ' : *text, csv);
    fputc('"', csv);
}

static void number_text(char text[32], double value)
{
    text[0] = '\0';
    if (isfinite(value))
        (void)snprintf(text, 32, "%.5g", value);
}

static void row(const char *what, size_t n, double value, const char *unit, double limit, double fraction,
                const char *status)
{
    char v[32], l[32], f[32];
    number_text(v, value);
    number_text(l, limit);
    number_text(f, fraction);
    rows++;
    printf("%-28s %11zu %11s %-8s %11s %9s  %s\n", what, n, v, unit, l, f, status);
    fflush(stdout);
    if (csv == NULL)
        return;
    fprintf(csv, "opencl:%u,", number);
    write_text(what);
    fprintf(csv, ",%zu,%s,%s,%s,%s,", n, v, unit, l, f);
    write_text(status);
    fputc('\n', csv);
    fflush(csv);
}

void report_rate(const char *what, size_t n, double value, const char *unit, double limit)
{
    row(what, n, value, unit, limit > 0 ? limit : NAN, limit > 0 ? value / limit : NAN, "ok");
}

void report_time(const char *what, size_t n, double seconds, double limit_seconds)
{
    const bool limited = limit_seconds > 0;
    row(what, n, 1e3 * seconds, "ms", limited ? 1e3 * limit_seconds : NAN, limited ? limit_seconds / seconds : NAN,
        "ok");
}

void report_failed(const char *what, size_t n, const char *format, ...)
{
    char text[400] = "FAILED: ";
    va_list values;
    va_start(values, format);
    (void)vsnprintf(text + strlen(text), sizeof text - strlen(text), format, values);
    va_end(values);
    failures++;
    row(what, n, NAN, "", NAN, NAN, text);
}

void report_skipped(const char *what, size_t n, const char *format, ...)
{
    char text[400] = "skipped: ";
    va_list values;
    va_start(values, format);
    (void)vsnprintf(text + strlen(text), sizeof text - strlen(text), format, values);
    va_end(values);
    row(what, n, NAN, "", NAN, NAN, text);
}

unsigned report_close(void)
{
    printf("%u rows, %u failed\n", rows, failures);
    if (csv != NULL && fclose(csv) != 0) {
        printf("the CSV file could not be written\n");
        failures++;
    }
    return failures;
}
