#include "common/quotes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/sample.h"

enum { COLUMNS = 5, MAX_FIELDS = 256 };

static const struct {
    const char *name;
    double above, most;
} columns[COLUMNS] = {
    {"spot", 0, 1e9}, {"strike", 0, 1e9}, {"days", 0, 36600}, {"rate", -1, 1}, {"volatility", 0, 10},
};

typedef struct reader {
    const char *path;
    size_t line, place[COLUMNS]; /* which field holds the column */
    size_t fields, capacity;
    quotes quotes;
} reader;

/* Cuts a line at its commas, in place; a field in quotes may hold commas, and "" for a quote. -1: a quote is open. */
static int split(char *line, char *fields[MAX_FIELDS])
{
    int count = 0;
    char *to = line;
    for (char *from = line;; from++) {
        bool quoted = *from == '"';
        if (count < MAX_FIELDS)
            fields[count++] = to;
        if (quoted) {
            for (from++; *from != '\0' && (*from != '"' || from[1] == '"'); from++) {
                from += *from == '"';
                *to++ = *from;
            }
            if (*from++ == '\0')
                return -1;
        }
        while (*from != '\0' && *from != ',')
            *to++ = *from++;
        bool last = *from == '\0';
        *to++ = '\0';
        if (last)
            return count;
    }
}

/* Without its end of line, which may be that of Windows. */
static bool read_line(reader *r, FILE *file, char **line, size_t *capacity, size_t *length)
{
    ssize_t got = getline(line, capacity, file);
    if (got < 0)
        return false;
    r->line++;
    *length = (size_t)got;
    while (*length > 0 && ((*line)[*length - 1] == '\n' || (*line)[*length - 1] == '\r'))
        (*line)[--*length] = '\0';
    return true;
}

static void read_header(reader *r, char *line)
{
    char *fields[MAX_FIELDS];
    if (strncmp(line, "\xef\xbb\xbf", 3) == 0) /* the mark that some spreadsheets put in front */
        line += 3;
    r->quotes.header = strdup(line);
    if (r->quotes.header == NULL)
        fail("no memory for the header of %s", r->path);
    int count = split(line, fields);
    r->fields = count > 0 ? (size_t)count : 0;
    for (int c = 0; c < COLUMNS; c++) {
        size_t k = 0;
        while (k < r->fields && strcmp(fields[k], columns[c].name) != 0)
            k++;
        if (k == r->fields)
            fail("%s has no column \"%s\"; its first line must name spot, strike, days, rate and volatility", r->path,
                 columns[c].name);
        r->place[c] = k;
    }
}

/* NULL, or what is wrong with the text. */
static const char *parse_number(const char *text, int column, double *number)
{
    char *end;
    *number = strtod(text, &end);
    if (end == text || *end != '\0' || text[strspn(text, "0123456789+-.eE")] != '\0')
        return "is not a number";
    if (!(*number > columns[column].above && *number <= columns[column].most))
        return "is out of range";
    return NULL;
}

/* True with all numbers, or false with a message about the row. */
static bool parse_row(const reader *r, char *line, size_t length, double numbers[COLUMNS], char *message, size_t room)
{
    char *fields[MAX_FIELDS];
    if (strlen(line) != length)
        return snprintf(message, room, "holds a zero byte") < 0;
    int count = split(line, fields);
    if (count < 0)
        return snprintf(message, room, "a quote is not closed") < 0;
    if ((size_t)count != r->fields)
        return snprintf(message, room, "has %d fields, not %zu", count, r->fields) < 0;
    for (int c = 0; c < COLUMNS; c++) {
        const char *wrong = parse_number(fields[r->place[c]], c, &numbers[c]);
        if (wrong != NULL)
            return snprintf(message, room, "%s \"%.40s\" %s", columns[c].name, fields[r->place[c]], wrong) < 0;
    }
    return true;
}

static float *grown(float *array, size_t capacity)
{
    array = realloc(array, capacity * sizeof *array);
    if (array == NULL)
        fail("no memory for %zu quotes", capacity);
    return array;
}

static void keep_row(reader *r, char *line, const double numbers[COLUMNS])
{
    quotes *q = &r->quotes;
    if (q->count == r->capacity) {
        r->capacity = 2 * r->capacity + 64;
        q->spot = grown(q->spot, r->capacity);
        q->strike = grown(q->strike, r->capacity);
        q->years = grown(q->years, r->capacity);
        q->rate = grown(q->rate, r->capacity);
        q->volatility = grown(q->volatility, r->capacity);
        q->lines = realloc(q->lines, r->capacity * sizeof *q->lines);
        if (q->lines == NULL)
            fail("no memory for %zu quotes", r->capacity);
    }
    q->spot[q->count] = (float)numbers[0];
    q->strike[q->count] = (float)numbers[1];
    q->years[q->count] = (float)(numbers[2] / 365.0);
    q->rate[q->count] = (float)numbers[3];
    q->volatility[q->count] = (float)numbers[4];
    q->lines[q->count++] = line;
}

static void read_row(reader *r, char *line, size_t length, bool strict)
{
    double numbers[COLUMNS] = {0};
    char message[120];
    char *copy = strdup(line);
    if (copy == NULL)
        fail("no memory for line %zu of %s", r->line, r->path);
    if (parse_row(r, line, length, numbers, message, sizeof message)) {
        keep_row(r, copy, numbers);
        return;
    }
    free(copy);
    if (strict)
        fail("%s:%zu: %s", r->path, r->line, message);
    fprintf(stderr, "%s:%zu: %s; left out\n", r->path, r->line, message);
    r->quotes.refused++;
}

quotes quotes_read(const char *path, bool strict)
{
    reader r = {.path = path};
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail("%s cannot be opened: %s", path, strerror(errno));
    char *line = NULL;
    size_t capacity = 0, length;
    while (read_line(&r, file, &line, &capacity, &length)) {
        if (length == 0)
            continue;
        if (r.quotes.header == NULL)
            read_header(&r, line);
        else
            read_row(&r, line, length, strict);
    }
    if (ferror(file))
        fail("%s cannot be read: %s", path, strerror(errno));
    if (r.quotes.header == NULL)
        fail("%s is empty", path);
    free(line);
    fclose(file);
    return r.quotes;
}

void quotes_free(quotes *q)
{
    for (size_t k = 0; k < q->count; k++)
        free(q->lines[k]);
    free(q->lines);
    free(q->header);
    free(q->spot), free(q->strike), free(q->years), free(q->rate), free(q->volatility);
}
