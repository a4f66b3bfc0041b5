/* Words: messages, units, JSON, XML, and files that are there whole or not at all. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/yoke/tool.h"

enum { COLUMNS = 100 };

/* --- messages --- */

static void say(const command *of, const char *format, va_list values)
{
    fflush(stdout);
    fprintf(stderr, "yoke %s: ", of->name);
    vfprintf(stderr, format, values);
    fputc('\n', stderr);
}

int tool_misuse(const command *of, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    say(of, format, values);
    va_end(values);
    fprintf(stderr, "usage: yoke %s %s", of->name, of->usage);
    return MISUSED;
}

int tool_fail(const command *of, const char *format, ...)
{
    va_list values;
    va_start(values, format);
    say(of, format, values);
    va_end(values);
    return FAILED;
}

bool tool_help(const command *of, const char *argument)
{
    if (strcmp(argument, "--help") != 0 && strcmp(argument, "-h") != 0)
        return false;
    printf("usage: yoke %s %s", of->name, of->usage);
    return true;
}

int tool_option(const command *of, const char *name, int count, char **arguments, int *at, const char **value)
{
    const size_t length = strlen(name);
    const char *word = arguments[*at];
    if (strncmp(word, name, length) != 0 || (word[length] != '\0' && word[length] != '='))
        return 0;
    if (word[length] == '=') {
        *value = word + length + 1;
    } else if (*at + 1 < count) {
        *value = arguments[++*at];
    } else {
        (void)tool_misuse(of, "%s needs a value", name);
        return -1;
    }
    return 1;
}

/* --- numbers --- */

short_text tool_bytes(double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    short_text t;
    unsigned unit = 0;
    for (; bytes >= 1024 && unit < 5; unit++)
        bytes /= 1024;
    const double tenths = bytes * 10 + 0.5;
    const bool whole = bytes >= 100 || (unsigned long)tenths % 10 == 0;
    (void)snprintf(t.text, sizeof t.text, whole ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
    return t;
}

short_text tool_time(double ns)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    short_text t;
    unsigned unit = 0;
    for (; ns >= 1000 && unit < 3; unit++)
        ns /= 1000;
    (void)snprintf(t.text, sizeof t.text, ns < 100 ? "%.3g %s" : "%.0f %s", ns, units[unit]);
    return t;
}

short_text tool_count(unsigned long count, const char *noun)
{
    short_text t;
    (void)snprintf(t.text, sizeof t.text, "%lu %s%s", count, noun, count == 1 ? "" : "s");
    return t;
}

/* --- JSON and XML --- */

/* Bytes of the character of UTF-8 that stands there; 0: none does. */
static size_t utf8_length(const unsigned char *at)
{
    static const struct {
        unsigned char first, last, low, high, length;
    } forms[] = {{0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                 {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
                 {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (size_t k = 0; k < sizeof forms / sizeof *forms; k++) {
        if (at[0] < forms[k].first || at[0] > forms[k].last)
            continue;
        if (forms[k].length > 1 && (at[1] < forms[k].low || at[1] > forms[k].high))
            return 0;
        for (size_t b = 2; b < forms[k].length; b++)
            if (at[b] < 0x80 || at[b] > 0xbf)
                return 0;
        return forms[k].length;
    }
    return 0;
}

void tool_json_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0';) {
        const size_t length = utf8_length(at);
        if (length == 0)
            fputs("\\ufffd", out);
        else if (*at == '"' || *at == '\\')
            fprintf(out, "\\%c", *at);
        else if (*at < ' ')
            fprintf(out, "\\u%04x", *at);
        else
            fwrite(at, 1, length, out);
        at += length > 0 ? length : 1;
    }
    fputc('"', out);
}

void tool_xml_text(FILE *out, const char *text)
{
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0';) {
        const size_t length = utf8_length(at);
        if (*at == '<')
            fputs("&lt;", out);
        else if (*at == '>')
            fputs("&gt;", out);
        else if (*at == '&')
            fputs("&amp;", out);
        else if (*at == '"')
            fputs("&quot;", out);
        else if (length > 0 && *at >= ' ')
            fwrite(at, 1, length, out);
        at += length > 0 ? length : 1;
    }
}

void tool_wrap(FILE *out, unsigned column, const char *text)
{
    unsigned at = column;
    while (*text != '\0') {
        const size_t blanks = strspn(text, " "), length = strcspn(text + blanks, " ");
        if (at > column && at + blanks + length > COLUMNS) {
            fprintf(out, "\n%*s", (int)column, "");
            at = column;
        } else {
            fprintf(out, "%.*s", (int)blanks, text);
            at += (unsigned)blanks;
        }
        fprintf(out, "%.*s", (int)length, text + blanks);
        at += (unsigned)length;
        text += blanks + length;
    }
    fputc('\n', out);
}

/* --- files --- */

char *tool_read_file(const command *of, const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "re");
    char *text = NULL;
    size_t used = 0, capacity = 0;
    while (file != NULL) {
        if (used + 1 >= capacity) {
            capacity = capacity > 0 ? 2 * capacity : 1 << 16;
            char *grown = realloc(text, capacity);
            if (grown == NULL)
                break;
            text = grown;
        }
        const size_t some = fread(text + used, 1, capacity - used - 1, file);
        used += some;
        text[used] = '\0';
        if (some > 0)
            continue;
        if (ferror(file))
            break;
        fclose(file);
        *bytes = used;
        return text;
    }
    (void)tool_fail(of, "cannot read %s: %s", path, strerror(errno));
    if (file != NULL)
        fclose(file);
    free(text);
    return NULL;
}

bool tool_sink_open(const command *of, sink *s, const char *path)
{
    *s = (sink){.out = stdout, .path = path};
    if (path == NULL)
        return true;
    const int length = snprintf(s->fresh, sizeof s->fresh, "%s.%ld.new", path, (long)getpid());
    s->out = length > 0 && (size_t)length < sizeof s->fresh ? fopen(s->fresh, "wxe") : NULL;
    if (s->out == NULL)
        (void)tool_fail(of, "cannot write %s: %s", path, strerror(errno));
    return s->out != NULL;
}

bool tool_sink_close(const command *of, sink *s)
{
    bool fine = fflush(s->out) == 0 && ferror(s->out) == 0;
    int error = errno;
    if (s->path != NULL) {
        fine &= fclose(s->out) == 0;
        if (fine && rename(s->fresh, s->path) != 0) {
            fine = false;
            error = errno;
        }
        if (!fine)
            (void)unlink(s->fresh);
    }
    if (!fine)
        (void)tool_fail(of, "cannot write %s: %s", s->path != NULL ? s->path : "standard output", strerror(error));
    return fine;
}
