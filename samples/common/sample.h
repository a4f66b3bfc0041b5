/* What the samples share: their ends, their arguments, memory and a progress bar. */
#ifndef YOKE_SAMPLES_SAMPLE_H
#define YOKE_SAMPLES_SAMPLE_H

#include <stddef.h>

#include "yoke/yoke.h"

/* Prints "name: message" and ends the program with exit status 1. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Fails with what Yoke says about a status, unless it is 0. */
void must(int status);

/* Zeroed memory for so many items of that size, or failure. */
void *grab(size_t count, size_t size);

/* The same as a managed array: freed with yoke_free(), and the host says when it reads or writes it (yoke/memory.h). */
void *grab_managed(size_t count, size_t size);

/* Prints the text and ends: for --help with status 0, for a number of arguments outside [least, most] with 2. */
void usage(int argc, char *const *argv, int least, int most, const char *text);

/* Argument k as a number of [least, most]; the default where it is not given. */
int argument(int argc, char *const *argv, int k, const char *what, int least, int most, int otherwise);

/* Draws a bar on standard error if that is a terminal; `what` is the name of the work, a string. Fits
 * yoke_options.progress. */
void show_progress(size_t done, size_t total, void *what);

/* Seconds on a clock that only goes forward. */
double seconds(void);

#endif
