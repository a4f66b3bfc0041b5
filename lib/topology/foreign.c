/* Other machines' topologies: checked before hwloc sees them, read by a helper process, checked after. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/base.h"
#include "lib/topology/table.h"

#define MAX_DESCRIPTION 65536
#define MAX_DEPTH 32
#define MAX_XML (64L << 20)
#define PATIENCE_NS (15 * INT64_C(1000000000))

bool yoke__description_is_file(const char *description)
{
    size_t length = strlen(description);
    return strchr(description, '/') || (length >= 4 && strcmp(description + length - 4, ".xml") == 0);
}

static int refuse(const char *why)
{
    return yoke__fail(YOKE_ETOPOLOGY, "the synthetic topology %s; an example is \"pack:2 core:8 pu:2\"", why);
}

/* Skips "(attributes)"; NULL when they do not end, or nest. */
static const char *skip_attributes(const char *at)
{
    if (*at != '(')
        return at;
    at += 1 + strcspn(at + 1, "()");
    return *at == ')' ? at + 1 : NULL;
}

/* Reads "type:12", "12" or ":12" and multiplies; NULL when it is none of these. */
static const char *read_level(const char *at, unsigned long *product)
{
    const char *colon = at + strcspn(at, ": ([");
    unsigned long arity = 0;
    if (*colon == ':')
        at = colon + 1;
    if (*at < '0' || *at > '9')
        return NULL;
    for (; *at >= '0' && *at <= '9'; at++)
        if ((arity = arity * 10 + (unsigned long)(*at - '0')) > YOKE_MAX_PUS)
            return NULL;
    if (arity == 0)
        return NULL;
    *product *= arity;
    return skip_attributes(at);
}

/* hwloc 2.9 aborts on strings that are too deep and does not return from sizes beyond any machine. */
int yoke__synthetic_check(const char *description)
{
    static const char fine[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 :()[]=*,._";
    if (strlen(description) > MAX_DESCRIPTION || description[strspn(description, fine)] != '\0')
        return refuse("is too long or holds characters that mean nothing there");
    unsigned long product = 1;
    int depth = 0;
    const char *at = skip_attributes(description); /* those of the whole machine */
    while (at) {
        at += strspn(at, " ");
        if (*at == '\0')
            return depth > 0 ? YOKE_OK : refuse("is empty");
        if (++depth > MAX_DEPTH)
            return refuse("has more than 32 levels");
        if (*at == '[') {
            at += strcspn(at, "]");
            at = *at ? at + 1 : NULL;
        } else {
            at = read_level(at, &product);
        }
        if (product > YOKE_MAX_PUS)
            return refuse("has more than 65,536 CPUs");
        if (at && *at != ' ' && *at != '[' && *at != '\0')
            at = NULL;
    }
    return refuse("has a level that is not TYPE:COUNT with a count of 1 to 65,536");
}

static int check_file(const char *path)
{
    struct stat about;
    int file = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (file < 0)
        return yoke__fail(YOKE_ETOPOLOGY, "cannot open the topology file %s: %s", path, strerror(errno));
    bool fine = fstat(file, &about) == 0 && S_ISREG(about.st_mode) && about.st_size > 0 && about.st_size <= MAX_XML;
    close(file);
    if (fine)
        return YOKE_OK;
    return yoke__fail(YOKE_ETOPOLOGY, "%s is not a file of 1 byte to 64 MB; lstopo out.xml makes one", path);
}

int yoke__topology_from(yoke__topology **out, const char *description)
{
    if (!out || !description)
        return yoke__fail(YOKE_EINVAL, "no topology described: give a synthetic string or the path of an XML file");
    *out = NULL;
    int status = yoke__description_is_file(description) ? check_file(description) : yoke__synthetic_check(description);
    if (status != YOKE_OK)
        return status;
    char *answer = NULL;
    size_t length = 0;
    rows found = {0};
    status = yoke__helper_ask(description, PATIENCE_NS, &answer, &length);
    if (status == YOKE_OK)
        status = yoke__rows_parse(&found, answer, length);
    if (status == YOKE_OK)
        status = yoke__topology_build(out, &found, NULL);
    yoke__free(found.at);
    yoke__free(answer);
    return status;
}
