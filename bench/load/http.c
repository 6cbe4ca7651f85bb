/* HTTP/1.1 responses (RFC 9112): upgrades, event streams, long polls, and the answers to our POSTs. */
#define _GNU_SOURCE
#include "load.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { HELLO_ROOM = 60000 };
enum chunk_stage { CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_DATA, CHUNK_END, TRAILER };

bool http_request(struct connection *connection)
{
    static char path[TEXT_ROOM], line[TEXT_ROOM], out[2 * TEXT_ROOM];
    struct values values = {.index = connection->index, .cursor = connection->cursor};
    values.channel = publisher_channel(connection->index, 0);
    bool is_publisher = connection->role == PUBLISHER;
    text_expand(is_publisher ? options.publisher_path : options.path, &values, path);
    size_t length = (size_t)snprintf(out, TEXT_ROOM, "GET %s HTTP/1.1\r\nHost: %s:%ld\r\n%s", path, options.host,
                                     options.port, connection->is_websocket              ? websocket_request
                                                   : options.wire == EVENT_STREAM ? "Accept: text/event-stream\r\n"
                                                                                  : "Accept: */*\r\n");
    for (int i = 0; i < options.headers.count && length < TEXT_ROOM; i++) {
        text_expand(options.headers.items[i], &values, line);
        length += (size_t)snprintf(out + length, TEXT_ROOM, "%s\r\n", line);
    }
    bool is_validated = options.validators && !is_publisher;
    if (is_validated && connection->cursor) length += (size_t)snprintf(out + length, 1024, "%s", connection->cursor);
    memcpy(out + length, "\r\n", 2);
    if (!connection_send(connection, out, length + 2)) return false;
    if (is_validated) connection_ready(connection); /* the first answer is the first publication */
    return true;
}

/* The value of a header in a head that ends in an empty line, or NULL. */
static const char *header(const char *head, const char *end, const char *name)
{
    size_t length = strlen(name);
    const char *line = memchr(head, '\n', (size_t)(end - head));
    for (; line && end - line > (ptrdiff_t)length + 2; line = memchr(line + 1, '\n', (size_t)(end - line - 1)))
        if (!strncasecmp(line + 1, name, length) && line[1 + length] == ':') {
            const char *value = line + 2 + length;
            while (*value == ' ' || *value == '\t') value++;
            return value;
        }
    return NULL;
}

/* All in one message, as the session protocol allows; none is longer than a server takes. */
static bool hello_to_each(struct connection *connection)
{
    static char line[TEXT_ROOM], text[HELLO_ROOM];
    size_t length = 0;
    for (long place = 0; place < options.each; place++) {
        struct values values = {.index = connection->index, .command = (uint32_t)place + 1};
        values.channel = publisher_channel(connection->index, place);
        size_t more = text_expand(options.hello_each, &values, line);
        if (length + more + 1 > HELLO_ROOM) return note_error("--hello-each is too long"), false;
        if (length) text[length++] = '\n';
        memcpy(text + length, line, more);
        length += more;
    }
    return websocket_send(connection, 1, text, length);
}

static bool say_hello(struct connection *connection)
{
    bool is_publisher = connection->role == PUBLISHER;
    const struct list *hellos = is_publisher ? &options.publisher_hellos : &options.hellos;
    struct values values = {.index = connection->index, .channel = publisher_channel(connection->index, 0)};
    for (int i = 0; i < hellos->count && !options.hello_steps; i++)
        if (!websocket_send_template(connection, hellos->items[i], &values)) return false;
    if (options.hello_each && !is_publisher && !hello_to_each(connection)) return false;
    bool must_wait = is_publisher ? hellos->count > 0 : options.ready_on || options.ready_after;
    if (!must_wait) connection_ready(connection);
    return true;
}

static bool read_upgrade(struct connection *connection, const char *head, const char *end, int status)
{
    const char *accept = header(head, end, "sec-websocket-accept");
    if (status != 101) return note_error("upgrade answered %d", status), false;
    if (!accept || strncmp(accept, websocket_accept, strlen(websocket_accept)))
        return note_error("wrong Sec-WebSocket-Accept"), false;
    connection->stage = OPEN;
    return say_hello(connection);
}

/* Long poll: the cursor that the response names is where the next one continues. */
static void take_cursor(struct connection *connection)
{
    static const char name[] = "\"cursor\":";
    const char *end = connection->kept + connection->kept_length;
    const char *at = connection->kept_length ? memmem(connection->kept, connection->kept_length, name, sizeof name - 1) : NULL;
    if (!at) return;
    for (at += sizeof name - 1; at < end && (*at == ' ' || *at == '"'); at++) {}
    size_t length = 0;
    while (at + length < end && !strchr("\",}", at[length])) length++;
    free(connection->cursor);
    connection->cursor = strndup(at, length);
}

/* Long poll without a cursor: the next request repeats what names the last message (RFC 9110, section 13.1). */
static void take_validators(struct connection *connection, const char *head, const char *end)
{
    const char *changed = header(head, end, "last-modified"), *tag = header(head, end, "etag");
    char text[512];
    if (!changed || !tag) return;
    snprintf(text, sizeof text, "If-Modified-Since: %.*s\r\nIf-None-Match: %.*s\r\n", (int)strcspn(changed, "\r\n"),
             changed, (int)strcspn(tag, "\r\n"), tag);
    free(connection->cursor);
    connection->cursor = strdup(text);
}

static bool body_ended(struct connection *connection, uint64_t now)
{
    connection->stage = HEAD;
    if (connection->role == PUBLISHER) {
        publisher_answered(connection, connection->status);
        return true;
    }
    if (options.wire != LONG_POLL) return note_error("the event stream ended"), false;
    if (!options.validators) take_cursor(connection);
    connection_ready(connection); /* from the first cursor on nothing is lost */
    size_t length = connection->kept_length;
    connection->kept_length = 0;
    return message_arrived(connection, connection->kept, length, now) && http_request(connection);
}

ssize_t http_read_head(struct connection *connection, char *data, size_t length)
{
    char *end = memmem(data, length, "\r\n\r\n", 4);
    if (!end) return 0;
    end += 4;
    int status = end - data > 12 ? atoi(data + 9) : 0;
    ssize_t used = end - data;
    if (connection->is_websocket) return read_upgrade(connection, data, end, status) ? used : -1;

    const char *coding = header(data, end, "transfer-encoding"), *size = header(data, end, "content-length");
    connection->is_chunked = coding && !strncasecmp(coding, "chunked", 7);
    connection->chunk_stage = CHUNK_SIZE;
    connection->body_left = connection->is_chunked ? 0 : size ? atoll(size) : status == 204 || status == 304 ? 0 : -1;
    connection->status = (uint16_t)status;
    connection->stage = OPEN;
    if (options.validators && connection->role == SUBSCRIBER) take_validators(connection, data, end);
    if (connection->role == SUBSCRIBER && status != 200) return note_error("request answered %d", status), -1;
    if (connection->role == SUBSCRIBER && options.wire == EVENT_STREAM && !options.ready_on && !options.ready_after)
        connection_ready(connection);
    if (!connection->is_chunked && connection->body_left == 0 && !body_ended(connection, now_ns())) return -1;
    return used;
}

static void keep_more(struct connection *connection, const char *data, size_t length)
{
    char *memory = realloc(connection->kept, connection->kept_length + length);
    if (!memory) abort();
    memcpy(memory + connection->kept_length, data, length);
    connection->kept = memory;
    connection->kept_length += length;
}

/* Whole lines. Only while a connection is not ready does anybody care where one ends. */
static bool event_lines(struct connection *connection, const char *data, size_t length, uint64_t now)
{
    while (length && !connection->is_ready) {
        size_t line = (size_t)((const char *)memchr(data, '\n', length) - data) + 1;
        if (line > 2 && !message_arrived(connection, data, line, now)) return false;
        data += line;
        length -= line;
    }
    return !length || message_arrived(connection, data, length, now);
}

static bool body_piece(struct connection *connection, const char *data, size_t length, uint64_t now)
{
    if (connection->role == PUBLISHER) return true;
    if (options.wire == LONG_POLL) return keep_more(connection, data, length), true;

    const char *last = memrchr(data, '\n', length);
    if (!last) return keep_more(connection, data, length), true;
    size_t whole = (size_t)(last - data) + 1;
    bool goes_on;
    if (connection->kept_length) { /* rare: an event stream is written event by event */
        keep_more(connection, data, whole);
        goes_on = event_lines(connection, connection->kept, connection->kept_length, now);
        connection->kept_length = 0;
    } else {
        goes_on = event_lines(connection, data, whole, now);
    }
    if (whole < length) keep_more(connection, data + whole, length - whole);
    return goes_on;
}

/* One byte of what stands around the chunks (RFC 9112, section 7.1). True at the end of the body. */
static bool chunk_frame(struct connection *connection, char byte)
{
    switch (connection->chunk_stage) {
    case CHUNK_SIZE:
        if (isxdigit((unsigned char)byte))
            connection->body_left = connection->body_left * 16 + (isdigit((unsigned char)byte) ? byte - '0' : (byte | 32) - 'a' + 10);
        else if (byte != '\r' && byte != '\n')
            connection->chunk_stage = CHUNK_EXTENSION;
        /* fall through */
    case CHUNK_EXTENSION:
        if (byte == '\n') connection->chunk_stage = connection->body_left ? CHUNK_DATA : TRAILER;
        return false;
    case CHUNK_END:
        if (byte == '\n') connection->chunk_stage = CHUNK_SIZE;
        return false;
    default: /* TRAILER; body_left counts the characters of the line */
        if (byte != '\n') {
            connection->body_left += byte != '\r';
            return false;
        }
        if (!connection->body_left) return true;
        connection->body_left = 0;
        return false;
    }
}

ssize_t http_read_body(struct connection *connection, char *data, size_t length, uint64_t now)
{
    size_t used = 0;
    while (used < length) {
        if (connection->is_chunked && connection->chunk_stage != CHUNK_DATA) {
            if (!chunk_frame(connection, data[used++])) continue;
            return body_ended(connection, now) ? (ssize_t)used : -1;
        }
        size_t piece = length - used;
        if (connection->body_left >= 0 && (int64_t)piece > connection->body_left) piece = (size_t)connection->body_left;
        if (!body_piece(connection, data + used, piece, now)) return -1;
        used += piece;
        if (connection->body_left < 0 || (connection->body_left -= (int64_t)piece)) continue;
        if (!connection->is_chunked) return body_ended(connection, now) ? (ssize_t)used : -1;
        connection->chunk_stage = CHUNK_END;
    }
    return (ssize_t)used;
}
