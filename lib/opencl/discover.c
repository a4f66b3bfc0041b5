/* Which devices there are and what they can do. A driver may return anything: every number is judged before it is
 * believed, every string is cut to fit and terminated by us. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/opencl/device.h"

/* Of extensions that not every cl_ext.h has. */
enum {
    PLATFORM_NOT_FOUND = -1001, /* what loaders say when no driver is installed */
    PCI_BUS_INFO_KHR = 0x410F,
    PCI_BUS_ID_NV = 0x4008,
    PCI_SLOT_ID_NV = 0x4009,
    PCI_DOMAIN_ID_NV = 0x400A,
    TOPOLOGY_AMD = 0x4037
};

enum { MOST_PLATFORMS = 64, MOST_DEVICES = 256, MOST_DIMENSIONS = 16, TEXT_BYTES = 65536 };

static const unsigned long long most_bytes = 1ULL << 62, most_units = 1000000, most_group = 1 << 20;

/* What is found before anything is asked of it. */
typedef struct listing {
    struct {
        cl_platform_id platform;
        cl_device_id id;
    } at[MOST_DEVICES];
    unsigned count;
} listing;

typedef struct reader {
    const cl_api *cl;
    const yoke__topology *topology;
    device *device;
    char text[TEXT_BYTES]; /* larger than any answer that is asked for, in case the driver writes more */
} reader;

/* What a device says of itself. */
typedef struct claims {
    cl_bool available, compiler, little_endian, unified;
    cl_uint units, address_bits, dimensions;
    cl_ulong memory, array, local;
    size_t group, item[MOST_DIMENSIONS];
    cl_device_fp_config single;
} claims;

/* The first reason stays. Always false. */
__attribute__((format(printf, 2, 3))) static bool refuse(device *d, const char *format, ...)
{
    if (atomic_load(&d->state) == YOKE_DEVICE_REFUSED)
        return false;
    char text[REASON_LENGTH];
    va_list values;
    va_start(values, format);
    (void)vsnprintf(text, sizeof text, format, values);
    va_end(values);
    device_set_state(d, YOKE_DEVICE_REFUSED, "%s", text);
    return false;
}

/* --- questions --- */

static cl_int try_value(reader *r, cl_device_info what, void *value, size_t size)
{
    size_t length = size;
    memset(r->text, 0, size);
    cl_int error = r->cl->clGetDeviceInfo(r->device->id, what, size, r->text, &length);
    if (error == CL_SUCCESS && length != size)
        error = CL_INVALID_VALUE;
    if (error == CL_SUCCESS)
        memcpy(value, r->text, size);
    return error;
}

static bool ask(reader *r, cl_device_info what, const char *name, void *value, size_t size)
{
    cl_int error = try_value(r, what, value, size);
    return error == CL_SUCCESS || refuse(r->device, "its driver cannot say %s: %s", name, yoke__cl_error_name(error));
}

#define ASK(what, value) ask(r, what, #what, &(value), sizeof(value))

/* Into r->text. */
static bool ask_text(reader *r, cl_device_info what, const char *name)
{
    memset(r->text, 0, sizeof r->text);
    cl_int error = r->cl->clGetDeviceInfo(r->device->id, what, sizeof r->text - 1, r->text, NULL);
    r->text[sizeof r->text - 1] = '\0';
    if (error == CL_SUCCESS)
        return true;
    r->text[0] = '\0';
    return refuse(r->device, "its driver cannot say %s: %s", name, yoke__cl_error_name(error));
}

/* Trimmed, without control characters, never cut inside a character of UTF-8. */
static void tidy(char *to, size_t size, char *text)
{
    size_t begin = 0, end = strlen(text);
    for (size_t k = 0; k < end; k++)
        if ((unsigned char)text[k] < ' ' || text[k] == 127)
            text[k] = ' ';
    while (text[begin] == ' ')
        begin++;
    while (end > begin && text[end - 1] == ' ')
        end--;
    if (end - begin > size - 1) {
        end = begin + size - 1;
        while (end > begin && ((unsigned char)text[end] & 0xC0) == 0x80)
            end--;
    }
    memcpy(to, text + begin, end - begin);
    to[end - begin] = '\0';
}

#define ASK_TEXT(what, to) (ask_text(r, what, #what), tidy(to, sizeof(to), r->text))

static void read_names(reader *r)
{
    device *d = r->device;
    ASK_TEXT(CL_DEVICE_NAME, d->name);
    ASK_TEXT(CL_DEVICE_VENDOR, d->vendor);
    ASK_TEXT(CL_DRIVER_VERSION, d->driver_version);
    ASK_TEXT(CL_DEVICE_VERSION, d->version);
    memset(r->text, 0, sizeof r->text);
    if (r->cl->clGetPlatformInfo(d->platform, CL_PLATFORM_NAME, sizeof r->text - 1, r->text, NULL) != CL_SUCCESS)
        r->text[0] = '\0';
    tidy(d->platform_name, sizeof d->platform_name, r->text);
    if (d->name[0] == '\0')
        (void)snprintf(d->name, sizeof d->name, "(no name)");
}

static bool has_extension(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)) != NULL; at += length)
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0'))
            return true;
    return false;
}

/* --- locality --- */

typedef struct address {
    cl_uint domain, bus, device, function;
} address;

static bool address_of_khr(reader *r, address *at)
{
    return try_value(r, PCI_BUS_INFO_KHR, at, sizeof *at) == CL_SUCCESS;
}

static bool address_of_nvidia(reader *r, address *at)
{
    cl_uint slot; /* device and function in one */
    if (try_value(r, PCI_BUS_ID_NV, &at->bus, sizeof at->bus) != CL_SUCCESS ||
        try_value(r, PCI_SLOT_ID_NV, &slot, sizeof slot) != CL_SUCCESS)
        return false;
    if (try_value(r, PCI_DOMAIN_ID_NV, &at->domain, sizeof at->domain) != CL_SUCCESS)
        at->domain = 0; /* drivers before 2020 */
    at->device = slot >> 3;
    at->function = slot & 7;
    return true;
}

static bool address_of_amd(reader *r, address *at)
{
    enum { TYPE_PCIE = 1 };
    unsigned char raw[24]; /* cl_uint type; 17 unused bytes; bus, device, function */
    cl_uint type;
    if (try_value(r, TOPOLOGY_AMD, raw, sizeof raw) != CL_SUCCESS)
        return false;
    memcpy(&type, raw, sizeof type);
    *at = (address){0, raw[21], raw[22], raw[23]};
    return type == TYPE_PCIE;
}

/* `which`: bits of the extensions that the device names. */
enum { HAS_PCI_KHR = 1, HAS_PCI_NV = 2, HAS_PCI_AMD = 4, HAS_FP64 = 8, HAS_INT64 = 16 };

static int node_of(reader *r, unsigned which)
{
    address at = {0};
    bool known = (which & HAS_PCI_KHR && address_of_khr(r, &at)) || (which & HAS_PCI_NV && address_of_nvidia(r, &at)) ||
                 (which & HAS_PCI_AMD && address_of_amd(r, &at));
    if (!known || r->topology == NULL)
        return -1;
    return yoke__topology_node_of_pci(r->topology, at.domain, at.bus, at.device, at.function);
}

/* --- judgement --- */

static void read_type(reader *r)
{
    cl_device_type type = 0;
    yoke_device *facts = &r->device->facts;
    facts->type = YOKE_DEVICE_ACCELERATOR;
    if (!ASK(CL_DEVICE_TYPE, type))
        return;
    if (type & CL_DEVICE_TYPE_CPU)
        facts->type = YOKE_DEVICE_CPU;
    else if (type & CL_DEVICE_TYPE_GPU)
        facts->type = YOKE_DEVICE_GPU;
    else if (!(type & CL_DEVICE_TYPE_ACCELERATOR))
        refuse(r->device, "its type %#llx is neither CPU nor GPU nor accelerator", (unsigned long long)type);
}

/* Before any question that an older device does not know. */
static bool version_will_do(device *d)
{
    char digits[2][6]; /* %u would take a minus */
    if (sscanf(d->version, "OpenCL %5[0-9].%5[0-9]", digits[0], digits[1]) != 2)
        return refuse(d, "its version \"%.60s\" cannot be read; OpenCL 1.2 is needed", d->version);
    unsigned long major = strtoul(digits[0], NULL, 10), minor = strtoul(digits[1], NULL, 10);
    if (major < 1 || (major == 1 && minor < 2))
        return refuse(d, "it has OpenCL %lu.%lu; 1.2 is needed", major, minor);
    return true;
}

static bool read_claims(reader *r, claims *c)
{
    device *d = r->device;
    if (!ASK(CL_DEVICE_AVAILABLE, c->available) || !ASK(CL_DEVICE_COMPILER_AVAILABLE, c->compiler) ||
        !ASK(CL_DEVICE_ENDIAN_LITTLE, c->little_endian) || !ASK(CL_DEVICE_ADDRESS_BITS, c->address_bits) ||
        !ASK(CL_DEVICE_GLOBAL_MEM_SIZE, c->memory) || !ASK(CL_DEVICE_MAX_MEM_ALLOC_SIZE, c->array) ||
        !ASK(CL_DEVICE_LOCAL_MEM_SIZE, c->local) || !ASK(CL_DEVICE_MAX_COMPUTE_UNITS, c->units) ||
        !ASK(CL_DEVICE_MAX_WORK_GROUP_SIZE, c->group) || !ASK(CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS, c->dimensions) ||
        !ASK(CL_DEVICE_SINGLE_FP_CONFIG, c->single) || !ASK(CL_DEVICE_HOST_UNIFIED_MEMORY, c->unified))
        return false;
    if (c->dimensions < 2 || c->dimensions > MOST_DIMENSIONS)
        return refuse(d, "CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS is %u, which makes no sense", (unsigned)c->dimensions);
    return ask(r, CL_DEVICE_MAX_WORK_ITEM_SIZES, "CL_DEVICE_MAX_WORK_ITEM_SIZES", c->item,
               c->dimensions * sizeof c->item[0]);
}

static bool in_range(device *d, const char *name, unsigned long long value, unsigned long long most)
{
    return (value >= 1 && value <= most) || refuse(d, "%s is %llu, which makes no sense", name, value);
}

static bool judge(device *d, const claims *c)
{
    if (!c->available)
        return refuse(d, "its driver says that it is not available");
    if (!c->compiler)
        return refuse(d, "its driver has no compiler, which every kernel needs");
    if (!c->little_endian)
        return refuse(d, "it is big-endian; arrays of the host are not");
    if (c->address_bits != 32 && c->address_bits != 64)
        return refuse(d, "CL_DEVICE_ADDRESS_BITS is %u, which is neither 32 nor 64", (unsigned)c->address_bits);
    if (c->array > c->memory && c->memory > 0)
        return refuse(d, "its largest array (%llu bytes) is larger than its memory (%llu)",
                      (unsigned long long)c->array, (unsigned long long)c->memory);
    return in_range(d, "CL_DEVICE_GLOBAL_MEM_SIZE", c->memory, most_bytes) &&
           in_range(d, "CL_DEVICE_MAX_MEM_ALLOC_SIZE", c->array, most_bytes) &&
           in_range(d, "CL_DEVICE_MAX_COMPUTE_UNITS", c->units, most_units) &&
           in_range(d, "CL_DEVICE_MAX_WORK_GROUP_SIZE", c->group, most_group) &&
           in_range(d, "CL_DEVICE_MAX_WORK_ITEM_SIZES[0]", c->item[0], SIZE_MAX) &&
           in_range(d, "CL_DEVICE_MAX_WORK_ITEM_SIZES[1]", c->item[1], SIZE_MAX);
}

/* Drivers name double as an extension; where they forget to, 1.2 has another question. */
static bool has_double(reader *r, unsigned which)
{
    cl_device_fp_config config = 0;
    if (which & HAS_FP64)
        return true;
    return try_value(r, CL_DEVICE_DOUBLE_FP_CONFIG, &config, sizeof config) == CL_SUCCESS && config != 0;
}

static unsigned read_extensions(reader *r)
{
    static const struct {
        unsigned bit;
        const char *name;
    } known[] = {{HAS_PCI_KHR, "cl_khr_pci_bus_info"},
                 {HAS_PCI_NV, "cl_nv_device_attribute_query"},
                 {HAS_PCI_AMD, "cl_amd_device_attribute_query"},
                 {HAS_FP64, "cl_khr_fp64"},
                 {HAS_INT64, "cles_khr_int64"}};
    unsigned which = 0;
    if (!ask_text(r, CL_DEVICE_EXTENSIONS, "CL_DEVICE_EXTENSIONS"))
        return 0;
    for (size_t k = 0; k < sizeof known / sizeof *known; k++)
        which |= has_extension(r->text, known[k].name) ? known[k].bit : 0;
    return which;
}

/* Every kernel counts in 64 bits, which the embedded profile need not have. */
static bool profile_will_do(reader *r, unsigned which)
{
    if (!ask_text(r, CL_DEVICE_PROFILE, "CL_DEVICE_PROFILE"))
        return false;
    if (strcmp(r->text, "EMBEDDED_PROFILE") != 0 || which & HAS_INT64)
        return true;
    return refuse(r->device, "it has OpenCL's embedded profile without 64-bit integers, which every kernel needs");
}

static void fill_facts(device *d, const claims *c)
{
    const cl_device_fp_config exact = CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT | CL_FP_DENORM;
    d->facts.compute_units = c->units;
    d->facts.memory_bytes = c->memory;
    d->facts.array_bytes = c->address_bits == 32 && c->array > UINT32_MAX ? UINT32_MAX : c->array;
    d->facts.shares_memory = c->unified != CL_FALSE;
    d->facts.is_exact = (c->single & exact) == exact;
    d->max_group = c->group;
    d->max_item_size[0] = c->item[0];
    d->max_item_size[1] = c->item[1];
    d->local_bytes = c->local;
    d->has_32_bit_addresses = c->address_bits == 32;
}

static void inspect(reader *r)
{
    device *d = r->device;
    claims c = {0};
    read_names(r);
    read_type(r);
    if (!version_will_do(d))
        return;
    unsigned which = read_extensions(r);
    d->facts.node = node_of(r, which);
    if (!profile_will_do(r, which) || !read_claims(r, &c) || !judge(d, &c))
        return;
    fill_facts(d, &c);
    d->facts.has_double = has_double(r, which);
}

/* --- the list --- */

static void list_platform(opencl *o, listing *found, cl_platform_id platform)
{
    cl_device_id ids[MOST_DEVICES] = {NULL};
    cl_uint count = 0, room = MOST_DEVICES - found->count;
    if (platform == NULL || room == 0)
        return;
    cl_int error = o->cl.clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, room, ids, &count);
    if (error != CL_SUCCESS && error != CL_DEVICE_NOT_FOUND)
        (void)snprintf(o->reason, sizeof o->reason, "a platform does not list its devices: %s",
                       yoke__cl_error_name(error));
    for (cl_uint k = 0; error == CL_SUCCESS && k < count && k < room; k++) {
        bool seen = ids[k] == NULL;
        for (unsigned j = 0; j < found->count; j++)
            seen = seen || found->at[j].id == ids[k];
        if (seen)
            continue;
        found->at[found->count].platform = platform;
        found->at[found->count++].id = ids[k];
    }
}

static void list_all(opencl *o, listing *found)
{
    cl_platform_id platforms[MOST_PLATFORMS] = {NULL};
    cl_uint count = 0;
    cl_int error = o->cl.clGetPlatformIDs(MOST_PLATFORMS, platforms, &count);
    if (error != CL_SUCCESS && error != PLATFORM_NOT_FOUND) {
        o->status =
            yoke__fail(YOKE_ENODEV, "the OpenCL library does not list its platforms: %s", yoke__cl_error_name(error));
        (void)snprintf(o->reason, sizeof o->reason, "%s", yoke_error_detail());
        return;
    }
    if (error != CL_SUCCESS || count == 0) {
        (void)snprintf(o->reason, sizeof o->reason, "no OpenCL driver is installed");
        return;
    }
    (void)snprintf(o->reason, sizeof o->reason, "OpenCL drivers are installed, but find no device");
    for (cl_uint k = 0; k < count && k < MOST_PLATFORMS; k++)
        list_platform(o, found, platforms[k]);
}

static bool prepare(opencl *o, device *d, cl_platform_id platform, cl_device_id id)
{
    d->owner = o;
    d->platform = platform;
    d->id = id;
    d->facts.name = d->name;
    d->facts.vendor = d->vendor;
    d->facts.platform = d->platform_name;
    d->facts.driver = d->driver_version;
    d->facts.version = d->version;
    d->facts.node = -1;
    atomic_store(&d->state, YOKE_DEVICE_READY);
    return pthread_mutex_init(&d->lock, NULL) == 0;
}

static void give_up(opencl *o)
{
    for (unsigned k = 0; o->devices != NULL && k < o->count; k++)
        pthread_mutex_destroy(&o->devices[k].lock);
    yoke__free(o->devices);
    o->devices = NULL;
    o->count = 0;
    o->status = yoke__fail(YOKE_ENOMEM, "no memory for the list of devices");
    (void)snprintf(o->reason, sizeof o->reason, "%s", yoke_error_detail());
}

static bool inspect_all(opencl *o, const listing *found, reader *r)
{
    for (unsigned k = 0; k < found->count; k++) {
        device *d = &o->devices[k];
        if (!prepare(o, d, found->at[k].platform, found->at[k].id))
            return false;
        o->count++;
        r->device = d;
        inspect(r);
        d->facts.state = (yoke_device_state)atomic_load(&d->state);
        d->facts.reason = device_reason(d);
    }
    return true;
}

void yoke__cl_list_devices(opencl *o)
{
    listing found = {.count = 0};
    o->devices = NULL;
    o->count = 0;
    o->status = YOKE_OK;
    o->reason[0] = '\0';
    list_all(o, &found);
    if (found.count == 0)
        return;
    o->reason[0] = '\0';
    reader *r = yoke__alloc(sizeof *r);
    o->devices = yoke__alloc_zeroed(found.count, sizeof *o->devices);
    if (r != NULL && o->devices != NULL) {
        r->cl = &o->cl;
        r->topology = o->topology;
    }
    if (r == NULL || o->devices == NULL || !inspect_all(o, &found, r))
        give_up(o);
    yoke__free(r);
}

void yoke__cl_discover(opencl *o)
{
    int status = yoke__cl_load(&o->cl);
    if (status == YOKE_OK) {
        yoke__cl_list_devices(o);
        return;
    }
    o->devices = NULL;
    o->count = 0;
    o->status = status;
    (void)snprintf(o->reason, sizeof o->reason, "%s", yoke_error_detail());
}
