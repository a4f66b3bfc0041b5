#include "lib/parallel/select.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_MOST = 4096, QUOTE_MOST = 40, LIST_BYTES = 400 };

typedef enum item_kind { ITEM_ALL, ITEM_CPU, ITEM_GPU, ITEM_ACCELERATOR, ITEM_OPENCL, ITEM_NAME } item_kind;

/* One item of a list, trimmed; it lies in the text. */
typedef struct item {
    const char *start;
    size_t length;
    item_kind kind;
    bool has_number;
    unsigned long number;
} item;

/* Not the locale's: in a Turkish one, i is not the small form of I. */
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool starts_with(const char *text, const char *start, size_t length)
{
    for (size_t k = 0; k < length; k++)
        if (lower(text[k]) != lower(start[k])) /* text may end first */
            return false;
    return true;
}

static bool contains(const char *text, const char *part, size_t length)
{
    for (; *text != '\0'; text++)
        if (starts_with(text, part, length))
            return true;
    return false;
}

/* The item for a message: cut, without control characters. */
typedef struct quote {
    char text[QUOTE_MOST + 4];
} quote;

static quote quoted(const item *it)
{
    quote q = {""};
    size_t length = it->length < QUOTE_MOST ? it->length : QUOTE_MOST;
    for (size_t k = 0; k < length; k++)
        q.text[k] = (unsigned char)it->start[k] < ' ' || it->start[k] == 127 ? '?' : it->start[k];
    if (it->length > QUOTE_MOST)
        strcpy(q.text + length, "...");
    return q;
}

/* --- grammar --- */

static const struct keyword {
    const char *name;
    item_kind kind;
    bool takes_number;
} keywords[] = {{"all", ITEM_ALL, false},
                {"cpu", ITEM_CPU, false},
                {"gpu", ITEM_GPU, true},
                {"accelerator", ITEM_ACCELERATOR, true},
                {"opencl", ITEM_OPENCL, true}};

static bool parse_number(item *it, size_t at)
{
    char digits[20] = ""; /* longer ones are no device's */
    if (it->length - at >= sizeof digits)
        return false;
    memcpy(digits, it->start + at, it->length - at);
    return yoke__parse_unsigned(digits, 0, UINT32_MAX, &it->number);
}

static int classify(item *it)
{
    if (it->length == 0)
        return yoke__fail(YOKE_EINVAL, "an empty item in a list of devices; use \"all\", \"cpu\", \"gpu\", \"gpu:1\", "
                                       "\"accelerator\", \"opencl:0\" or part of a name");
    it->kind = ITEM_NAME;
    for (size_t k = 0; k < sizeof keywords / sizeof *keywords; k++) {
        size_t length = strlen(keywords[k].name);
        if (it->length < length || !starts_with(it->start, keywords[k].name, length))
            continue;
        if (it->length == length) {
            it->kind = keywords[k].kind;
        } else if (it->start[length] == ':') {
            it->kind = keywords[k].kind;
            it->has_number = true;
            if (!keywords[k].takes_number)
                return yoke__fail(YOKE_EINVAL, "device \"%s\": \"%s\" takes no number", quoted(it).text,
                                  keywords[k].name);
            if (!parse_number(it, length + 1))
                return yoke__fail(YOKE_EINVAL, "device \"%s\": a number must follow the colon, as in \"%s:0\"",
                                  quoted(it).text, keywords[k].name);
        }
    }
    return YOKE_OK;
}

/* Takes the first item off *text, which becomes NULL after the last one. 0 or EINVAL. */
static int next_item(const char **text, item *it)
{
    const char *start = *text, *comma = strchr(start, ',');
    const char *end = comma != NULL ? comma : start + strlen(start);
    *text = comma != NULL ? comma + 1 : NULL;
    while (start < end && is_blank(*start))
        start++;
    while (end > start && is_blank(end[-1]))
        end--;
    *it = (item){.start = start, .length = (size_t)(end - start)};
    return classify(it);
}

int yoke__selection_check(const char *text)
{
    item it;
    if (text != NULL && strnlen(text, TEXT_MOST + 1) > TEXT_MOST)
        return yoke__fail(YOKE_EINVAL, "a list of devices of more than %d characters", TEXT_MOST);
    while (text != NULL) {
        int status = next_item(&text, &it);
        if (status != YOKE_OK)
            return status;
    }
    return YOKE_OK;
}

/* Bits of the kinds of items in the text; all of them where it is malformed. */
static unsigned kinds_in(const char *text)
{
    unsigned kinds = 0;
    item it;
    if (text == NULL)
        return 1U << ITEM_ALL;
    if (strnlen(text, TEXT_MOST + 1) > TEXT_MOST)
        return ~0U;
    while (text != NULL) {
        if (next_item(&text, &it) != YOKE_OK)
            return ~0U;
        kinds |= 1U << it.kind;
    }
    return kinds;
}

bool yoke__selection_needs_devices(const char *text)
{
    return kinds_in(text) != 1U << ITEM_CPU;
}

bool yoke__selection_is_default(const char *text)
{
    unsigned kinds = kinds_in(text), all = 1U << ITEM_ALL;
    return kinds == all || kinds == (all | 1U << ITEM_CPU);
}

/* --- matching --- */

static const char *type_name(yoke_device_type type)
{
    return type == YOKE_DEVICE_CPU ? "cpu" : type == YOKE_DEVICE_GPU ? "gpu" : "accelerator";
}

/* "there are opencl:0 NAME (gpu), ...", cut to fit into a detail. */
static void list_devices(const yoke_device *devices, unsigned count, char text[LIST_BYTES])
{
    size_t used = (size_t)snprintf(text, LIST_BYTES, "%s", count > 0 ? "there are " : "no OpenCL devices were found");
    for (unsigned k = 0; k < count; k++) {
        char entry[100];
        size_t length =
            (size_t)snprintf(entry, sizeof entry, "%sopencl:%u %.60s (%s%s)", k > 0 ? ", " : "", k, devices[k].name,
                             type_name(devices[k].type), devices[k].state == YOKE_DEVICE_REFUSED ? ", refused" : "");
        if (used + length + sizeof ", ..." > LIST_BYTES) {
            (void)snprintf(text + used, LIST_BYTES - used, ", ...");
            return;
        }
        memcpy(text + used, entry, length + 1);
        used += length;
    }
}

/* Whether the item means this device, of which `rank` of its type come before it. */
static bool means(const item *it, const yoke_device *device, unsigned k, unsigned rank)
{
    switch (it->kind) {
    case ITEM_ALL: return device->type != YOKE_DEVICE_CPU;
    case ITEM_GPU: return device->type == YOKE_DEVICE_GPU && (!it->has_number || it->number == rank);
    case ITEM_ACCELERATOR: return device->type == YOKE_DEVICE_ACCELERATOR && (!it->has_number || it->number == rank);
    case ITEM_OPENCL: return !it->has_number || it->number == k;
    case ITEM_NAME: return contains(device->name, it->start, it->length);
    case ITEM_CPU: break;
    }
    return false;
}

static int match(const item *it, const yoke_device *devices, unsigned count, yoke__selection *selection)
{
    unsigned ranks[YOKE_DEVICE_ACCELERATOR + 1] = {0}, matches = 0;
    const yoke_device *refused = NULL;
    selection->cpu = selection->cpu || it->kind == ITEM_ALL || it->kind == ITEM_CPU;
    for (unsigned k = 0; k < count; k++) {
        const yoke_device *device = &devices[k];
        unsigned type = device->type <= YOKE_DEVICE_ACCELERATOR ? device->type : 0;
        if (!means(it, device, k, ranks[type]++))
            continue;
        if (device->state == YOKE_DEVICE_REFUSED) {
            refused = refused != NULL ? refused : device;
            continue;
        }
        selection->mask[k / 64] |= UINT64_C(1) << (k % 64);
        matches++;
    }
    if (it->kind == ITEM_ALL || it->kind == ITEM_CPU)
        return YOKE_OK;
    selection->named = true;
    if (matches > 0)
        return YOKE_OK;
    if (refused != NULL)
        return yoke__fail(YOKE_ENODEV, "device \"%s\" (%.80s) cannot be used: %.200s", quoted(it).text, refused->name,
                          refused->reason);
    char list[LIST_BYTES];
    list_devices(devices, count, list);
    return yoke__fail(YOKE_ENODEV, "no device \"%s\": %s", quoted(it).text, list);
}

int yoke__select_devices(const char *text, const yoke_device *devices, unsigned count, yoke__selection *selection)
{
    yoke__selection found = {.cpu = false};
    int status = yoke__selection_check(text);
    if (text == NULL)
        text = "all";
    if (count > YOKE__MOST_DEVICES)
        count = YOKE__MOST_DEVICES;
    while (status == YOKE_OK && text != NULL) {
        item it;
        status = next_item(&text, &it);
        if (status == YOKE_OK)
            status = match(&it, devices, count, &found);
    }
    if (status == YOKE_OK)
        *selection = found;
    return status;
}
