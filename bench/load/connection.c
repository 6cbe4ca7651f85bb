/* Sockets: opening them from several addresses, sending, receiving, and giving what arrives to its protocol. */
#define _GNU_SOURCE
#include "load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { READ_AT_ONCE = 1 << 16, KEPT_LIMIT = 1 << 21, EVENTS_AT_ONCE = 1024, SEND_LIMIT_MS = 1000, TURN_MS = 20 };

struct tally tally;
static int poller, timer;
static char input[KEPT_LIMIT + READ_AT_ONCE];

void note_error(const char *format, ...)
{
    if (tally.first_error[0] || tally.is_closing) return;
    va_list rest;
    va_start(rest, format);
    vsnprintf(tally.first_error, sizeof tally.first_error, format, rest);
    va_end(rest);
}

void connections_start(void)
{
    poller = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, timer, &interest);
}

static void watch(struct connection *connection, int operation, uint32_t events)
{
    struct epoll_event interest = {.events = events, .data.ptr = connection};
    epoll_ctl(poller, operation, connection->fd, &interest);
}

/* One address has about 28,000 ports for one server; 127.0.0.2 and following give as many again each. */
static bool choose_source(int fd, uint32_t index)
{
    int on = 1;
    struct sockaddr_in source = {.sin_family = AF_INET};
    if (strncmp(options.host, "127.", 4)) return true;
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + index % (uint32_t)options.sources);
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on); /* the port is chosen per pair, by connect */
    return bind(fd, (struct sockaddr *)&source, sizeof source) == 0;
}

struct connection *connection_open(struct connection *connection)
{
    int on = 1;
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons((uint16_t)options.port)};
    inet_pton(AF_INET, options.host, &server.sin_addr);
    connection->stage = CONNECTING;
    connection->is_waiting = false;
    connection->kept_length = 0;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) {
        note_error("socket: %s", strerror(errno));
        connection_end(connection);
        return NULL;
    }
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (!choose_source(connection->fd, connection->index) ||
        (connect(connection->fd, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS)) {
        note_error("connect: %s", strerror(errno));
        connection_end(connection);
        return NULL;
    }
    watch(connection, EPOLL_CTL_ADD, EPOLLOUT);
    return connection;
}

void connection_end(struct connection *connection)
{
    if (connection->stage == CLOSED) return;
    if (connection->role == SUBSCRIBER && connection->is_ready) {
        tally.ready--;
        tally.dropped += !tally.is_closing;
    } else if (connection->role == SUBSCRIBER) {
        tally.opening--;
        tally.failed++;
    } else if (connection->is_waiting) {
        publisher_answered(connection, 0);
    }
    if (connection->fd >= 0) {
        struct linger at_once = {.l_onoff = 1, .l_linger = 0};
        if (options.reset) setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        close(connection->fd);
    }
    free(connection->kept);
    connection->kept = NULL;
    connection->kept_length = 0;
    connection->fd = -1;
    connection->stage = CLOSED;
    connection->is_ready = false;
}

void connection_stall(struct connection *connection)
{
    if (!connection->is_ready) return;
    connection->is_stalled = true;
    epoll_ctl(poller, EPOLL_CTL_DEL, connection->fd, NULL);
}

/* What we send is short, so waiting for room is rare; a server that takes nothing for a second loses the connection. */
bool connection_send(struct connection *connection, const char *data, size_t length)
{
    while (length) {
        ssize_t sent = send(connection->fd, data, length, MSG_NOSIGNAL);
        if (sent > 0) {
            data += sent;
            length -= (size_t)sent;
            continue;
        }
        struct pollfd room = {.fd = connection->fd, .events = POLLOUT};
        if (errno == EINTR || (errno == EAGAIN && poll(&room, 1, SEND_LIMIT_MS) == 1)) continue;
        note_error("send: %s", strerror(errno));
        return false;
    }
    return true;
}

void connection_ready(struct connection *connection)
{
    if (connection->is_ready) return;
    connection->is_ready = true;
    if (connection->role != SUBSCRIBER) return;
    tally.opening--;
    tally.ready++;
}

/* ---- what arrives ------------------------------------------------------------------------------------------------ */

static bool is_question(const char *data, size_t length)
{
    const char *split = strchr(options.answer, '=');
    size_t wanted = split ? (size_t)(split - options.answer) : 0;
    if (length && data[length - 1] == '\n') length--; /* lines of one message may be terminated or separated */
    return wanted && length == wanted && !memcmp(data, options.answer, length);
}

static bool is_awaited(struct connection *connection, const char *data, size_t length)
{
    connection->messages++;
    if (connection->role == PUBLISHER) return connection->messages >= (uint32_t)options.publisher_hellos.count;
    if (options.ready_on && memmem(data, length, options.ready_on, strlen(options.ready_on))) return true;
    return options.ready_after && connection->messages >= (uint32_t)options.ready_after;
}

static void delivered(struct connection *connection, uint64_t sent, uint64_t now)
{
    connection->received++;
    tally.deliveries++;
    tally.last_delivery = now;
    if (tally.record_from && sent >= tally.record_from && now >= sent) latency_record(now - sent);
}

bool message_arrived(struct connection *connection, const char *data, size_t length, uint64_t now)
{
    if (connection->is_websocket && is_question(data, length)) {
        const char *answer = strchr(options.answer, '=') + 1;
        tally.pings++;
        return websocket_send(connection, 1, answer, strlen(answer));
    }
    if (!connection->is_ready && is_awaited(connection, data, length)) connection_ready(connection);
    bool is_next = options.hello_steps && connection->role == SUBSCRIBER && !connection->is_ready;
    if (is_next && connection->messages - 1 < (uint32_t)options.hellos.count) {
        struct values values = {.index = connection->index, .channel = publisher_channel(connection->index, 0)};
        if (!websocket_send_template(connection, options.hellos.items[connection->messages - 1], &values)) return false;
    }
    if (connection->role != SUBSCRIBER) return true;

    const char *at = data;
    uint64_t sent;
    while (text_next_marker(&at, data + length, &sent)) {
        delivered(connection, sent, now);
        if (!tally.is_echoing) continue;
        struct values values = {.index = connection->index, .sequence = 1000 + tally.publications++, .sent = now_ns()};
        if (!websocket_send_template(connection, options.echo, &values)) return false;
    }
    return true;
}

static void keep(struct connection *connection, const char *data, size_t length)
{
    char *memory = realloc(connection->kept, length);
    if (!memory) abort();
    memcpy(memory, data, length);
    connection->kept = memory;
    connection->kept_length = length;
}

/* False when the connection is over. */
static bool receive(struct connection *connection)
{
    /* A head or frame continues what was kept; inside an HTTP body, http.c keeps decoded text and continues it itself. */
    bool is_raw = connection->stage == HEAD || connection->is_websocket;
    size_t have = is_raw ? connection->kept_length : 0;
    if (have > KEPT_LIMIT) return note_error("a message over 2 MiB"), false;
    if (have) {
        memcpy(input, connection->kept, have);
        connection->kept_length = 0;
    }
    ssize_t got = recv(connection->fd, input + have, READ_AT_ONCE, 0);
    if (got <= 0) {
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            if (have) keep(connection, input, have);
            return true;
        }
        note_error("%s", got ? strerror(errno) : "the server closed a connection");
        return false;
    }
    uint64_t now = now_ns();
    tally.bytes += (uint64_t)got;
    have += (size_t)got;

    char *data = input;
    while (have) {
        ssize_t used = connection->stage == HEAD      ? http_read_head(connection, data, have)
                       : connection->is_websocket     ? websocket_read(connection, data, have, now)
                                                      : http_read_body(connection, data, have, now);
        if (used < 0) return false;
        if (used == 0) break;
        data += used;
        have -= (size_t)used;
    }
    if (have) keep(connection, data, have);
    return true;
}

static bool connected(struct connection *connection)
{
    int error = 0;
    socklen_t size = sizeof error;
    getsockopt(connection->fd, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error) return note_error("connect: %s", strerror(error)), false;
    connection->stage = HEAD;
    watch(connection, EPOLL_CTL_MOD, EPOLLIN);
    return connection->role == PUBLISHER && !connection->is_websocket ? true : http_request(connection);
}

void connections_wait(uint64_t until, uint64_t alarm_at)
{
    static uint64_t armed;
    static struct epoll_event events[EVENTS_AT_ONCE];
    uint64_t at = alarm_at && alarm_at < until ? alarm_at : until;
    if (at != armed) {
        struct itimerspec when = {.it_value = {(time_t)(at / 1000000000u), (long)(at % 1000000000u)}};
        timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL);
        armed = at;
    }
    int count = epoll_wait(poller, events, EVENTS_AT_ONCE, TURN_MS);
    for (int i = 0; i < count; i++) {
        struct connection *connection = events[i].data.ptr;
        uint64_t expirations;
        if (!connection) {
            if (read(timer, &expirations, sizeof expirations) > 0) armed = 0;
        } else if (connection->stage == CONNECTING) {
            if (!connected(connection)) connection_end(connection);
        } else if (connection->stage != CLOSED && !receive(connection)) {
            connection_end(connection);
        }
    }
}
