/* The text in which the helper process hands rows over. The reader trusts nothing: a helper that went wrong half way
 * must not put a wrong number into the library.
 *
 *     yoke-topology 1 COUNT MACHINE_NODES
 *     OS_INDEX NODE_OS_INDEX KIND ALLOWED PACKAGE NODE CACHE CORE      (COUNT lines)
 *     end */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/base.h"
#include "lib/topology/table.h"

int yoke__rows_write(const rows *found, FILE *out)
{
    fprintf(out, "yoke-topology 1 %zu %u\n", found->count, found->machine_nodes);
    for (size_t k = 0; k < found->count; k++) {
        const row *r = &found->at[k];
        fprintf(out, "%u %u %u %d %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", r->os_index, r->node_os_index,
                r->kind, r->allowed, r->package, r->node, r->cache, r->core);
    }
    fputs("end\n", out);
    return fflush(out) == 0 && !ferror(out) ? YOKE_OK : YOKE_EIO;
}

typedef struct scanner {
    const char *at, *end;
    bool ok;
} scanner;

/* A decimal number of at most `limit`, with the one byte that must follow it. */
static uint64_t number(scanner *s, uint64_t limit, char after)
{
    uint64_t value = 0;
    const char *start = s->at;
    while (s->at < s->end && *s->at >= '0' && *s->at <= '9') {
        uint64_t next;
        s->ok = s->ok && !__builtin_mul_overflow(value, 10, &next) &&
                !__builtin_add_overflow(next, (uint64_t)(*s->at - '0'), &value);
        s->at++;
    }
    s->ok = s->ok && s->at > start && s->at < s->end && *s->at == after && value <= limit;
    s->at += s->at < s->end;
    return value;
}

static void expect(scanner *s, const char *text)
{
    size_t length = strlen(text);
    s->ok = s->ok && (size_t)(s->end - s->at) >= length && memcmp(s->at, text, length) == 0;
    if (s->ok)
        s->at += length;
}

int yoke__rows_parse(rows *found, const char *text, size_t length)
{
    *found = (rows){0};
    scanner s = {text, text + length, true};
    expect(&s, "yoke-topology 1 ");
    size_t count = (size_t)number(&s, YOKE_MAX_PUS, ' ');
    found->machine_nodes = (unsigned)number(&s, YOKE_MAX_PUS, '\n');
    if (!s.ok || count == 0)
        return yoke__fail(YOKE_ETOPOLOGY, "the topology helper's answer does not begin as it should");
    found->at = yoke__alloc_zeroed(count, sizeof *found->at);
    if (!found->at)
        return yoke__fail(YOKE_ENOMEM, "no memory for %zu CPUs", count);
    while (s.ok && found->count < count) {
        row *r = &found->at[found->count++];
        r->os_index = (unsigned)number(&s, YOKE_MAX_PUS - 1, ' ');
        r->node_os_index = (unsigned)number(&s, UINT32_MAX, ' ');
        r->kind = (unsigned)number(&s, YOKE_MAX_KINDS - 1, ' ');
        r->allowed = number(&s, 1, ' ') == 1;
        r->package = number(&s, UINT64_MAX, ' ');
        r->node = number(&s, UINT64_MAX, ' ');
        r->cache = number(&s, UINT64_MAX, ' ');
        r->core = number(&s, UINT64_MAX, '\n');
    }
    expect(&s, "end\n");
    if (s.ok && s.at == s.end)
        return YOKE_OK;
    return yoke__fail(YOKE_ETOPOLOGY, "the topology helper's answer is damaged at line %zu", found->count + 1);
}
