/* A wire between two network namespaces, on which every packet takes a while: for kernels without netem. Makes a device
 * "yoke" here and one in the other, and carries packets until it is killed. usage: wire MICROSECONDS OTHER'S-PID */
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { PACKETS = 1024, BYTES = 65536 };

/* Packets on their way, in one direction. */
typedef struct way {
    int from, to;
    unsigned long taken, given;
    struct packet {
        int64_t due;
        ssize_t bytes;
        unsigned char data[BYTES];
    } packet[PACKETS];
} way;

static int64_t now_ns(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int open_device(void)
{
    struct ifreq request = {.ifr_name = "yoke", .ifr_flags = IFF_TUN | IFF_NO_PI};
    const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, TUNSETIFF, &request) != 0) {
        perror("wire: /dev/net/tun");
        exit(77);
    }
    return fd;
}

static void enter(const char *pid)
{
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%d/ns/net", atoi(pid));
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0) {
        perror(path);
        exit(77);
    }
    (void)close(fd);
}

/* What finds no room is lost, as on other wires. */
static void take(way *w, int64_t delay)
{
    static unsigned char lost[BYTES];
    const int full = w->taken - w->given == PACKETS;
    struct packet *p = &w->packet[w->taken % PACKETS];
    const ssize_t bytes = read(w->from, full ? lost : p->data, BYTES);
    if (bytes <= 0 || full)
        return;
    p->bytes = bytes;
    p->due = now_ns() + delay;
    w->taken++;
}

/* @return when the next one is due; INT64_MAX: never. */
static int64_t give(way *w)
{
    for (; w->given != w->taken; w->given++) {
        const struct packet *p = &w->packet[w->given % PACKETS];
        if (p->due > now_ns())
            return p->due;
        if (write(w->to, p->data, (size_t)p->bytes) < 0)
            continue;
    }
    return INT64_MAX;
}

int main(int argc, char **argv)
{
    static way there, back;
    if (argc != 3)
        return 2;
    const int64_t delay = atol(argv[1]) * 1000;
    there.from = back.to = open_device();
    enter(argv[2]);
    there.to = back.from = open_device();
    for (;;) {
        struct pollfd ends[2] = {{.fd = there.from, .events = POLLIN}, {.fd = back.from, .events = POLLIN}};
        const int64_t one = give(&there), other = give(&back), next = one < other ? one : other, left = next - now_ns();
        const struct timespec wait = {left > 0 ? left / 1000000000 : 0, left > 0 ? left % 1000000000 : 0};
        if (ppoll(ends, 2, next != INT64_MAX ? &wait : NULL, NULL) <= 0)
            continue;
        if (ends[0].revents != 0)
            take(&there, delay);
        if (ends[1].revents != 0)
            take(&back, delay);
    }
}
