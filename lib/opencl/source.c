/* OpenCL C source from a kernel's text and parameter table: prelude, the helpers and types that the text names, the
 * item function, and the __kernel that calls it. No variadic macro reaches the device's compiler. */
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/base.h"
#include "lib/opencl/prelude.h"
#include "yoke/kernel.h"

enum { TEXTS_LIMIT = 256 };

/* Writes as much as fits and counts all, like snprintf. */
typedef struct writer {
    char *buffer;
    size_t capacity, length;
} writer;

__attribute__((format(printf, 2, 3))) static void put(writer *w, const char *format, ...)
{
    size_t room = w->capacity > w->length ? w->capacity - w->length : 0;
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(room > 0 ? w->buffer + w->length : NULL, room, format, arguments);
    va_end(arguments);
    w->length += written > 0 ? (size_t)written : 0;
}

/* --- helpers and types --- */

static bool names(const char *text, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = text; at != NULL && (at = strstr(at, name)) != NULL; at += length) {
        bool starts = at == text || !(isalnum((unsigned char)at[-1]) || at[-1] == '_');
        bool ends = !(isalnum((unsigned char)at[length]) || at[length] == '_');
        if (starts && ends)
            return true;
    }
    return false;
}

typedef struct collection {
    const yoke_kernel *kernel;
    const yoke_text *taken[TEXTS_LIMIT];
    size_t count;
} collection;

/* Files may define helpers of the same name: the kernel's own file comes first. */
static const yoke_text *best_named(const yoke_kernel *kernel, const char *name)
{
    const yoke_text *best = NULL;
    for (const yoke_text *const *entry = kernel->texts_begin; entry < kernel->texts_end; entry++)
        if (strcmp((*entry)->name, name) == 0 && (best == NULL || strcmp((*entry)->file, kernel->file) == 0))
            best = *entry;
    return best;
}

static bool is_taken(const collection *c, const char *name)
{
    for (size_t k = 0; k < c->count; k++)
        if (strcmp(c->taken[k]->name, name) == 0)
            return true;
    return false;
}

/* What the text names, each after what it needs itself. C has no forward use of an undeclared helper, so there are no
 * cycles but recursion, which OpenCL forbids: the mark before the descent ends it. */
static void collect(collection *c, const char *text, const char *visiting[], size_t depth)
{
    if (text == NULL || depth >= TEXTS_LIMIT)
        return;
    for (const yoke_text *const *entry = c->kernel->texts_begin; entry < c->kernel->texts_end; entry++) {
        const char *name = (*entry)->name;
        bool below = false;
        for (size_t k = 0; k < depth; k++)
            below |= strcmp(visiting[k], name) == 0;
        if (below || is_taken(c, name) || !names(text, name) || c->count == TEXTS_LIMIT)
            continue;
        const yoke_text *best = best_named(c->kernel, name);
        visiting[depth] = name;
        collect(c, best->head, visiting, depth + 1);
        collect(c, best->body, visiting, depth + 1);
        c->taken[c->count++] = best;
    }
}

static void put_texts(writer *w, const yoke_kernel *kernel)
{
    collection c = {.kernel = kernel};
    const char *visiting[TEXTS_LIMIT];
    for (size_t k = 0; k < kernel->parameter_count; k++)
        collect(&c, kernel->parameters[k].type, visiting, 0);
    collect(&c, kernel->result_type, visiting, 0);
    collect(&c, kernel->identity_text, visiting, 0);
    collect(&c, kernel->combine_text, visiting, 0);
    collect(&c, kernel->body, visiting, 0);
    for (size_t k = 0; k < c.count; k++) {
        const yoke_text *text = c.taken[k];
        if (text->is_type) {
            put(w, "#line %d \"%s\"\n%s %s %s;\n", text->line, text->file, text->head, text->body, text->name);
        } else { /* a built-in of OpenCL may have the helper's name */
            put(w, "#undef %s\n#define %s yoke_u_%s\n#line %d \"%s\"\n%s\n%s\n", text->name, text->name, text->name,
                text->line, text->file, text->head, text->body);
        }
    }
}

/* --- the kernel --- */

static const char *space_of(yoke_mode mode)
{
    switch (mode) {
    case YOKE_MODE_OUT:
    case YOKE_MODE_INOUT:
    case YOKE_MODE_SCATTER: return "__global ";
    case YOKE_MODE_VALUE: return "const ";
    default: return "__global const ";
    }
}

static void put_parameter(writer *w, const yoke_parameter *p)
{
    put(w, ", %s%s %s%s", space_of(p->mode), p->type, p->mode == YOKE_MODE_VALUE ? "" : "*", p->name);
}

static void put_parameters(writer *w, const yoke_kernel *kernel)
{
    for (size_t k = 0; k < kernel->parameter_count; k++)
        put_parameter(w, &kernel->parameters[k]);
}

/* The entry's own: the same, and for each array how far its first element stands from where the buffer begins. */
static void put_entry(writer *w, const yoke_kernel *kernel)
{
    put(w,
        "void yoke_k_%s(const ulong yoke_begin, const ulong yoke_end, const ulong yoke_size0, const ulong yoke_size1",
        kernel->name);
    if (kernel->result_type != NULL)
        put(w, ", __global %s *yoke_result", kernel->result_type);
    for (size_t k = 0; k < kernel->parameter_count; k++) {
        const yoke_parameter *p = &kernel->parameters[k];
        put_parameter(w, p);
        if (p->mode != YOKE_MODE_VALUE)
            put(w, ", const long yoke_at_%s", p->name);
    }
    put(w, ")\n{\n");
}

static void put_names(writer *w, const yoke_kernel *kernel)
{
    for (size_t k = 0; k < kernel->parameter_count; k++) {
        const yoke_parameter *p = &kernel->parameters[k];
        if (p->mode == YOKE_MODE_VALUE)
            put(w, ", %s", p->name);
        else
            put(w, ", %s + yoke_at_%s", p->name, p->name);
    }
}

static const char *item_sizes(yoke_shape shape)
{
    switch (shape) {
    case YOKE_SHAPE_MAP_2D: return "const ulong i, const ulong j, const ulong width, const ulong height";
    case YOKE_SHAPE_LANES: return "const ulong yoke_first, const uint yoke_lanes, const ulong n";
    case YOKE_SHAPE_LANES_2D:
        return "const ulong yoke_first, const uint yoke_lanes, const ulong j, const ulong width, const ulong height";
    default: return "const ulong i, const ulong n";
    }
}

static bool has_lanes(const yoke_kernel *kernel)
{
    return kernel->shape == YOKE_SHAPE_LANES || kernel->shape == YOKE_SHAPE_LANES_2D;
}

static void put_item(writer *w, const yoke_kernel *kernel)
{
    if (has_lanes(kernel)) /* a block is one item on a GPU; a compiler for a CPU vectorises the loops over lanes */
        put(w,
            "#ifdef YOKE_ON_CPU\n#define yoke_lanes_max %d\n#else\n#define yoke_lanes_max 1\n#endif\n"
            "#define yoke_lanes_rsqrt_estimate(r, x, lanes) "
            "for (uint yoke_r = 0; yoke_r < (lanes); yoke_r++) (r)[yoke_r] = rsqrt((x)[yoke_r])\n",
            LANES_ON_CPU);
    if (kernel->shape == YOKE_SHAPE_REDUCE || kernel->shape == YOKE_SHAPE_ACCUMULATE)
        put(w, "%s yoke_combine(const %s a, const %s b) { return %s; }\n", kernel->result_type, kernel->result_type,
            kernel->result_type, kernel->combine_text);
    put(w, "#line %d \"%s\"\n", kernel->line, kernel->file);
    if (kernel->shape == YOKE_SHAPE_REDUCE)
        put(w, "%s yoke_item(%s", kernel->result_type, item_sizes(kernel->shape));
    else if (kernel->shape == YOKE_SHAPE_ACCUMULATE)
        put(w, "void yoke_item(%s *acc, %s", kernel->result_type, item_sizes(kernel->shape));
    else
        put(w, "void yoke_item(%s", item_sizes(kernel->shape));
    put_parameters(w, kernel);
    if (kernel->shape == YOKE_SHAPE_REDUCE)
        put(w, ") { return %s; }\n", kernel->body);
    else
        put(w, ") { %s }\n", kernel->body);
}

static void put_call(writer *w, const yoke_kernel *kernel, const char *condition, const char *sizes)
{
    put(w, "    %s yoke_item(%s", condition, sizes);
    put_names(w, kernel);
    put(w, ");\n");
}

/* Blocks of lanes: the last one of a piece or row may be short. */
static void put_lanes(writer *w, const yoke_kernel *kernel, bool flat)
{
    put(w, "__kernel ");
    put_entry(w, kernel);
    put(w, flat
               ? "    const ulong yoke_i = yoke_begin + get_global_id(0) * yoke_lanes_max, yoke_stop = yoke_end;\n"
               : "    const ulong yoke_i = get_global_id(0) * yoke_lanes_max, yoke_j = yoke_begin + get_global_id(1);\n"
                 "    const ulong yoke_stop = yoke_j < yoke_end ? yoke_size0 : 0;\n");
    put_call(w, kernel, "if (yoke_i + yoke_lanes_max <= yoke_stop)",
             flat ? "yoke_i, yoke_lanes_max, yoke_size0" : "yoke_i, yoke_lanes_max, yoke_j, yoke_size0, yoke_size1");
    put_call(w, kernel, "else if (yoke_i < yoke_stop)",
             flat ? "yoke_i, (uint)(yoke_stop - yoke_i), yoke_size0"
                  : "yoke_i, (uint)(yoke_stop - yoke_i), yoke_j, yoke_size0, yoke_size1");
    put(w, "}\n");
}

/* A piece is [yoke_begin, yoke_end); work-items past it, there to fill a work-group, do nothing. */
static void put_map(writer *w, const yoke_kernel *kernel, bool flat)
{
    put(w, "__kernel ");
    put_entry(w, kernel);
    put(w, flat ? "    const ulong yoke_i = yoke_begin + get_global_id(0);\n"
                : "    const ulong yoke_i = get_global_id(0), yoke_j = yoke_begin + get_global_id(1);\n");
    if (flat)
        put_call(w, kernel, "if (yoke_i < yoke_end)", "yoke_i, yoke_size0");
    else
        put_call(w, kernel, "if (yoke_i < yoke_size0 && yoke_j < yoke_end)", "yoke_i, yoke_j, yoke_size0, yoke_size1");
    put(w, "}\n");
}

/* One work-item per block, its lanes an array: what a compiler for a CPU vectorises. */
static void put_reduce_on_cpu(writer *w, const yoke_kernel *kernel)
{
    const char *type = kernel->result_type;
    put(w, "#ifdef YOKE_ON_CPU\n__kernel ");
    put_entry(w, kernel);
    put(w,
        "    const ulong yoke_g = get_global_id(0);\n    if (yoke_begin + yoke_g >= yoke_end) return;\n"
        "    ulong yoke_i = (yoke_begin + yoke_g) * yoke_size1;\n"
        "    const ulong yoke_to = min(yoke_size0, yoke_i + yoke_size1);\n    %s yoke_lane[64];\n"
        "    for (uint yoke_l = 0; yoke_l < 64; yoke_l++) yoke_lane[yoke_l] = %s;\n",
        type, kernel->identity_text);
    for (int whole = 1; whole >= 0; whole--) {
        put(w, whole != 0 ? "    for (; yoke_i + 64 <= yoke_to; yoke_i += 64)\n"
                            "        for (uint yoke_l = 0; yoke_l < 64; yoke_l++)\n"
                          : "    for (uint yoke_l = 0; yoke_i + yoke_l < yoke_to; yoke_l++)\n");
        put(w, "            yoke_lane[yoke_l] = yoke_combine(yoke_lane[yoke_l], yoke_item(yoke_i + yoke_l, yoke_size0");
        put_names(w, kernel);
        put(w, "));\n");
    }
    put(w, "    for (uint yoke_half = 32; yoke_half > 0; yoke_half /= 2)\n"
           "        for (uint yoke_l = 0; yoke_l < yoke_half; yoke_l++)\n"
           "            yoke_lane[yoke_l] = yoke_combine(yoke_lane[yoke_l], yoke_lane[yoke_l + yoke_half]);\n"
           "    yoke_result[yoke_g] = yoke_lane[0];\n}\n#else\n");
}

/* A piece of a reduction counts blocks of yoke_size1 items. One work-group of 64 per block, one work-item per lane: the
 * same lanes and the same tree as on the CPU. */
static void put_reduce(writer *w, const yoke_kernel *kernel)
{
    const char *type = kernel->result_type;
    put_reduce_on_cpu(w, kernel);
    put(w, "__kernel __attribute__((reqd_work_group_size(64, 1, 1))) ");
    put_entry(w, kernel);
    put(w,
        "    __local %s yoke_lane[64];\n    const ulong yoke_l = get_local_id(0), yoke_g = get_group_id(0);\n"
        "    const ulong yoke_from = (yoke_begin + yoke_g) * yoke_size1;\n"
        "    const ulong yoke_to = min(yoke_size0, yoke_from + yoke_size1);\n    %s yoke_sum = %s;\n"
        "    for (ulong yoke_i = yoke_from + yoke_l; yoke_i < yoke_to; yoke_i += 64)\n"
        "        yoke_sum = yoke_combine(yoke_sum, yoke_item(yoke_i, yoke_size0",
        type, type, kernel->identity_text);
    put_names(w, kernel);
    put(w, "));\n    yoke_lane[yoke_l] = yoke_sum;\n    barrier(CLK_LOCAL_MEM_FENCE);\n"
           "    for (uint yoke_half = 32; yoke_half > 0; yoke_half /= 2) {\n"
           "        if (yoke_l < yoke_half)\n"
           "            yoke_lane[yoke_l] = yoke_combine(yoke_lane[yoke_l], yoke_lane[yoke_l + yoke_half]);\n"
           "        barrier(CLK_LOCAL_MEM_FENCE);\n    }\n"
           "    if (yoke_l == 0 && yoke_begin + yoke_g < yoke_end) yoke_result[yoke_g] = yoke_lane[0];\n}\n#endif\n");
}

/* One work-item per block, in the order of the items. */
static void put_accumulate(writer *w, const yoke_kernel *kernel)
{
    const char *type = kernel->result_type;
    put(w, "__kernel ");
    put_entry(w, kernel);
    put(w,
        "    const ulong yoke_g = get_global_id(0);\n    if (yoke_begin + yoke_g >= yoke_end) return;\n"
        "    const ulong yoke_from = (yoke_begin + yoke_g) * yoke_size1;\n"
        "    const ulong yoke_to = min(yoke_size0, yoke_from + yoke_size1);\n    %s yoke_acc = %s;\n"
        "    for (ulong yoke_i = yoke_from; yoke_i < yoke_to; yoke_i++)\n        yoke_item(&yoke_acc, yoke_i, "
        "yoke_size0",
        type, kernel->identity_text);
    put_names(w, kernel);
    put(w, ");\n    yoke_result[yoke_g] = yoke_acc;\n}\n");
}

int yoke_kernel_source(const yoke_kernel *kernel, char *buffer, size_t capacity, size_t *length)
{
    if (kernel == NULL || (buffer == NULL && capacity > 0))
        return yoke__fail(YOKE_EINVAL, "kernel or buffer is NULL; see YOKE_KERNEL_OF(name)");
    writer w = {buffer, capacity, 0};
    put(&w, "/* made by Yoke %s from kernel %s of %s:%d */\n#pragma OPENCL FP_CONTRACT %s\n%s", YOKE_VERSION,
        kernel->name, kernel->file, kernel->line, kernel->exact ? "OFF" : "ON", yoke__prelude);
    put_texts(&w, kernel);
    put_item(&w, kernel);
    if (kernel->shape == YOKE_SHAPE_REDUCE)
        put_reduce(&w, kernel);
    else if (kernel->shape == YOKE_SHAPE_ACCUMULATE)
        put_accumulate(&w, kernel);
    else if (has_lanes(kernel))
        put_lanes(&w, kernel, kernel->shape == YOKE_SHAPE_LANES);
    else
        put_map(&w, kernel, kernel->shape == YOKE_SHAPE_MAP);
    if (length != NULL)
        *length = w.length;
    return YOKE_OK;
}

int yoke_kernel_write_source(const yoke_kernel *kernel, const char *path)
{
    size_t length;
    int status = yoke_kernel_source(kernel, NULL, 0, &length);
    if (status != YOKE_OK)
        return status;
    if (path == NULL)
        return yoke__fail(YOKE_EINVAL, "path is NULL; give the name of a file to write");
    char *text = yoke__alloc(length + 1);
    if (text == NULL)
        return yoke__fail(YOKE_ENOMEM, "no memory for %zu bytes of source", length);
    (void)yoke_kernel_source(kernel, text, length + 1, NULL);
    FILE *file = fopen(path, "w");
    bool written = file != NULL && fwrite(text, 1, length, file) == length;
    if (file != NULL && fclose(file) != 0)
        written = false;
    yoke__free(text);
    return written ? YOKE_OK : yoke__fail(YOKE_EIO, "%s could not be written; check folder, rights and space", path);
}
