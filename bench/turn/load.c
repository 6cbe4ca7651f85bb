/* Sends datagrams at a steady rate over sockets that it was given, receives what comes of them, and says what that cost
 * a server. One thread; everything is counted by sequence number.
 *
 *   load --rate 40000 --seconds 4 --size 1000 --head 40000000 --server-pid 123 --from 5,6,7 --to 8,9,10
 *
 * `from` and `to` are descriptors of connected, non-blocking UDP sockets, in pairs: what is sent over the n-th of `from`
 * is to come out of the n-th of `to`, `skip` bytes further on. `head` (hex) stands before each datagram that is sent. The
 * payload begins with a number of 8 bytes and the time of sending in nanoseconds. Time in which this program did not get
 * its core is not made up for: a heap of datagrams at once would be another load than was asked for. Prints one line of
 * JSON.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 4096, BATCH = 64, ROOM = 2048, LATENCIES = 1 << 16 };

static int from[MOST], to[MOST], count;
static unsigned char head[64], packet[ROOM], inbox[BATCH][ROOM];
static size_t head_size, size = 1000, skip;
static double rate = 1000, seconds = 4;
static long server_pid;
static unsigned char *seen;
static uint64_t most, sent, received, doubled, strange, refused;
static uint32_t microseconds[LATENCIES];

static uint64_t nanoseconds(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now)) return 0;
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static clockid_t clock_of(long pid) { return (clockid_t)((~(unsigned)pid << 3) | 2); }

static int numbers(char *text, int *into)
{
    int found = 0;
    for (char *part = strtok(text, ","); part && found < MOST; part = strtok(NULL, ",")) into[found++] = atoi(part);
    return found;
}

static void note(const unsigned char *data, size_t length)
{
    uint64_t number, at, late;
    if (length < skip + 16) { strange++; return; }
    memcpy(&number, data + skip, 8);
    memcpy(&at, data + skip + 8, 8);
    if (number >= most) { strange++; return; }
    if (seen[number]) { doubled++; return; }
    seen[number] = 1;
    received++;
    late = (nanoseconds(CLOCK_MONOTONIC) - at) / 1000;
    microseconds[late < LATENCIES ? late : LATENCIES - 1]++;
}

static void take(int fd)
{
    static struct mmsghdr messages[BATCH];
    static struct iovec vectors[BATCH];
    for (;;) {
        for (int i = 0; i < BATCH; i++) {
            vectors[i].iov_base = inbox[i];
            vectors[i].iov_len = ROOM;
            messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
        }
        int found = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < found; i++) note(inbox[i], messages[i].msg_len);
        if (found < BATCH) return;
    }
}

static void receive(int epoll)
{
    struct epoll_event events[BATCH];
    int ready = epoll_wait(epoll, events, BATCH, 0);
    for (int i = 0; i < ready; i++) take(events[i].data.fd);
}

static void transmit(uint64_t now)
{
    memcpy(packet + head_size, &sent, 8);
    memcpy(packet + head_size + 8, &now, 8);
    if (send(from[sent % (uint64_t)count], packet, head_size + size, 0) < 0) refused++;
    sent++;
}

static double quantile(double share)
{
    uint64_t all = 0, so_far = 0;
    for (int i = 0; i < LATENCIES; i++) all += microseconds[i];
    for (int i = 0; i < LATENCIES; i++)
        if ((so_far += microseconds[i]) >= share * (double)all) return i;
    return LATENCIES;
}

static void options(int argc, char **argv)
{
    int froms = 0, tos = 0;
    for (int i = 1; i + 1 < argc; i += 2) {
        char *name = argv[i], *value = argv[i + 1];
        if (!strcmp(name, "--rate")) rate = atof(value);
        else if (!strcmp(name, "--seconds")) seconds = atof(value);
        else if (!strcmp(name, "--size")) size = (size_t)atoi(value);
        else if (!strcmp(name, "--skip")) skip = (size_t)atoi(value);
        else if (!strcmp(name, "--server-pid")) server_pid = atol(value);
        else if (!strcmp(name, "--from")) froms = numbers(value, from);
        else if (!strcmp(name, "--to")) tos = numbers(value, to);
        else if (!strcmp(name, "--head"))
            for (head_size = 0; head_size < sizeof head && sscanf(value + 2 * head_size, "%2hhx", head + head_size) == 1;)
                head_size++;
        else { fprintf(stderr, "what is %s?\n", name); exit(2); }
    }
    count = froms;
    if (!count || froms != tos || size < 16 || head_size + size > ROOM) { fprintf(stderr, "see load.c\n"); exit(2); }
}

int main(int argc, char **argv)
{
    options(argc, argv);
    alarm((unsigned)seconds + 20);
    most = (uint64_t)(rate * seconds) + 1;
    seen = calloc(most, 1);
    memcpy(packet, head, head_size);
    int epoll = epoll_create1(0);
    for (int i = 0; i < count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.fd = to[i]};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, to[i], &event) && errno != EEXIST) { perror("epoll_ctl"); return 1; }
    }
    uint64_t cpu = nanoseconds(clock_of(server_pid)), own = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
    uint64_t begin = nanoseconds(CLOCK_MONOTONIC), end = begin + (uint64_t)(seconds * 1e9), now = begin, missed = 0;
    while (now < end) {
        uint64_t due = (uint64_t)((double)(now - begin - missed) * rate / 1e9), most_late = (uint64_t)(rate / 500) + 1;
        if (due > sent + most_late) {
            missed += (uint64_t)((double)(due - sent - 1) / rate * 1e9);
            due = sent + 1;
        }
        for (int burst = 0; sent < due && sent < most && burst < 16; burst++) transmit(nanoseconds(CLOCK_MONOTONIC));
        receive(epoll);
        now = nanoseconds(CLOCK_MONOTONIC);
    }
    now = nanoseconds(CLOCK_MONOTONIC);
    uint64_t patience = now + 1000000000u;
    while (received + refused < sent && now < patience) {
        receive(epoll);
        now = nanoseconds(CLOCK_MONOTONIC);
    }
    double used = (double)(nanoseconds(clock_of(server_pid)) - cpu), took = (double)(end - begin) / 1e9;
    own = nanoseconds(CLOCK_PROCESS_CPUTIME_ID) - own;
    printf("{\"offered\": %.0f, \"sent\": %llu, \"received\": %llu, \"doubled\": %llu, \"strange\": %llu, \"refused\": %llu, "
           "\"rate\": %.0f, \"us_per_packet\": %.3f, \"cpu_share\": %.3f, \"p50_us\": %.0f, \"p99_us\": %.0f, "
           "\"loader_share\": %.3f}\n",
           rate, (unsigned long long)sent, (unsigned long long)received, (unsigned long long)doubled,
           (unsigned long long)strange, (unsigned long long)refused, (double)received / took,
           received ? used / 1e3 / (double)received : 0.0, used / 1e9 / took, quantile(0.5), quantile(0.99),
           (double)own / 1e9 / took);
    return 0;
}
