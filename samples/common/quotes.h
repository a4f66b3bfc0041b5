/* Quotes of options from a CSV file, whose first line names the columns. Needed are spot, strike, days, rate and volatility
 * in any order, the last two as fractions per year; others are kept as text. */
#ifndef YOKE_SAMPLES_QUOTES_H
#define YOKE_SAMPLES_QUOTES_H

#include <stdbool.h>
#include <stddef.h>

typedef struct quotes {
    size_t count, refused; /* good rows; rows that were not */
    float *spot, *strike, *years, *rate, *volatility;
    char *header;
    char **lines; /* of each good row, as it stood in the file */
} quotes;

/* Reads all rows. Says of each bad row why, with its line number, and leaves it out; or fails, if strict. Fails for a
 * file that cannot be read, or lacks a column. */
quotes quotes_read(const char *path, bool strict);

void quotes_free(quotes *q);

#endif
