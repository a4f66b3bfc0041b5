/* A reader of JSON, strict, that goes over a text once. */
#ifndef YOKE_TOOL_JSON_H
#define YOKE_TOOL_JSON_H

#include <stdbool.h>
#include <stddef.h>

typedef struct json {
    const char *at, *end;
    const char *begin;
    const char *wrong; /* what is, once something is; then nothing moves any more */
    unsigned depth;
} json;

json json_of(const char *text, size_t bytes);
/* The next byte that is no blank; 0 at the end, or when something is wrong. */
char json_next(json *j);
/* Goes past it; false: something else is there, which is then wrong. */
bool json_take(json *j, char c);
/* Members of an object, or elements of an array, after its bracket was taken: false at the other bracket, which is taken.
 * `first` begins as true. */
bool json_more(json *j, char close, bool *first);
/* A string, with its escapes, cut to fit. */
bool json_string(json *j, char *text, size_t size);
/* The name of a member, and its colon. */
bool json_name(json *j, char *text, size_t size);
double json_number(json *j);
/* Goes past a value of any kind. */
bool json_skip(json *j);
/* The line of the place where it stands. */
unsigned json_line(const json *j);

#endif
