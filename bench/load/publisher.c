/* When to publish, and on which connection. */
#define _GNU_SOURCE
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { POSTERS = 65, LATE_AT_ONCE = 16, FIRST_SEQUENCE = 1000 };
static const uint64_t second = 1000000000u;

static struct connection posters[POSTERS], own, *subscribers;
static int posters_open;
static uint64_t next_at, progress_at, progress, *published; /* published: by channel */

/* ---- connections ------------------------------------------------------------------------------------------------- */

static bool wait_for(const struct connection *connection, bool (*is_good)(const struct connection *))
{
    uint64_t end = now_ns() + (uint64_t)(options.connect_limit * (double)second);
    while (!is_good(connection) && connection->stage != CLOSED && now_ns() < end) connections_wait(end, 0);
    return is_good(connection);
}

static bool can_post(const struct connection *connection) { return connection->stage == HEAD && !connection->is_waiting; }
static bool can_speak(const struct connection *connection) { return connection->is_ready; }

bool publisher_start(struct connection *all)
{
    subscribers = all;
    published = calloc((size_t)options.channels, sizeof *published);
    if (!published) exit(1);
    /* One more than needed: the last delivery of a publication can come before the answer to its POST. An open loop
     * goes on publishing while answers are late. */
    posters_open = !options.publish_post ? 0 : options.rate > 0 ? POSTERS - 1 : (int)options.in_flight + 1;
    for (int i = 0; i < posters_open; i++) {
        posters[i].role = PUBLISHER;
        if (!connection_open(&posters[i]) || !wait_for(&posters[i], can_post)) return false;
    }
    if (!options.publish_frame || !options.publisher_path) return true;
    own.role = PUBLISHER;
    own.is_websocket = true;
    return connection_open(&own) && wait_for(&own, can_speak);
}

static struct connection *speaker(void)
{
    if (options.publisher_path) return own.is_ready ? &own : NULL;
    for (long i = 0; i < options.connections; i++)
        if (subscribers[i].is_ready && !subscribers[i].is_stalled) return &subscribers[i];
    return NULL;
}

static struct connection *free_poster(void)
{
    for (int i = 0; i < posters_open; i++)
        if (can_post(&posters[i])) return &posters[i];
    for (int i = 0; i < posters_open; i++)
        if (posters[i].stage == CLOSED) { /* the server ended keep-alive; this one can be used in a moment */
            connection_open(&posters[i]);
            break;
        }
    return NULL;
}

/* ---- one publication --------------------------------------------------------------------------------------------- */

static bool post(struct connection *poster, const struct values *values)
{
    static char path[TEXT_ROOM], body[TEXT_ROOM], out[2 * TEXT_ROOM];
    text_expand(options.publish_post, values, path);
    size_t body_length = text_expand(options.publish_body, values, body);
    size_t length = (size_t)snprintf(out, TEXT_ROOM,
                                     "POST %s HTTP/1.1\r\nHost: %s:%ld\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                                     path, options.host, options.port, options.publish_type, body_length);
    memcpy(out + length, body, body_length);
    poster->is_waiting = true;
    return connection_send(poster, out, length + body_length);
}

/* False when no connection is free. */
static bool publish(void)
{
    static uint64_t sequence = FIRST_SEQUENCE;
    struct connection *by = options.publish_post ? free_poster() : speaker();
    if (!by) return false;
    by->channel = (uint32_t)(sequence % (uint64_t)options.channels);
    struct values values = {.index = by->index, .channel = by->channel, .sequence = sequence++, .sent = now_ns()};
    by->debt = (uint64_t)publisher_audience();
    tally.publications++;
    published[by->channel]++;
    tally.owed += by->debt;
    bool is_sent = options.publish_post ? post(by, &values) : websocket_send_template(by, options.publish_frame, &values);
    if (!is_sent) connection_end(by);
    return is_sent;
}

void publisher_answered(struct connection *connection, int status)
{
    connection->is_waiting = false;
    if (status >= 200 && status < 300) return;
    if (status) note_error("POST answered %d", status);
    tally.refused++;
    tally.publications--;
    published[connection->channel]--;
    tally.owed -= connection->debt;
}

/* ---- when -------------------------------------------------------------------------------------------------------- */

long publisher_audience(void) { return (tally.ready - options.stalled) * options.each / options.channels; }

uint32_t publisher_channel(uint32_t index, long place)
{
    return (uint32_t)(((uint64_t)index * (uint64_t)options.each + (uint64_t)place) % (uint64_t)options.channels);
}

uint64_t publisher_expects(uint32_t index)
{
    uint64_t expected = 0;
    for (long place = 0; published && place < options.each; place++)
        expected += published[publisher_channel(index, place)];
    return expected;
}

void publisher_restart_plan(uint64_t now)
{
    next_at = progress_at = now;
    progress = tally.deliveries;
    tally.lag = 0;
}

void publisher_write_off(void)
{
    if (tally.owed <= tally.deliveries) return;
    tally.stalls++;
    tally.owed = tally.deliveries;
}

static void open_loop(uint64_t now)
{
    for (int i = 0; next_at <= now && i < LATE_AT_ONCE; i++) {
        if (now - next_at > tally.lag) tally.lag = now - next_at;
        if (!publish()) tally.late++;
        next_at += (uint64_t)((double)second / options.rate);
    }
}

static void closed_loop(uint64_t now)
{
    int64_t audience = publisher_audience();
    if (tally.deliveries != progress) {
        progress = tally.deliveries;
        progress_at = now;
    } else if (now - progress_at > (uint64_t)(options.patience * (double)second)) {
        publisher_write_off();
        progress_at = now;
    }
    while (audience > 0 && (int64_t)(tally.owed - tally.deliveries) <= audience * (options.in_flight - 1))
        if (!publish()) return;
}

uint64_t publisher_turn(uint64_t now)
{
    if (options.rate > 0) {
        open_loop(now);
        return next_at;
    }
    closed_loop(now);
    return 0;
}
