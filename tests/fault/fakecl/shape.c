/* What the devices are like: from the environment, or from "shape NAME=VALUE". */
#include <errno.h>

#include "tests/fault/fakecl/fake.h"

enum { SETTINGS_LIMIT = 48, VALUE_LENGTH = 512 };

typedef struct setting {
    char name[32], value[VALUE_LENGTH];
} setting;

static setting settings[SETTINGS_LIMIT];
static unsigned setting_count;
static atomic_bool is_built;

/* With the lock. */
static const char *setting_of(const char *name)
{
    for (unsigned k = 0; k < setting_count; k++)
        if (strcmp(settings[k].name, name) == 0)
            return settings[k].value;
    char variable[64];
    (void)snprintf(variable, sizeof variable, "FAKECL_%s", name);
    return getenv(variable);
}

bool shape_text(const char *name, unsigned device, char *value, size_t capacity)
{
    const char *text = setting_of(name), *end;
    if (text == NULL)
        return false;
    for (; device > 0 && (end = strchr(text, ';')) != NULL; device--)
        text = end + 1;
    size_t length = strcspn(text, ";");
    length = length < capacity ? length : capacity - 1;
    memcpy(value, text, length);
    value[length] = '\0';
    return true;
}

uint64_t shape_number(const char *name, unsigned device, uint64_t otherwise)
{
    char text[64], *end;
    if (!shape_text(name, device, text, sizeof text))
        return otherwise;
    errno = 0;
    uint64_t value = strtoull(text, &end, 0);
    if (strncmp(end, "^", 1) == 0) /* 2^63 */
        value = UINT64_C(1) << (strtoul(end + 1, NULL, 10) & 63);
    return value;
}

static cl_device_type type_of(unsigned number)
{
    char text[32] = "";
    (void)shape_text("TYPE", number, text, sizeof text);
    if (strcmp(text, "cpu") == 0)
        return CL_DEVICE_TYPE_CPU;
    if (strcmp(text, "custom") == 0)
        return CL_DEVICE_TYPE_CUSTOM;
    return strcmp(text, "accelerator") == 0 ? CL_DEVICE_TYPE_ACCELERATOR : CL_DEVICE_TYPE_GPU;
}

static void shape_device(cl_device_id d, unsigned number)
{
    char text[VALUE_LENGTH] = "";
    d->number = number;
    if (!shape_text("NAMES", number, d->name, sizeof d->name))
        (void)snprintf(d->name, sizeof d->name, "Fake Device");
    if (!shape_text("VERSION", number, d->version, sizeof d->version))
        (void)snprintf(d->version, sizeof d->version, "OpenCL 1.2 fakecl");
    d->type = type_of(number);
    d->max_alloc = shape_number("MAXALLOC", number, UINT64_C(1) << 30);
    d->global_mem = shape_number("GLOBALMEM", number, UINT64_C(1) << 32);
    d->group_size = shape_number("WGS", number, 256);
    d->address_bits = shape_number("ADDRBITS", number, 64);
    d->units = shape_number("UNITS", number, 4);
    d->ns_per_item = shape_number("NS_PER_ITEM", number, 0);
    d->launch_us = shape_number("LAUNCH_US", number, 0);
    d->build_ms = shape_number("BUILD_MS", number, 0);
    d->gbps = shape_text("GBPS", number, text, sizeof text) ? strtod(text, NULL) : 0.0;
    d->unified = shape_number("UNIFIED", number, 0) != 0;
    d->copies = shape_number("UNIFIED", number, 0) == 2;
    d->build_fails = shape_number("BUILD_FAIL", number, 0) != 0;
    d->isolated = shape_number("ISOLATED", number, 0) != 0;
    text[0] = '\0';
    (void)shape_text("FP", number, text, sizeof text);
    d->denormals = strstr(text, "nodenorm") == NULL;
    d->has_double = strstr(text, "nofp64") == NULL;
    d->correctly_rounded = strstr(text, "inexact") == NULL;
}

void shape_devices(void)
{
    if (atomic_load(&is_built))
        return;
    lock();
    if (!fake.built) {
        fake.platform.head = (object){.dispatch = fake_dispatch, .kind = PLATFORM, .refs = 1};
        uint64_t wanted = shape_number("DEVICES", 0, 1);
        fake.device_count = wanted < DEVICES_LIMIT ? (unsigned)wanted : DEVICES_LIMIT;
        for (unsigned k = 0; k < fake.device_count; k++) {
            cl_device_id d = &fake.devices[k];
            d->head = (object){.dispatch = fake_dispatch, .kind = DEVICE, .refs = 1, .device = d};
            shape_device(d, k);
        }
        fake.built = true;
        atomic_store(&is_built, true);
    }
    unlock();
}

/* With the lock. */
static setting *place_of(const char *name)
{
    for (unsigned k = 0; k < setting_count; k++)
        if (strcmp(settings[k].name, name) == 0)
            return &settings[k];
    return setting_count < SETTINGS_LIMIT ? &settings[setting_count++] : NULL;
}

int shape_set(const char *assignment)
{
    if (strncmp(assignment, "FAKECL_", 7) == 0)
        assignment += 7;
    const char *equals = strchr(assignment, '=');
    setting made = {0};
    if (equals == NULL || (size_t)(equals - assignment) >= sizeof made.name || strlen(equals + 1) >= VALUE_LENGTH)
        return -1;
    memcpy(made.name, assignment, (size_t)(equals - assignment));
    memcpy(made.value, equals + 1, strlen(equals + 1) + 1);
    lock();
    bool late = fake.built && strcmp(made.name, "DEVICES") == 0; /* handles of devices are out */
    setting *place = late ? NULL : place_of(made.name);
    if (place != NULL)
        *place = made;
    for (unsigned k = 0; place != NULL && k < fake.device_count; k++)
        shape_device(&fake.devices[k], k);
    unlock();
    return place != NULL ? 0 : -1;
}
