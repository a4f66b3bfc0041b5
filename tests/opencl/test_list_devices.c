/* What is made of a driver's answers, with a driver of tables that says whatever a test wants. */
#include "lib/opencl/device.h"
#include "tests/unit/support.h"

enum { LONGEST = 3000, OVERRIDES = 6, FAKES = 300 };

/* One device's answers: defaults, and what the test says instead. */
typedef struct fake {
    const char *name, *version, *extensions, *profile;
    struct {
        cl_device_info what;
        uint64_t value;
        size_t size;     /* 0: as usual */
        cl_int error;    /* instead of an answer */
        const void *raw; /* instead of the value */
    } instead[OVERRIDES];
} fake;

static fake fakes[FAKES];
static cl_uint fake_devices, fake_devices_said, fake_platforms;
static cl_int fake_platform_error, fake_device_error;
static cl_device_info asked[64];
static size_t asked_count;

/* A text without its end when it does not fit, as careless drivers do. */
static cl_int answer(const void *from, size_t length, size_t size, void *to, size_t *needed)
{
    if (needed != NULL)
        *needed = length;
    memcpy(to, from, length < size ? length : size);
    return length <= size ? CL_SUCCESS : CL_INVALID_VALUE;
}

static cl_int answer_text(const char *text, size_t size, void *to, size_t *needed)
{
    return answer(text, strlen(text) + 1, size, to, needed);
}

static cl_int answer_number(uint64_t value, size_t length, size_t size, void *to, size_t *needed)
{
    const uint64_t padded[4] = {value}; /* little-endian, as all that have OpenCL */
    return answer(padded, length <= sizeof padded ? length : sizeof padded, size, to, needed);
}

static cl_int CL_API_CALL fake_device_info(cl_device_id id, cl_device_info what, size_t size, void *to, size_t *needed)
{
    static const size_t items[] = {1024, 512, 64};
    const fake *f = (const fake *)(const void *)id;
    if (asked_count < sizeof asked / sizeof *asked)
        asked[asked_count++] = what;
    for (size_t k = 0; k < OVERRIDES; k++)
        if (f->instead[k].what == what && what != 0) {
            size_t length = f->instead[k].size != 0 ? f->instead[k].size : size;
            if (f->instead[k].error != CL_SUCCESS)
                return f->instead[k].error;
            return f->instead[k].raw != NULL ? answer(f->instead[k].raw, length, size, to, needed)
                                             : answer_number(f->instead[k].value, length, size, to, needed);
        }
    switch (what) {
    case CL_DEVICE_NAME: return answer_text(f->name, size, to, needed);
    case CL_DEVICE_VENDOR: return answer_text("ACME", size, to, needed);
    case CL_DRIVER_VERSION: return answer_text("1.0", size, to, needed);
    case CL_DEVICE_VERSION: return answer_text(f->version, size, to, needed);
    case CL_DEVICE_EXTENSIONS: return answer_text(f->extensions, size, to, needed);
    case CL_DEVICE_PROFILE: return answer_text(f->profile, size, to, needed);
    case CL_DEVICE_TYPE: return answer_number(CL_DEVICE_TYPE_GPU, 8, size, to, needed);
    case CL_DEVICE_AVAILABLE:
    case CL_DEVICE_COMPILER_AVAILABLE:
    case CL_DEVICE_ENDIAN_LITTLE: return answer_number(CL_TRUE, 4, size, to, needed);
    case CL_DEVICE_HOST_UNIFIED_MEMORY: return answer_number(CL_FALSE, 4, size, to, needed);
    case CL_DEVICE_ADDRESS_BITS: return answer_number(64, 4, size, to, needed);
    case CL_DEVICE_GLOBAL_MEM_SIZE: return answer_number(UINT64_C(8) << 30, 8, size, to, needed);
    case CL_DEVICE_MAX_MEM_ALLOC_SIZE: return answer_number(UINT64_C(5) << 30, 8, size, to, needed);
    case CL_DEVICE_LOCAL_MEM_SIZE: return answer_number(49152, 8, size, to, needed);
    case CL_DEVICE_MAX_COMPUTE_UNITS: return answer_number(132, 4, size, to, needed);
    case CL_DEVICE_MAX_WORK_GROUP_SIZE: return answer_number(1024, 8, size, to, needed);
    case CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS: return answer_number(3, 4, size, to, needed);
    case CL_DEVICE_MAX_WORK_ITEM_SIZES: return answer(items, sizeof items, size, to, needed);
    case CL_DEVICE_SINGLE_FP_CONFIG:
        return answer_number(CL_FP_DENORM | CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT | CL_FP_FMA, 8, size, to, needed);
    case CL_DEVICE_DOUBLE_FP_CONFIG: return answer_number(0, 8, size, to, needed);
    default: return CL_INVALID_VALUE;
    }
}

static cl_int CL_API_CALL fake_platform_info(cl_platform_id id, cl_platform_info what, size_t size, void *to,
                                             size_t *needed)
{
    (void)id;
    return what == CL_PLATFORM_NAME ? answer_text("Fake\tplatform ", size, to, needed) : CL_INVALID_VALUE;
}

static cl_int CL_API_CALL fake_platform_ids(cl_uint room, cl_platform_id *ids, cl_uint *count)
{
    for (cl_uint k = 0; k < room && k < fake_platforms; k++)
        ids[k] = (cl_platform_id)(void *)&fakes[k];
    *count = fake_platforms;
    return fake_platform_error;
}

static cl_int CL_API_CALL fake_device_ids(cl_platform_id platform, cl_device_type type, cl_uint room, cl_device_id *ids,
                                          cl_uint *count)
{
    (void)platform;
    assert_true(type == CL_DEVICE_TYPE_ALL);
    assert_int_not_equal(room, 0);
    for (cl_uint k = 0; k < room && k < fake_devices; k++)
        ids[k] = (cl_device_id)(void *)&fakes[k];
    *count = fake_devices_said;
    return fake_device_error;
}

/* One platform with so many good devices. */
static fake *fake_reset(cl_uint count)
{
    static char names[FAKES][32];
    for (unsigned k = 0; k < FAKES; k++) {
        snprintf(names[k], sizeof names[k], "fake %u", k);
        fakes[k] = (fake){.name = names[k],
                          .version = "OpenCL 1.2 fake",
                          .extensions = "cl_khr_global_int32_base_atomics cl_khr_fp64",
                          .profile = "FULL_PROFILE"};
    }
    fake_platforms = 1;
    fake_devices = fake_devices_said = count;
    fake_platform_error = fake_device_error = CL_SUCCESS;
    asked_count = 0;
    return fakes;
}

static void fake_list(opencl *o, const yoke__topology *topology)
{
    *o = (opencl){.topology = topology};
    o->cl.clGetPlatformIDs = fake_platform_ids;
    o->cl.clGetPlatformInfo = fake_platform_info;
    o->cl.clGetDeviceIDs = fake_device_ids;
    o->cl.clGetDeviceInfo = fake_device_info;
    yoke__cl_list_devices(o);
    if (o->count > 0) {
        assert_int_equal(o->status, YOKE_OK);
        assert_string_equal(o->reason, "");
    } else {
        assert_null(o->devices);
        assert_string_not_equal(o->reason, "");
    }
}

static void list_free(opencl *o)
{
    for (unsigned k = 0; k < o->count; k++)
        assert_int_equal(pthread_mutex_destroy(&o->devices[k].lock), 0);
    yoke__free(o->devices);
    o->devices = NULL;
}

static void list_good_device_is_ready_with_its_facts(void **state)
{
    (void)state;
    opencl o;
    fake_reset(1);
    fake_list(&o, NULL);
    assert_int_equal(o.count, 1);
    device *d = &o.devices[0];
    assert_int_equal(atomic_load(&d->state), YOKE_DEVICE_READY);
    assert_string_equal(device_reason(d), "");
    assert_ptr_equal(d->owner, &o);
    assert_string_equal(d->facts.name, "fake 0");
    assert_string_equal(d->facts.vendor, "ACME");
    assert_string_equal(d->facts.platform, "Fake platform");
    assert_string_equal(d->facts.driver, "1.0");
    assert_string_equal(d->facts.version, "OpenCL 1.2 fake");
    assert_int_equal(d->facts.type, YOKE_DEVICE_GPU);
    assert_int_equal(d->facts.compute_units, 132);
    assert_true(d->facts.memory_bytes == UINT64_C(8) << 30 && d->facts.array_bytes == UINT64_C(5) << 30);
    assert_true(d->facts.has_double && d->facts.is_exact && !d->facts.shares_memory);
    assert_int_equal(d->facts.node, -1);
    assert_int_equal(d->max_group, 1024);
    assert_int_equal(d->max_item_size[0], 1024);
    assert_int_equal(d->max_item_size[1], 512);
    assert_int_equal(d->local_bytes, 49152);
    assert_false(d->has_32_bit_addresses);
    list_free(&o);
}

static void list_each_nonsense_is_refused_with_a_reason_and_the_next_device_is_not(void **state)
{
    (void)state;
    static const struct {
        cl_device_info what;
        uint64_t value;
        const char *said;
    } cases[] = {
        {CL_DEVICE_MAX_MEM_ALLOC_SIZE, 0, "CL_DEVICE_MAX_MEM_ALLOC_SIZE is 0"},
        {CL_DEVICE_MAX_MEM_ALLOC_SIZE, UINT64_C(1) << 63, "larger than its memory"},
        {CL_DEVICE_MAX_MEM_ALLOC_SIZE, (UINT64_C(8) << 30) + 1, "larger than its memory"},
        {CL_DEVICE_GLOBAL_MEM_SIZE, 0, "CL_DEVICE_GLOBAL_MEM_SIZE is 0"},
        {CL_DEVICE_GLOBAL_MEM_SIZE, (UINT64_C(1) << 62) + 1, "CL_DEVICE_GLOBAL_MEM_SIZE"},
        {CL_DEVICE_MAX_WORK_GROUP_SIZE, 0, "CL_DEVICE_MAX_WORK_GROUP_SIZE is 0"},
        {CL_DEVICE_MAX_WORK_GROUP_SIZE, (1 << 20) + 1, "CL_DEVICE_MAX_WORK_GROUP_SIZE is 1048577"},
        {CL_DEVICE_MAX_WORK_GROUP_SIZE, UINT64_C(1) << 63, "CL_DEVICE_MAX_WORK_GROUP_SIZE"},
        {CL_DEVICE_MAX_COMPUTE_UNITS, 0, "CL_DEVICE_MAX_COMPUTE_UNITS is 0"},
        {CL_DEVICE_MAX_COMPUTE_UNITS, 1000001, "CL_DEVICE_MAX_COMPUTE_UNITS is 1000001"},
        {CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS, 0, "CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS is 0"},
        {CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS, 1, "CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS is 1"},
        {CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS, 4000000000, "CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS"},
        {CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS, 4, "CL_DEVICE_MAX_WORK_ITEM_SIZES: CL_INVALID_VALUE"},
        {CL_DEVICE_MAX_WORK_ITEM_SIZES, 0, "CL_DEVICE_MAX_WORK_ITEM_SIZES[0] is 0"},
        {CL_DEVICE_MAX_WORK_ITEM_SIZES, 1024, "CL_DEVICE_MAX_WORK_ITEM_SIZES[1] is 0"},
        {CL_DEVICE_AVAILABLE, CL_FALSE, "not available"},
        {CL_DEVICE_COMPILER_AVAILABLE, CL_FALSE, "no compiler"},
        {CL_DEVICE_ENDIAN_LITTLE, CL_FALSE, "big-endian"},
        {CL_DEVICE_ADDRESS_BITS, 16, "neither 32 nor 64"},
        {CL_DEVICE_TYPE, CL_DEVICE_TYPE_CUSTOM, "neither CPU nor GPU"},
    };
    static const size_t item_sizes[][3] = {{0, 512, 64}, {1024, 0, 64}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        opencl o;
        fake *f = fake_reset(2);
        f->instead[0].what = cases[k].what;
        f->instead[0].value = cases[k].value;
        if (cases[k].what == CL_DEVICE_MAX_WORK_ITEM_SIZES)
            f->instead[0].raw = item_sizes[cases[k].value != 0];
        fake_list(&o, NULL);
        assert_int_equal(o.count, 2);
        if (atomic_load(&o.devices[0].state) != YOKE_DEVICE_REFUSED ||
            strstr(device_reason(&o.devices[0]), cases[k].said) == NULL)
            fail_msg("case %zu: state %d, \"%s\"", k, atomic_load(&o.devices[0].state), device_reason(&o.devices[0]));
        assert_int_equal(o.devices[0].facts.state, YOKE_DEVICE_REFUSED);
        assert_string_equal(o.devices[0].facts.reason, device_reason(&o.devices[0]));
        assert_int_equal(atomic_load(&o.devices[1].state), YOKE_DEVICE_READY);
        assert_string_equal(o.devices[1].facts.name, "fake 1");
        list_free(&o);
    }
}

static void list_each_query_that_fails_or_lies_about_its_length_refuses(void **state)
{
    (void)state;
    static const cl_device_info needed[] = {
        CL_DEVICE_NAME,
        CL_DEVICE_VENDOR,
        CL_DRIVER_VERSION,
        CL_DEVICE_VERSION,
        CL_DEVICE_EXTENSIONS,
        CL_DEVICE_PROFILE,
        CL_DEVICE_TYPE,
        CL_DEVICE_AVAILABLE,
        CL_DEVICE_ENDIAN_LITTLE,
        CL_DEVICE_COMPILER_AVAILABLE,
        CL_DEVICE_ADDRESS_BITS,
        CL_DEVICE_HOST_UNIFIED_MEMORY,
        CL_DEVICE_LOCAL_MEM_SIZE,
        CL_DEVICE_GLOBAL_MEM_SIZE,
        CL_DEVICE_MAX_MEM_ALLOC_SIZE,
        CL_DEVICE_MAX_COMPUTE_UNITS,
        CL_DEVICE_MAX_WORK_GROUP_SIZE,
        CL_DEVICE_MAX_WORK_ITEM_DIMENSIONS,
        CL_DEVICE_MAX_WORK_ITEM_SIZES,
        CL_DEVICE_SINGLE_FP_CONFIG,
    };
    for (size_t k = 0; k < sizeof needed / sizeof *needed; k++)
        for (int lies = 0; lies < (needed[k] >= CL_DEVICE_NAME && needed[k] <= CL_DEVICE_EXTENSIONS ? 1 : 2); lies++) {
            opencl o;
            fake *f = fake_reset(1);
            f->instead[0].what = needed[k];
            f->instead[0].error = lies ? CL_SUCCESS : CL_OUT_OF_RESOURCES;
            f->instead[0].value = 1;
            f->instead[0].size = 1;
            fake_list(&o, NULL);
            assert_int_equal(o.count, 1);
            if (atomic_load(&o.devices[0].state) != YOKE_DEVICE_REFUSED ||
                strstr(device_reason(&o.devices[0]), lies ? "CL_INVALID_VALUE" : "CL_OUT_OF_RESOURCES") == NULL)
                fail_msg("query %#x: state %d, \"%s\"", needed[k], atomic_load(&o.devices[0].state),
                         device_reason(&o.devices[0]));
            list_free(&o);
        }
}

static void list_versions_below_1_2_are_refused_before_anything_newer_is_asked(void **state)
{
    (void)state;
    static const struct {
        const char *version, *said; /* NULL: fine */
    } cases[] = {{"OpenCL 1.2", NULL},           {"OpenCL 3.0 CUDA", NULL},
                 {"OpenCL 2.1 ", NULL},          {"OpenCL 10.0 x", NULL},
                 {"OpenCL 1.1 x", "OpenCL 1.1"}, {"OpenCL 1.0", "OpenCL 1.0"},
                 {"OpenCL 0.9", "0.9"},          {"", "cannot be read"},
                 {"OpenCL", "cannot be read"},   {"OpenCL x.y", "cannot"},
                 {"OpenCL C 1.2", "cannot be"},  {"FULL 3.0", "cannot be read"},
                 {"OpenCL 1.", "cannot be"},     {"OpenCL -1.-1", "cannot be read"}};
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        opencl o;
        fake_reset(1)->version = cases[k].version;
        fake_list(&o, NULL);
        bool ready = atomic_load(&o.devices[0].state) == YOKE_DEVICE_READY;
        if (ready != (cases[k].said == NULL) || (!ready && !strstr(device_reason(&o.devices[0]), cases[k].said)))
            fail_msg("\"%s\": \"%s\"", cases[k].version, device_reason(&o.devices[0]));
        for (size_t j = 0; j < asked_count && !ready; j++)
            if (asked[j] == CL_DEVICE_HOST_UNIFIED_MEMORY || asked[j] == CL_DEVICE_DOUBLE_FP_CONFIG)
                fail_msg("\"%s\" was asked %#x", cases[k].version, asked[j]);
        assert_int_equal(o.devices[0].facts.type, YOKE_DEVICE_GPU);
        list_free(&o);
    }
}

static void list_strings_are_tidied_and_cut(void **state)
{
    (void)state;
    static char longest[LONGEST + 1];
    static const struct {
        const char *name, *expected;
    } cases[] = {
        {"  Intel(R) \t\n ", "Intel(R)"}, {"a\033[31mb\177c", "a [31mb c"}, {"", "(no name)"}, {" \n", "(no name)"}};
    opencl o;
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        fake_reset(1)->name = cases[k].name;
        fake_list(&o, NULL);
        assert_string_equal(o.devices[0].facts.name, cases[k].expected);
        list_free(&o);
    }
    for (size_t k = 0; k + 1 < LONGEST; k += 2)
        memcpy(longest + k, "\xc3\xa4", 2);
    fake_reset(1)->name = longest;
    fake_list(&o, NULL);
    assert_int_equal(strlen(o.devices[0].facts.name), 126); /* 127 would cut a letter in two */
    list_free(&o);
    fake *f = fake_reset(1); /* no end anywhere in what the driver gives */
    static char endless[70000];
    memset(endless, 'e', sizeof endless);
    f->instead[0].what = CL_DEVICE_NAME;
    f->instead[0].raw = endless;
    fake_list(&o, NULL);
    assert_int_equal(strlen(o.devices[0].facts.name), 127);
    list_free(&o);
}

static void list_optional_abilities_are_found_as_whole_words(void **state)
{
    (void)state;
    opencl o;
    fake *f = fake_reset(6);
    f[0].extensions = "cl_khr_fp64x xcl_khr_fp64 cl_khr_fp6";
    f[1].extensions = "cl_khr_fp64x cl_khr_fp64";
    f[2].extensions = "";
    f[2].instead[0].what = CL_DEVICE_DOUBLE_FP_CONFIG;
    f[2].instead[0].value = CL_FP_FMA;
    f[3].instead[0].what = CL_DEVICE_SINGLE_FP_CONFIG;
    f[3].instead[0].value = CL_FP_DENORM | CL_FP_FMA;
    f[4].instead[0].what = CL_DEVICE_SINGLE_FP_CONFIG;
    f[4].instead[0].value = CL_FP_CORRECTLY_ROUNDED_DIVIDE_SQRT;
    f[5].profile = "EMBEDDED_PROFILE";
    fake_list(&o, NULL);
    static const bool doubles[] = {false, true, true, true, true};
    for (unsigned k = 0; k < 5; k++) {
        assert_int_equal(o.devices[k].facts.has_double, doubles[k]);
        assert_int_equal(o.devices[k].facts.is_exact, k < 3);
        assert_int_equal(atomic_load(&o.devices[k].state), YOKE_DEVICE_READY);
    }
    assert_int_equal(atomic_load(&o.devices[5].state), YOKE_DEVICE_REFUSED);
    assert_non_null(strstr(device_reason(&o.devices[5]), "64-bit integers"));
    list_free(&o);
    f = fake_reset(2);
    f[0].profile = "EMBEDDED_PROFILE";
    f[0].extensions = "cles_khr_int64";
    f[1].instead[0].what = CL_DEVICE_ADDRESS_BITS;
    f[1].instead[0].value = 32;
    fake_list(&o, NULL);
    assert_int_equal(atomic_load(&o.devices[0].state), YOKE_DEVICE_READY);
    assert_int_equal(atomic_load(&o.devices[1].state), YOKE_DEVICE_READY);
    assert_true(o.devices[1].has_32_bit_addresses && o.devices[1].facts.array_bytes == UINT32_MAX);
    list_free(&o);
}

static void list_pci_addresses_are_asked_only_of_those_that_have_the_question(void **state)
{
    (void)state;
    static const cl_uint khr[4] = {0, 0x0a, 3, 1}, impossible[4] = {0, 256, 0, 0};
    unsigned char amd[3][24] = {{1}, {1}, {1}};
    amd[0][21] = 0x0a;
    amd[1][22] = 32; /* no such device, */
    amd[2][23] = 8;  /* no such function */
    opencl o;
    yoke__topology *here;
    assert_int_equal(yoke__topology_load(&here), YOKE_OK);
    int node = yoke__topology_node_of_pci(here, 0, 0x0a, 3, 1);
    fake *f = fake_reset(8);
    f[0].extensions = "cl_khr_pci_bus_info";
    f[0].instead[0].what = 0x410F;
    f[0].instead[0].raw = khr;
    f[1].extensions = "cl_khr_pci_bus_info";
    f[1].instead[0].what = 0x410F;
    f[1].instead[0].raw = impossible;
    f[2].extensions = "cl_nv_device_attribute_query"; /* no domain: an old driver */
    f[2].instead[0].what = 0x4008;
    f[2].instead[0].value = 0x0a;
    f[2].instead[1].what = 0x4009;
    f[2].instead[1].value = 3 << 3 | 1;
    f[3].extensions = "cl_amd_device_attribute_query";
    f[3].instead[0].what = 0x4037;
    f[3].instead[0].raw = amd[0];
    f[4] = f[3];
    f[4].instead[0].raw = NULL; /* not of type PCIe */
    f[5] = f[2];
    f[5].instead[1].value = 32 << 3;
    f[6] = f[7] = f[3];
    f[6].instead[0].raw = amd[1];
    f[7].instead[0].raw = amd[2];
    fake_list(&o, here);
    assert_int_equal(o.devices[0].facts.node, node);
    assert_int_equal(o.devices[1].facts.node, -1);
    assert_int_equal(o.devices[2].facts.node, node);
    assert_int_equal(o.devices[3].facts.node, yoke__topology_node_of_pci(here, 0, 0x0a, 0, 0));
    for (unsigned k = 4; k < 8; k++)
        assert_int_equal(o.devices[k].facts.node, -1);
    list_free(&o);
    fake_reset(1);
    fake_list(&o, here);
    for (size_t k = 0; k < asked_count; k++)
        if ((asked[k] >= 0x4000 && asked[k] < 0x5000))
            fail_msg("a device without the extension was asked %#x", asked[k]);
    list_free(&o);
    yoke__topology_free(here);
}

static void list_platforms_and_devices_are_counted_by_us(void **state)
{
    (void)state;
    opencl o;
    fake_reset(FAKES); /* more than are taken */
    fake_list(&o, NULL);
    assert_int_equal(o.count, 256);
    assert_string_equal(o.devices[255].facts.name, "fake 255");
    list_free(&o);
    fake_reset(2); /* says that there are more, and gives the same in every platform */
    fake_devices_said = 1000;
    fake_platforms = 200;
    fake_list(&o, NULL);
    assert_int_equal(o.count, 2);
    list_free(&o);
    for (int k = 0; k < 6; k++) {
        static const cl_int platform_errors[] = {-1001,      CL_SUCCESS, CL_OUT_OF_HOST_MEMORY,
                                                 CL_SUCCESS, CL_SUCCESS, CL_SUCCESS};
        static const cl_int device_errors[] = {CL_SUCCESS,          CL_SUCCESS, CL_SUCCESS,
                                               CL_DEVICE_NOT_FOUND, -9999,      CL_SUCCESS};
        static const char *const said[] = {"no OpenCL driver", "no OpenCL driver", "CL_OUT_OF_HOST_MEMORY",
                                           "no device",        "error -9999",      "no device"};
        fake_reset(k == 5 ? 0 : 2);
        fake_platforms = k >= 2;
        fake_platform_error = platform_errors[k];
        fake_device_error = device_errors[k];
        fake_list(&o, NULL);
        assert_int_equal(o.count, 0);
        assert_int_equal(o.status, k == 2 ? YOKE_ENODEV : YOKE_OK);
        if (strstr(o.reason, said[k]) == NULL)
            fail_msg("case %d: \"%s\"", k, o.reason);
    }
}

static void list_failing_allocations_leave_no_devices(void **state)
{
    (void)state;
    for (unsigned long nth = 1; nth <= 2; nth++) {
        opencl o;
        fake_reset(2);
        yoke__alloc_fail_at(nth, false);
        fake_list(&o, NULL);
        yoke__alloc_fail_at(0, false);
        assert_int_equal(o.count, 0);
        assert_int_equal(o.status, YOKE_ENOMEM);
        assert_non_null(strstr(o.reason, "memory"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(list_good_device_is_ready_with_its_facts),
        cmocka_unit_test(list_each_nonsense_is_refused_with_a_reason_and_the_next_device_is_not),
        cmocka_unit_test(list_each_query_that_fails_or_lies_about_its_length_refuses),
        cmocka_unit_test(list_versions_below_1_2_are_refused_before_anything_newer_is_asked),
        cmocka_unit_test(list_strings_are_tidied_and_cut),
        cmocka_unit_test(list_optional_abilities_are_found_as_whole_words),
        cmocka_unit_test(list_pci_addresses_are_asked_only_of_those_that_have_the_question),
        cmocka_unit_test(list_platforms_and_devices_are_counted_by_us),
        cmocka_unit_test(list_failing_allocations_leave_no_devices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
