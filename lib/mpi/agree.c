/* That all ranks make the same call, and that a failure of one is told everywhere. */
#include <stdio.h>
#include <string.h>

#include "lib/mpi/mpi.h"

enum { FIELDS = 11, STATUS = FIELDS, WORDS = YOKE__MPI_WORDS, NAME = 48, DETAIL = 240 };

static const char *const fields[FIELDS] = {"verb",
                                           "kernel",
                                           "size",
                                           "size",
                                           "size",
                                           "size",
                                           "other arrays",
                                           "other flags",
                                           "another grain",
                                           "calls",
                                           "another root or patience"};

/* Of one rank, for the message. */
typedef struct record {
    uint64_t word[WORDS];
    char kernel[NAME];
    char detail[DETAIL];
} record;

uint64_t yoke__mpi_hash(uint64_t hash, const void *data, size_t bytes)
{
    const unsigned char *at = data;
    for (size_t k = 0; k < bytes; k++)
        /* NOLINTNEXTLINE(clang-analyzer-core.UndefinedBinaryOperatorResult): it loses sight of bytes of whole objects */
        hash = (hash ^ at[k]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    return text != NULL ? yoke__mpi_hash(hash, text, strlen(text) + 1) : yoke__mpi_hash(hash, "", 1);
}

/* Its texts, the lines and paths of which may differ between builds. */
uint64_t yoke__mpi_hash_kernel(const yoke_kernel *kernel)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    hash = hash_text(hash_text(hash, kernel->name), kernel->body);
    hash = hash_text(hash_text(hash, kernel->identity_text), kernel->combine_text);
    hash = hash_text(hash, kernel->result_type);
    const uint64_t numbers[] = {(uint64_t)kernel->shape, (uint64_t)kernel->exact, kernel->parameter_count,
                                kernel->result_size};
    hash = yoke__mpi_hash(hash, numbers, sizeof numbers);
    for (size_t k = 0; k < kernel->parameter_count; k++) {
        const yoke_parameter *p = &kernel->parameters[k];
        const uint64_t more[] = {p->size, (uint64_t)p->mode};
        hash = yoke__mpi_hash(hash_text(hash_text(hash, p->name), p->type), more, sizeof more);
    }
    return hash;
}

int yoke__mpi_may_call(const yoke_mpi *mpi)
{
    int level = MPI_THREAD_SINGLE, is_main = 0;
    if (mpi->broken != 0)
        return yoke__fail(YOKE_ESTATE, "rank %d: MPI failed in an earlier call (%s); end the job", mpi->rank,
                          yoke_strerror(mpi->broken));
    if (MPI_Query_thread(&level) != MPI_SUCCESS || MPI_Is_thread_main(&is_main) != MPI_SUCCESS)
        return yoke__fail(YOKE_ESTATE, "rank %d: MPI is not running", mpi->rank);
    if (level < MPI_THREAD_SERIALIZED && !is_main)
        return yoke__fail(YOKE_ESTATE,
                          "rank %d: not the thread that initialised MPI; call from there, or initialise MPI with "
                          "MPI_THREAD_SERIALIZED",
                          mpi->rank);
    return YOKE_OK;
}

static void fill_words(const yoke_mpi *mpi, const yoke__mpi_matter *matter, int status, uint64_t *word)
{
    const uint64_t all[WORDS] = {matter->verb,
                                 matter->kernel_hash,
                                 matter->size[0],
                                 matter->size[1],
                                 matter->size[2],
                                 matter->size[3],
                                 matter->arrays,
                                 matter->flags,
                                 matter->grain,
                                 mpi->calls,
                                 (uint64_t)mpi->patience_ns * 65537 + (uint64_t)mpi->root,
                                 (uint64_t)-status};
    memcpy(word, all, sizeof all);
}

static const char *name_of(uint64_t verb)
{
    static const char *const names[] = {"nothing",    "parallel_map", "parallel_map_2d", "parallel_reduce",
                                        "array_open", "array_close",  "scatter",         "gather",
                                        "close",      "open"};
    return verb < sizeof names / sizeof *names ? names[verb] : "something";
}

static void tell(char *text, size_t bytes, const record *r, int rank)
{
    (void)snprintf(text, bytes, "rank %d calls yoke_mpi_%s(%s) for %llu x %llu", rank, name_of(r->word[0]), r->kernel,
                   (unsigned long long)r->word[2], (unsigned long long)r->word[3]);
}

/* What the records say, the same on every rank. */
static int judge(const yoke_mpi *mpi, const record *all)
{
    char mine[160], other[160];
    for (int r = 1; r < mpi->size; r++)
        for (unsigned k = 0; k < FIELDS; k++) {
            if (all[r].word[k] == all[0].word[k])
                continue;
            tell(mine, sizeof mine, &all[0], 0);
            tell(other, sizeof other, &all[r], r);
            return yoke__fail(YOKE_EINVAL, "ranks make different calls (%s): %s, %s; all ranks make the same ones",
                              k == 1 && strcmp(all[r].kernel, all[0].kernel) == 0 ? "another text of the kernel"
                                                                                  : fields[k],
                              mine, other);
        }
    for (int r = 0; r < mpi->size; r++)
        if (all[r].word[STATUS] != 0)
            return yoke__fail(-(int)all[r].word[STATUS], "rank %d: %s", r, all[r].detail);
    return yoke__fail(YOKE_EINTERNAL, "ranks disagree, and do not");
}

static int look_closer(yoke_mpi *mpi, const yoke__mpi_matter *matter, const uint64_t *word, int status)
{
    record mine = {.word = {0}}, *all = yoke__alloc_zeroed((size_t)mpi->size, sizeof *all);
    memcpy(mine.word, word, sizeof mine.word);
    (void)snprintf(mine.kernel, sizeof mine.kernel, "%s",
                   matter != NULL && matter->kernel != NULL ? matter->kernel->name : "");
    (void)snprintf(mine.detail, sizeof mine.detail, "%s", status != YOKE_OK ? yoke_error_detail() : "");
    if (all == NULL) { /* the others wait for what this rank cannot give */
        mpi->broken = YOKE_ENOMEM;
        return yoke__fail(YOKE_ENOMEM, "rank %d: no memory to tell what failed", mpi->rank);
    }
    MPI_Request request = MPI_REQUEST_NULL;
    int code = MPI_Iallgather(&mine, (int)sizeof mine, MPI_BYTE, all, (int)sizeof mine, MPI_BYTE, mpi->comm, &request);
    int result = yoke__mpi_wait_one(mpi, code, request, "telling what failed");
    if (result == YOKE_OK)
        result = judge(mpi, all);
    yoke__free(all);
    return result;
}

/* The largest of each word and of its complement: they fit together where all ranks have the same. Values come along: only
 * the root's are not 0. */
int yoke__mpi_agree_begin(yoke_mpi *mpi, yoke__mpi_agreement *a, const yoke__mpi_matter *matter, int status)
{
    uint64_t word[WORDS];
    mpi->calls++;
    if (status == YOKE_OK && mpi->late != YOKE_OK)
        status = yoke__fail(mpi->late, "in the call before: %s", mpi->late_detail);
    mpi->late = YOKE_OK;
    fill_words(mpi, matter, status, word);
    *a = (yoke__mpi_agreement){.matter = matter, .status = status, .request = MPI_REQUEST_NULL};
    for (unsigned k = 0; k < WORDS; k++) {
        a->mine[k] = word[k];
        a->mine[WORDS + k] = ~word[k];
    }
    if (mpi->rank == mpi->root && matter->value_bytes > 0)
        memcpy(a->mine + 2 * WORDS, matter->values, matter->value_bytes);
    const int code = MPI_Iallreduce(a->mine, a->most, YOKE__MPI_AGREED, MPI_UINT64_T, MPI_MAX, mpi->comm, &a->request);
    return yoke__mpi_check(mpi, code, "asking all ranks whether they make the same call");
}

static bool is_same(const yoke__mpi_agreement *a)
{
    bool same = a->most[STATUS] == 0;
    for (unsigned k = 0; k < FIELDS; k++)
        same = same && a->most[k] == ~a->most[WORDS + k];
    return same;
}

static bool has_other_values(const yoke__mpi_agreement *a)
{
    return a->matter->value_bytes > 0 && memcmp(a->matter->values, a->most + 2 * WORDS, a->matter->value_bytes) != 0;
}

bool yoke__mpi_agree_test(yoke__mpi_agreement *a)
{
    yoke__mpi_requests one = {.list = &a->request, .count = 1, .capacity = 1};
    return yoke__mpi_push(&one) && is_same(a) && !has_other_values(a);
}

int yoke__mpi_agree_end(yoke_mpi *mpi, yoke__mpi_agreement *a)
{
    const int result = yoke__mpi_wait_one(mpi, MPI_SUCCESS, a->request, "waiting for all ranks to make the same call");
    if (result != YOKE_OK)
        return result;
    if (!is_same(a))
        return look_closer(mpi, a->matter, a->mine, a->status);
    a->changed = has_other_values(a);
    if (a->changed)
        memcpy(a->matter->values, a->most + 2 * WORDS, a->matter->value_bytes);
    return YOKE_OK;
}

int yoke__mpi_agree(yoke_mpi *mpi, const yoke__mpi_matter *matter, int status)
{
    yoke__mpi_agreement a;
    status = yoke__mpi_agree_begin(mpi, &a, matter, status);
    return status == YOKE_OK ? yoke__mpi_agree_end(mpi, &a) : status;
}

void yoke__mpi_tell_later(yoke_mpi *mpi, int status)
{
    mpi->late = status;
    if (status != YOKE_OK)
        (void)snprintf(mpi->late_detail, sizeof mpi->late_detail, "%s", yoke_error_detail());
}

int yoke__mpi_agree_status(yoke_mpi *mpi, int status)
{
    const uint64_t mine = (uint64_t)-status;
    uint64_t worst, word[WORDS] = {0};
    MPI_Request request = MPI_REQUEST_NULL;
    if (mpi->broken != 0)
        return status != YOKE_OK ? status : mpi->broken;
    int code = MPI_Iallreduce(&mine, &worst, 1, MPI_UINT64_T, MPI_MAX, mpi->comm, &request);
    int result = yoke__mpi_wait_one(mpi, code, request, "waiting for all ranks to end a step");
    word[STATUS] = mine;
    return result != YOKE_OK || worst == 0 ? result : look_closer(mpi, NULL, word, status);
}
