/* Requests, and waiting for them: with patience, and without taking a core from those who compute. */
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/mpi/mpi.h"

enum {
    LOOKS_AWAKE = 200,   /* at requests, before the core is offered to others, */
    LOOKS_YIELD = 20000, /* and, some 10 ms later, before sleeping: what sleeps ends up to 100 us late */
    SLEEP_NS = 50000,
    ROLL_TAG = 1000
};
static const int64_t roll_call_ns = 1000000000;

int yoke__mpi_check(yoke_mpi *mpi, int code, const char *what)
{
    char text[MPI_MAX_ERROR_STRING] = "";
    int length = 0;
    if (code == MPI_SUCCESS)
        return YOKE_OK;
    if (MPI_Error_string(code, text, &length) != MPI_SUCCESS)
        (void)snprintf(text, sizeof text, "error %d", code);
    mpi->broken = YOKE_EIO;
    return yoke__fail(YOKE_EIO, "rank %d: MPI failed while %s: %.200s; end the job", mpi->rank, what, text);
}

void yoke__mpi_add(yoke_mpi *mpi, yoke__mpi_requests *requests, int code, MPI_Request request)
{
    if (code != MPI_SUCCESS) {
        requests->failed = true;
        (void)yoke__mpi_check(mpi, code, "beginning a transfer");
        return;
    }
    if (requests->count == requests->capacity) {
        const size_t capacity = requests->capacity * 2 + 16;
        MPI_Request *list = yoke__alloc_zeroed(capacity, sizeof *list);
        if (list == NULL) { /* what is under way cannot be waited for */
            requests->failed = true;
            mpi->broken = YOKE_ENOMEM;
            return;
        }
        if (requests->count > 0)
            memcpy(list, requests->list, requests->count * sizeof *list);
        yoke__free(requests->list);
        requests->list = list;
        requests->capacity = capacity;
    }
    requests->list[requests->count++] = request;
}

static int message_of(size_t bytes)
{
    return bytes < YOKE__MPI_MESSAGE ? (int)bytes : YOKE__MPI_MESSAGE;
}

void yoke__mpi_send(yoke_mpi *mpi, yoke__mpi_requests *requests, const void *from, size_t bytes, int to, int tag)
{
    for (size_t at = 0; at < bytes; at += YOKE__MPI_MESSAGE) {
        MPI_Request request = MPI_REQUEST_NULL;
        const int code =
            MPI_Isend((const char *)from + at, message_of(bytes - at), MPI_BYTE, to, tag, mpi->comm, &request);
        yoke__mpi_add(mpi, requests, code, request);
    }
}

void yoke__mpi_receive(yoke_mpi *mpi, yoke__mpi_requests *requests, void *to, size_t bytes, int from, int tag)
{
    for (size_t at = 0; at < bytes; at += YOKE__MPI_MESSAGE) {
        MPI_Request request = MPI_REQUEST_NULL;
        const int code = MPI_Irecv((char *)to + at, message_of(bytes - at), MPI_BYTE, from, tag, mpi->comm, &request);
        yoke__mpi_add(mpi, requests, code, request);
    }
}

void yoke__mpi_spread(yoke_mpi *mpi, yoke__mpi_requests *requests, void *data, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += YOKE__MPI_MESSAGE) {
        MPI_Request request = MPI_REQUEST_NULL;
        const int code =
            MPI_Ibcast((char *)data + at, message_of(bytes - at), MPI_BYTE, mpi->root, mpi->comm, &request);
        yoke__mpi_add(mpi, requests, code, request);
    }
}

/* --- waiting --- */

static void pause_after(unsigned long looks)
{
    if (looks < LOOKS_AWAKE)
        yoke__relax();
    else if (looks < LOOKS_YIELD)
        (void)sched_yield();
    else
        (void)nanosleep(&(struct timespec){0, SLEEP_NS}, NULL);
}

/* Who waits tells all others; who is not heard is named. Only for a message before the end. */
static void name_absent(yoke_mpi *mpi, char *text, size_t bytes)
{
    static char here = 1;
    char *heard = yoke__alloc_zeroed((size_t)mpi->size, 1);
    size_t used = 0;
    text[0] = '\0';
    if (heard == NULL)
        return;
    for (int r = 0; r < mpi->size; r++) {
        MPI_Request request;
        if (r != mpi->rank && MPI_Isend(&here, 1, MPI_CHAR, r, ROLL_TAG, mpi->comm, &request) == MPI_SUCCESS)
            (void)MPI_Request_free(&request);
    }
    for (int64_t until = yoke__now_ns() + roll_call_ns; yoke__now_ns() < until; pause_after(LOOKS_YIELD)) {
        int any = 0;
        char byte;
        MPI_Status status;
        if (MPI_Iprobe(MPI_ANY_SOURCE, ROLL_TAG, mpi->comm, &any, &status) == MPI_SUCCESS && any &&
            MPI_Recv(&byte, 1, MPI_CHAR, status.MPI_SOURCE, ROLL_TAG, mpi->comm, MPI_STATUS_IGNORE) == MPI_SUCCESS)
            heard[status.MPI_SOURCE] = 1;
    }
    for (int r = 0; r < mpi->size && used + 16 < bytes; r++)
        if (r != mpi->rank && !heard[r])
            used += (size_t)snprintf(text + used, bytes - used, "%s%d", used > 0 ? ", " : "", r);
    yoke__free(heard);
}

static int give_up(yoke_mpi *mpi, const char *what)
{
    char absent[160];
    name_absent(mpi, absent, sizeof absent);
    mpi->broken = YOKE_ETIMEDOUT;
    return yoke__fail(YOKE_ETIMEDOUT,
                      "rank %d waited %.1f s while %s; not heard of: %s %s; look there, or at a call that not all "
                      "ranks make",
                      mpi->rank, (double)mpi->patience_ns * 1e-9, what, absent[0] != '\0' ? "rank" : "nobody,",
                      absent[0] != '\0' ? absent : "all ranks wait for each other");
}

bool yoke__mpi_push(yoke__mpi_requests *requests)
{
    int done = requests->count == 0;
    if (!done && MPI_Testall((int)requests->count, requests->list, &done, MPI_STATUSES_IGNORE) != MPI_SUCCESS)
        requests->failed = true;
    return done && !requests->failed;
}

int yoke__mpi_wait(yoke_mpi *mpi, yoke__mpi_requests *requests, const char *what)
{
    const int64_t start = mpi->patience_ns > 0 ? yoke__now_ns() : 0;
    int status = mpi->broken != 0 ? mpi->broken : YOKE_OK;
    int done = requests->count == 0;
    if (requests->failed)
        status = mpi->broken == YOKE_ENOMEM ? yoke__fail(YOKE_ENOMEM, "rank %d: no memory for transfers", mpi->rank)
                                            : YOKE_EIO;
    for (unsigned long looks = 0; !done && status == YOKE_OK; looks++) {
        const int code = MPI_Testall((int)requests->count, requests->list, &done, MPI_STATUSES_IGNORE);
        status = yoke__mpi_check(mpi, code, what);
        if (done || status != YOKE_OK)
            break;
        pause_after(looks);
        if (start != 0 && looks % 64 == 63 && yoke__now_ns() - start > mpi->patience_ns)
            status = give_up(mpi, what);
    }
    requests->count = 0;
    requests->failed = false;
    return status;
}

int yoke__mpi_wait_one(yoke_mpi *mpi, int code, MPI_Request request, const char *what)
{
    yoke__mpi_requests one = {.list = &request, .count = 1, .capacity = 1};
    int status = yoke__mpi_check(mpi, code, what);
    return status == YOKE_OK ? yoke__mpi_wait(mpi, &one, what) : status;
}

void yoke__mpi_forget(yoke__mpi_requests *requests)
{
    yoke__free(requests->list);
    *requests = (yoke__mpi_requests){0};
}
