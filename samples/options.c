/* Prices of options by Black and Scholes, for every row of a CSV file. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/quotes.h"
#include "common/sample.h"
#include "yoke/kernels.h"
#include "yoke/yoke.h"

static const char help[] =
    "usage: options [--strict] IN.csv OUT.csv\n\n"
    "Adds the prices of a call and a put to every row. The first line of IN.csv names its columns; needed are spot,\n"
    "strike, days (until expiry), rate and volatility (fractions per year). Bad rows are reported and left out; with\n"
    "--strict the first one ends the program, and nothing is written.\n";

static void write_prices(const char *path, const quotes *q, const float *call, const float *put)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        fail("%s cannot be written: %s", path, strerror(errno));
    fprintf(file, "%s,call,put\n", q->header);
    for (size_t k = 0; k < q->count; k++)
        fprintf(file, "%s,%.4f,%.4f\n", q->lines[k], (double)call[k], (double)put[k]);
    const int failed = ferror(file);
    if (fclose(file) != 0 || failed)
        fail("%s cannot be written: %s", path, strerror(errno));
}

int main(int argc, char **argv)
{
    const int strict = argc > 1 && strcmp(argv[1], "--strict") == 0;
    usage(argc, argv, 2 + strict, 2 + strict, help);
    quotes q = quotes_read(argv[1 + strict], strict);
    float *call = grab(q.count, sizeof *call), *put = grab(q.count, sizeof *put);
    must(parallel_map(yoke_black_scholes_each, q.count, q.spot, q.strike, q.years, q.rate, q.volatility, call, put));
    write_prices(argv[2 + strict], &q, call, put);
    printf("%zu rows priced, %zu left out\n", q.count, q.refused);
    free(call);
    free(put);
    quotes_free(&q);
    return 0;
}
