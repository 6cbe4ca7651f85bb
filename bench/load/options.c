#define _GNU_SOURCE
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct options options = {
    .label = "", .mode = "ws", .host = "127.0.0.1", .path = "/", .publish_body = "{payload}",
    .publish_type = "text/plain", .answer = "{}={}", .port = 8000, .connections = 100, .handshakes = 128,
    .in_flight = 1, .size = 128, .cpu = -1, .connect_limit = 30, .settle = 0.5, .warmup = 0.5, .duration = 5,
    .drain = 2, .patience = 2, .channels = 1, .each = 1,
};

enum kind { TEXT, WHOLE, SECONDS, LIST, SWITCH };

static const struct option_row {
    const char *name;
    enum kind kind;
    void *target;
    const char *help;
} rows[] = {
    {"mode", TEXT, &options.mode, "ws, sse or poll"},
    {"host", TEXT, &options.host, "IPv4 address of the server"},
    {"port", WHOLE, &options.port, "port of the server"},
    {"path", TEXT, &options.path, "what to GET; {i}, {cursor}"},
    {"header", LIST, &options.headers, "one more header line of that request; {i}"},
    {"connections", WHOLE, &options.connections, "how many subscribers"},
    {"sources", WHOLE, &options.sources, "loopback addresses to connect from; by itself one per 5,000 connections"},
    {"handshakes", WHOLE, &options.handshakes, "connections being opened at once"},
    {"connect-limit", SECONDS, &options.connect_limit, "time for all of them"},
    {"hello", LIST, &options.hellos, "message to send after the upgrade; {i}"},
    {"hello-each", TEXT, &options.hello_each, "line for each channel of a connection, sent after the hellos; {c}, {k}"},
    {"hello-steps", SWITCH, &options.hello_steps, "send each hello only when a message has come (Socket.IO)"},
    {"ready-on", TEXT, &options.ready_on, "a connection is ready when a message holds this text"},
    {"ready-after", WHOLE, &options.ready_after, "... or after so many messages (without both: once it is open)"},
    {"answer", TEXT, &options.answer, "A=B: answer the message A with B (besides ping frames)"},
    {"stalled", WHOLE, &options.stalled, "so many of the subscribers stop reading once they are ready"},
    {"channels", WHOLE, &options.channels, "how many channels; publications go round, {c} in a path, frame or hello"},
    {"each", WHOLE, &options.each, "of them each connection subscribes to so many"},
    {"validators", SWITCH, &options.validators, "long poll by Last-Modified and ETag (nchan); without: by {cursor}"},
    {"publish-frame", TEXT, &options.publish_frame, "publish by a WebSocket message; {payload}, {n}"},
    {"publisher-path", TEXT, &options.publisher_path, "... on a connection of its own, opened here (else the first subscriber's)"},
    {"publisher-hello", LIST, &options.publisher_hellos, "message that this connection sends first"},
    {"publish-post", TEXT, &options.publish_post, "publish by POST to this path"},
    {"publish-body", TEXT, &options.publish_body, "body of the POST; {payload}, {n}"},
    {"publish-type", TEXT, &options.publish_type, "content type of the POST"},
    {"echo", TEXT, &options.echo, "no publishing: each WebSocket sends this and waits for it to come back; {payload}"},
    {"size", WHOLE, &options.size, "bytes of {payload}, 25 at least"},
    {"in-flight", WHOLE, &options.in_flight, "publications on their way at once"},
    {"rate", SECONDS, &options.rate, "publish so many a second instead, whatever arrives"},
    {"settle", SECONDS, &options.settle, "wait before memory is read"},
    {"idle", SECONDS, &options.idle, "then measure the processor time of doing nothing"},
    {"warmup", SECONDS, &options.warmup, "publish without measuring"},
    {"duration", SECONDS, &options.duration, "publish and measure; 0: connections only"},
    {"drain", SECONDS, &options.drain, "at most so long for the last deliveries"},
    {"patience", SECONDS, &options.patience, "without a delivery for so long, what is owed is written off"},
    {"reset", SWITCH, &options.reset, "end the connections by RST"},
    {"server-pid", WHOLE, &options.server_pid, "process to account for, with its descendants"},
    {"cpu", WHOLE, &options.cpu, "pin this program to a core"},
    {"label", TEXT, &options.label, "copied to the result"},
};
enum { ROWS = sizeof rows / sizeof *rows };

__attribute__((noreturn)) static void refuse(const char *what, const char *value)
{
    fprintf(stderr, "load: %s: %s (--help lists the options)\n", what, value);
    exit(2);
}

__attribute__((noreturn)) static void help(void)
{
    puts("load: subscribes and publishes, and prints one line of JSON about what it cost\n");
    for (int i = 0; i < ROWS; i++) printf("  --%-16s %s\n", rows[i].name, rows[i].help);
    exit(0);
}

static double number(const char *name, const char *text)
{
    char *end;
    double value = strtod(text, &end);
    if (*end || end == text || value < 0 || value > 1e9) refuse(name, text);
    return value;
}

static void assign(const struct option_row *row, const char *value)
{
    struct list *list = row->target;
    switch (row->kind) {
    case TEXT: *(const char **)row->target = value; break;
    case WHOLE: *(long *)row->target = (long)number(row->name, value); break;
    case SECONDS: *(double *)row->target = number(row->name, value); break;
    case SWITCH: *(long *)row->target = 1; break;
    case LIST:
        if (list->count == LIST_ROOM) refuse("too many of", row->name);
        list->items[list->count++] = value;
    }
}

static void check(void)
{
    if (!strcmp(options.mode, "ws")) options.wire = WEBSOCKET;
    else if (!strcmp(options.mode, "sse")) options.wire = EVENT_STREAM;
    else if (!strcmp(options.mode, "poll")) options.wire = LONG_POLL;
    else refuse("unknown mode", options.mode);

    const char *ways[] = {options.publish_frame, options.publish_post, options.echo};
    int chosen = 0;
    for (int i = 0; i < 3; i++) chosen += ways[i] != NULL;
    if (chosen > 1) refuse("only one of", "--publish-frame, --publish-post, --echo");
    if (options.echo && options.wire != WEBSOCKET) refuse("only with --mode ws", "--echo");
    if (options.publish_frame && options.wire != WEBSOCKET && !options.publisher_path)
        refuse("needs --publisher-path here", "--publish-frame");
    if (options.connections < 1) refuse("too few", "--connections");
    if (options.stalled > options.connections) refuse("more than there are connections", "--stalled");
    if (options.size < 25 || options.size > TEXT_ROOM / 2) refuse("must be 25 to 524288", "--size");
    if (options.in_flight < 1 || options.in_flight > 64) refuse("must be 1 to 64", "--in-flight");
    if (options.channels < 1 || options.each < 1 || options.each > options.channels ||
        options.connections * options.each % options.channels)
        refuse("connections * each must be a multiple of", "--channels");
    if (options.channels > 1 && options.stalled) refuse("not with --channels", "--stalled");
    if (options.handshakes < 1) refuse("too few", "--handshakes");
    if (!options.sources) options.sources = 1 + options.connections / 5000;
    if (options.sources > 250) refuse("at most 250", "--sources");
}

void options_read(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--help")) help();
        int r = 0;
        while (r < ROWS && (strncmp(argv[i], "--", 2) || strcmp(argv[i] + 2, rows[r].name))) r++;
        if (r == ROWS) refuse("unknown option", argv[i]);
        if (rows[r].kind == SWITCH) assign(&rows[r], NULL);
        else if (i + 1 == argc) refuse("needs a value", argv[i]);
        else assign(&rows[r], argv[++i]);
    }
    check();
}
