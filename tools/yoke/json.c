#include "tools/yoke/json.h"

#include <stdlib.h>
#include <string.h>

enum { DEEPEST = 64 };

json json_of(const char *text, size_t bytes)
{
    return (json){.at = text, .begin = text, .end = text + bytes};
}

static bool fail(json *j, const char *wrong)
{
    if (j->wrong == NULL)
        j->wrong = wrong;
    return false;
}

char json_next(json *j)
{
    while (j->at < j->end && (*j->at == ' ' || *j->at == '\n' || *j->at == '\t' || *j->at == '\r'))
        j->at++;
    return j->at < j->end && j->wrong == NULL ? *j->at : '\0';
}

bool json_take(json *j, char c)
{
    if (json_next(j) != c)
        return fail(j, j->at == j->end ? "it ends too early" : "another character is wanted");
    j->at++;
    return true;
}

bool json_more(json *j, char close, bool *first)
{
    if (json_next(j) == close) {
        j->at++;
        return false;
    }
    if (!*first && !json_take(j, ','))
        return false;
    *first = false;
    if (json_next(j) == close)
        return fail(j, "something is wanted after the comma");
    return j->wrong == NULL;
}

/* Four digits after "\u": only what is ASCII is wanted here. */
static int unicode(json *j)
{
    int value = 0;
    for (unsigned k = 0; k < 4; k++) {
        const char c = j->at < j->end ? *j->at++ : '\0';
        const int digit = c >= '0' && c <= '9'   ? c - '0'
                          : c >= 'a' && c <= 'f' ? c - 'a' + 10
                          : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                                 : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value < 128 ? value : '?';
}

static int escaped(json *j)
{
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    const char c = j->at < j->end ? *j->at++ : '\0';
    if (c == 'u')
        return unicode(j);
    const char *letter = c != '\0' ? strchr(letters, c) : NULL;
    return letter != NULL ? meanings[letter - letters] : -1;
}

bool json_string(json *j, char *text, size_t size)
{
    size_t used = 0;
    if (!json_take(j, '"'))
        return false;
    while (j->at < j->end && *j->at != '"') {
        int c = (unsigned char)*j->at++;
        if (c == '\\')
            c = escaped(j);
        else if (c < ' ')
            c = -1;
        if (c < 0)
            return fail(j, "a string with a character that may not be there");
        if (used + 1 < size)
            text[used++] = (char)c;
    }
    if (size > 0)
        text[used] = '\0';
    return json_take(j, '"');
}

bool json_name(json *j, char *text, size_t size)
{
    return json_string(j, text, size) && json_take(j, ':');
}

static void digits(json *j)
{
    if (j->at == j->end || *j->at < '0' || *j->at > '9')
        (void)fail(j, "a number is wanted");
    while (j->at < j->end && *j->at >= '0' && *j->at <= '9')
        j->at++;
}

double json_number(json *j)
{
    char copy[64];
    (void)json_next(j);
    const char *begin = j->at;
    if (j->at < j->end && *j->at == '-')
        j->at++;
    if (j->at < j->end && *j->at == '0')
        j->at++;
    else
        digits(j);
    if (j->at < j->end && *j->at == '.') {
        j->at++;
        digits(j);
    }
    if (j->at < j->end && (*j->at == 'e' || *j->at == 'E')) {
        j->at++;
        if (j->at < j->end && (*j->at == '+' || *j->at == '-'))
            j->at++;
        digits(j);
    }
    const size_t length = (size_t)(j->at - begin);
    if (j->wrong != NULL || length >= sizeof copy)
        return 0;
    memcpy(copy, begin, length);
    copy[length] = '\0';
    return strtod(copy, NULL);
}

static bool skip_word(json *j, const char *word)
{
    const size_t length = strlen(word);
    if ((size_t)(j->end - j->at) < length || memcmp(j->at, word, length) != 0)
        return fail(j, "a value is wanted");
    j->at += length;
    return true;
}

static bool skip_group(json *j, char close)
{
    bool first = true;
    j->at++;
    if (++j->depth > DEEPEST)
        return fail(j, "it is nested too deeply");
    while (json_more(j, close, &first)) {
        if (close == '}' && !json_name(j, NULL, 0))
            return false;
        if (!json_skip(j)) /* NOLINT(misc-no-recursion): to that depth */
            return false;
    }
    j->depth--;
    return j->wrong == NULL;
}

bool json_skip(json *j) /* NOLINT(misc-no-recursion) */
{
    switch (json_next(j)) {
    case '"': return json_string(j, NULL, 0);
    case '{': return skip_group(j, '}');
    case '[': return skip_group(j, ']');
    case 't': return skip_word(j, "true");
    case 'f': return skip_word(j, "false");
    case 'n': return skip_word(j, "null");
    default: (void)json_number(j); return j->wrong == NULL;
    }
}

unsigned json_line(const json *j)
{
    unsigned line = 1;
    for (const char *at = j->begin; at < j->at; at++)
        line += *at == '\n';
    return line;
}
