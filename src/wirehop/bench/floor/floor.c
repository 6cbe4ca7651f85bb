/*
 * floor: what a delivery costs with nothing around it.
 *
 * One thread, epoll, one channel. A publication is framed once, and the same bytes go to every subscriber by a loop of
 * send(2). No history, no sessions, no rights, no heartbeats: a real server is measured by how near it comes.
 *
 *     floor PORT        (0: any; the port is printed once it listens)
 *
 * Where its standard input is a pipe, it ends with that: nobody is left who would stop it.
 *
 *   GET  /echo      + Upgrade: websocket     every message comes back
 *   GET  /publish   + Upgrade: websocket     every message is published; receives nothing
 *   GET  anything   + Upgrade: websocket     subscribes; every message is published
 *   GET  anything   + Accept: text/event-stream   subscribes, chunked
 *   POST anything                            publishes the body
 *
 * A subscriber whose socket is full misses the publication; one that took half of it is closed, because what would
 * follow could not be read. A request or message over 64 KiB closes its connection.
 */
#define _GNU_SOURCE
#include "handshake.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { INPUT_LIMIT = 65536, BACKLOG = 4096, EVENTS_AT_ONCE = 512, ACCEPTS_AT_ONCE = 64 };

enum kind { REQUESTS, SUBSCRIBER, PUBLISHER, ECHO, EVENT_STREAM };

struct peer {
    int fd;
    enum kind kind;
    size_t place; /* index in its audience */
    char *kept;   /* the beginning of a request or frame that is not whole yet; idle peers hold none */
    size_t kept_length;
};

struct audience {
    struct peer **members;
    size_t count, room;
};

static struct audience sockets, streams;
static int poller;
static char input[2 * INPUT_LIMIT + 1]; /* what was kept and what was just read, side by side */

static void *checked(void *memory)
{
    if (memory) return memory;
    fputs("floor: out of memory\n", stderr);
    exit(1);
}

static struct audience *audience_of(const struct peer *peer)
{
    return peer->kind == SUBSCRIBER ? &sockets : peer->kind == EVENT_STREAM ? &streams : NULL;
}

static void join(struct peer *peer, enum kind kind)
{
    peer->kind = kind;
    struct audience *audience = audience_of(peer);
    if (!audience) return;
    if (audience->count == audience->room) {
        audience->room = audience->room ? 2 * audience->room : 1024;
        audience->members = checked(realloc(audience->members, audience->room * sizeof *audience->members));
    }
    peer->place = audience->count;
    audience->members[audience->count++] = peer;
}

static void leave(struct peer *peer)
{
    struct audience *audience = audience_of(peer);
    if (audience) {
        struct peer *last = audience->members[--audience->count];
        audience->members[peer->place] = last;
        last->place = peer->place;
    }
    close(peer->fd);
    free(peer->kept);
    free(peer);
}

static void answer(const struct peer *peer, const char *data, size_t length)
{
    if (send(peer->fd, data, length, MSG_NOSIGNAL) < (ssize_t)length) shutdown(peer->fd, SHUT_RDWR);
}

/* ---- fan-out ---------------------------------------------------------------------------------------------------- */

static void fan_out(const struct audience *audience, const char *data, size_t length)
{
    for (size_t i = 0; i < audience->count; i++) {
        ssize_t sent = send(audience->members[i]->fd, data, length, MSG_NOSIGNAL);
        if (sent > 0 && (size_t)sent < length) shutdown(audience->members[i]->fd, SHUT_RDWR); /* epoll reports it */
    }
}

/* `out` has room for the payload and ten bytes more. Server frames carry no mask. */
static size_t frame(char *out, unsigned opcode, const char *payload, size_t length)
{
    size_t head = 2;
    out[0] = (char)(0x80 | opcode);
    if (length < 126) {
        out[1] = (char)length;
    } else {
        out[1] = 126;
        out[2] = (char)(length >> 8);
        out[3] = (char)length;
        head = 4;
    }
    memcpy(out + head, payload, length);
    return head + length;
}

static void publish(const char *payload, size_t length)
{
    static char out[INPUT_LIMIT + 64];
    if (sockets.count) fan_out(&sockets, out, frame(out, 1, payload, length));
    if (streams.count) {
        size_t head = (size_t)sprintf(out, "%zx\r\ndata: ", length + 8);
        memcpy(out + head, payload, length);
        memcpy(out + head + length, "\n\n\r\n", 4);
        fan_out(&streams, out, head + length + 4);
    }
}

/* ---- what peers say: each returns the bytes it used, 0 for "not whole yet", -1 to close -------------------------- */

static ssize_t read_frame(struct peer *peer, char *data, size_t available)
{
    const uint8_t *head = (const uint8_t *)data;
    if (available < 6) return 0;
    size_t length = head[1] & 0x7f, start = 6;
    if (length == 127 || !(head[0] & 0x80) || !(head[1] & 0x80)) return -1; /* huge, in fragments, or unmasked */
    if (length == 126) {
        if (available < 8) return 0;
        length = (size_t)head[2] << 8 | head[3];
        start = 8;
    }
    if (available < start + length) return 0;
    char *payload = data + start;
    const char *mask = payload - 4;
    for (size_t i = 0; i < length; i++) payload[i] ^= mask[i & 3];

    static char out[INPUT_LIMIT + 16];
    unsigned opcode = head[0] & 0x0f;
    if (opcode == 8) {
        answer(peer, out, frame(out, 8, payload, length));
        return -1;
    }
    if (opcode == 9) answer(peer, out, frame(out, 10, payload, length));
    else if (opcode <= 2 && peer->kind == ECHO) answer(peer, out, frame(out, opcode, payload, length));
    else if (opcode <= 2) publish(payload, length);
    return (ssize_t)(start + length);
}

/* The value of a header in `head` (zero-terminated, lines end in CRLF), or NULL. */
static const char *header(const char *head, const char *name)
{
    size_t length = strlen(name);
    for (const char *line = strstr(head, "\r\n"); line; line = strstr(line + 2, "\r\n"))
        if (!strncasecmp(line + 2, name, length) && line[2 + length] == ':')
            return line + 3 + length + strspn(line + 3 + length, " \t");
    return NULL;
}

static void upgrade(struct peer *peer, const char *head, const char *key)
{
    char accept[ACCEPT_LENGTH + 1], out[256];
    handshake_accept(key, strcspn(key, "\r\n \t"), accept);
    int length = sprintf(out, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                              "Sec-WebSocket-Accept: %s\r\n\r\n", accept);
    answer(peer, out, (size_t)length);
    join(peer, !strncmp(head, "GET /echo", 9) ? ECHO : !strncmp(head, "GET /publish", 12) ? PUBLISHER : SUBSCRIBER);
}

static ssize_t read_request(struct peer *peer, char *data, size_t available)
{
    static const char open_stream[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                      "Cache-Control: no-store\r\nTransfer-Encoding: chunked\r\n\r\n";
    static const char created[] = "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n";
    static const char hello[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nfloor\n";

    char *end = memmem(data, available, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t used = (size_t)(end - data) + 4;
    char after = end[2];
    end[2] = 0; /* the last header line keeps its CRLF, and the string functions stop here */

    const char *key = header(data, "sec-websocket-key"), *accepts = header(data, "accept"), *size;
    bool wants_events = accepts && !strncasecmp(accepts, "text/event-stream", 17);
    if (key) {
        upgrade(peer, data, key);
    } else if (!strncmp(data, "POST ", 5)) {
        size_t length = (size = header(data, "content-length")) ? strtoul(size, NULL, 10) : 0;
        end[2] = after;
        if (length > INPUT_LIMIT) return -1;
        if (available < used + length) return 0;
        publish(data + used, length);
        answer(peer, created, sizeof created - 1);
        return (ssize_t)(used + length);
    } else if (wants_events) {
        answer(peer, open_stream, sizeof open_stream - 1);
        join(peer, EVENT_STREAM);
    } else {
        answer(peer, hello, sizeof hello - 1);
    }
    end[2] = after;
    return (ssize_t)used;
}

/* False when the peer is to be closed. */
static bool hear(struct peer *peer)
{
    size_t have = peer->kept_length;
    memcpy(input, peer->kept ? peer->kept : "", have);
    ssize_t got = recv(peer->fd, input + have, INPUT_LIMIT, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (got <= 0) return false;
    have += (size_t)got;

    size_t used = 0;
    while (used < have) {
        ssize_t more = peer->kind == REQUESTS       ? read_request(peer, input + used, have - used)
                       : peer->kind == EVENT_STREAM ? (ssize_t)(have - used) /* a stream's reader has nothing to say */
                                                    : read_frame(peer, input + used, have - used);
        if (more < 0) return false;
        if (more == 0) break;
        used += (size_t)more;
    }
    size_t rest = have - used;
    if (rest > INPUT_LIMIT) return false;
    if (rest) {
        peer->kept = checked(realloc(peer->kept, rest));
        memcpy(peer->kept, input + used, rest);
    } else {
        free(peer->kept);
        peer->kept = NULL;
    }
    peer->kept_length = rest;
    return true;
}

/* ---- the loop --------------------------------------------------------------------------------------------------- */

static void welcome(int listener)
{
    for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), on = 1;
        if (fd < 0) return;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        struct peer *peer = checked(calloc(1, sizeof *peer));
        peer->fd = fd;
        struct epoll_event interest = {.events = EPOLLIN, .data.ptr = peer};
        if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &interest)) leave(peer);
    }
}

static int listen_on(int port)
{
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, BACKLOG)) {
        perror("floor: cannot listen");
        exit(1);
    }
    socklen_t size = sizeof address;
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

static void end_with_input(void)
{
    struct stat about;
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = &poller};
    bool is_pipe = !fstat(STDIN_FILENO, &about) && S_ISFIFO(about.st_mode);
    if (is_pipe) epoll_ctl(poller, EPOLL_CTL_ADD, STDIN_FILENO, &interest);
}

static bool input_goes_on(void)
{
    char unused[256];
    return read(STDIN_FILENO, unused, sizeof unused) > 0;
}

int main(int argc, char **argv)
{
    int port = argc == 2 ? atoi(argv[1]) : -1;
    if (port < 0 || port > 65535) {
        fputs("usage: floor PORT\n", stderr);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);

    int listener = listen_on(port);
    poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = NULL}, ready[EVENTS_AT_ONCE];
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &interest);
    end_with_input();
    for (;;) {
        int count = epoll_wait(poller, ready, EVENTS_AT_ONCE, -1);
        for (int i = 0; i < count; i++) {
            struct peer *peer = ready[i].data.ptr;
            if (ready[i].data.ptr == &poller && input_goes_on()) continue;
            if (ready[i].data.ptr == &poller) return 0;
            if (!peer) welcome(listener);
            else if (!hear(peer)) leave(peer);
        }
    }
}
