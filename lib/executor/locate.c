/* Functions, as other processes of the same program find them. Addresses differ from process to process, offsets in the
 * object do not. An object is known by its build id, or without one by its name, and by its size. */
#include <elf.h>
#include <link.h>
#include <string.h>

#include "lib/executor/process.h"

typedef struct search {
    yoke__where where;
    uintptr_t address; /* 0: it is what is looked for */
    bool found;
} search;

static uint64_t mix(uint64_t hash, const void *data, size_t bytes)
{
    const unsigned char *at = data;
    for (size_t k = 0; k < bytes; k++)
        hash = (hash ^ at[k]) * UINT64_C(0x100000001b3);
    return hash;
}

/* The whole note; false: there is none in this segment. */
static bool find_build_id(const ElfW(Nhdr) * note, size_t left, const unsigned char **id, size_t *bytes)
{
    while (left >= sizeof *note) {
        const size_t name = (note->n_namesz + 3u) & ~(size_t)3, rest = (note->n_descsz + 3u) & ~(size_t)3;
        const unsigned char *text = (const unsigned char *)(note + 1);
        if (name > left - sizeof *note || rest > left - sizeof *note - name)
            return false;
        if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4 && memcmp(text, "GNU", 4) == 0) {
            *id = text + name;
            *bytes = note->n_descsz;
            return true;
        }
        left -= sizeof *note + name + rest;
        note = (const ElfW(Nhdr) *)(const void *)(text + name + rest);
    }
    return false;
}

static uint64_t identity_of(const struct dl_phdr_info *object)
{
    const unsigned char *id = NULL;
    size_t bytes = 0;
    uint64_t end = 0;
    for (unsigned k = 0; k < object->dlpi_phnum; k++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[k];
        if (part->p_type == PT_LOAD && part->p_vaddr + part->p_memsz > end)
            end = part->p_vaddr + part->p_memsz;
        if (part->p_type == PT_NOTE && id == NULL)
            (void)find_build_id((const ElfW(Nhdr) *)(object->dlpi_addr + part->p_vaddr), part->p_memsz, &id, &bytes);
    }
    const uint64_t hash = mix(UINT64_C(0xcbf29ce484222325), &end, sizeof end);
    return id != NULL ? mix(hash, id, bytes) : mix(hash, object->dlpi_name, strlen(object->dlpi_name));
}

/* Whether code of the object is so many bytes after its beginning. */
static bool has_code(const struct dl_phdr_info *object, uint64_t offset)
{
    for (unsigned k = 0; k < object->dlpi_phnum; k++) {
        const ElfW(Phdr) *part = &object->dlpi_phdr[k];
        if (part->p_type == PT_LOAD && (part->p_flags & PF_X) != 0 && offset >= part->p_vaddr &&
            offset - part->p_vaddr < part->p_memsz)
            return true;
    }
    return false;
}

static int look(struct dl_phdr_info *object, size_t bytes, void *argument)
{
    search *s = argument;
    (void)bytes;
    if (s->address != 0 && has_code(object, s->address - object->dlpi_addr)) {
        s->where = (yoke__where){identity_of(object), s->address - object->dlpi_addr};
        s->found = true;
    } else if (s->address == 0 && has_code(object, s->where.offset) && identity_of(object) == s->where.object) {
        s->address = object->dlpi_addr + s->where.offset;
        s->found = true;
    }
    return s->found;
}

bool yoke__function_where(yoke_function *function, yoke__where *where)
{
    search s = {.address = (uintptr_t)function};
    (void)dl_iterate_phdr(look, &s);
    *where = s.where;
    return s.found;
}

yoke_function *yoke__function_at(const yoke__where *where)
{
    search s = {.where = *where};
    (void)dl_iterate_phdr(look, &s);
    return s.found ? (yoke_function *)s.address : NULL;
}
