/* What the parts of the load generator know of each other. README.md explains what it is for. */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* ---- options.c: the command line --------------------------------------------------------------------------------- */

enum { LIST_ROOM = 16 };
enum wire { WEBSOCKET, EVENT_STREAM, LONG_POLL };

struct list {
    const char *items[LIST_ROOM];
    int count;
};

struct options {
    enum wire wire;
    const char *label, *mode, *host, *path, *ready_on, *answer;
    const char *publish_frame, *publish_post, *publish_body, *publish_type, *publisher_path, *echo, *hello_each;
    struct list headers, hellos, publisher_hellos;
    long port, connections, sources, handshakes, ready_after, stalled, in_flight, size, server_pid, cpu;
    double rate, connect_limit, settle, idle, warmup, duration, drain, patience;
    long channels, each; /* --channels; how many of them a connection subscribes to */
    long reset, hello_steps, validators;
};

extern struct options options;

/* Exits with a message if an option is unknown or makes no sense. */
void options_read(int argc, char **argv);

/* ---- text.c: templates and markers ------------------------------------------------------------------------------- */

enum { TEXT_ROOM = 1 << 20 };

/* The name before the send time in a payload; whatever else a frame holds is not looked at. */
#define MARKER "sent="

struct values {
    uint32_t index;       /* {i}: number of the connection, from 0 */
    uint32_t channel;     /* {c}: number of the channel, from 0 */
    uint32_t command;     /* {k}: number of the command in a hello, from 1 */
    uint64_t sequence;    /* {n}: number of the publication, from 1000 (lower ones are free for hellos) */
    uint64_t sent;        /* inside {payload}: CLOCK_MONOTONIC, nanoseconds, always 19 digits */
    const char *cursor;   /* {cursor}: where a long poll continues */
};

/* Fills `out` (TEXT_ROOM bytes) and returns the length; a zero follows. {payload} is exactly --size bytes. */
size_t text_expand(const char *template, const struct values *values, char *out);

/* Finds the next send time at or after `*at`, moves `*at` behind it; false when there is none before `end`. */
bool text_next_marker(const char **at, const char *end, uint64_t *sent);

/* ---- measure.c: latency, processor time, memory ------------------------------------------------------------------ */

struct usage {
    int processes;
    double cpu, user, system;   /* seconds; `cpu` from the process clock, the split from ticks of 10 ms */
    double pss, private_dirty;  /* bytes, only where asked for */
};

uint64_t now_ns(void);
void latency_record(uint64_t nanoseconds);
uint64_t latency_count(void);
double latency_percentile_ms(double share);
double latency_mean_ms(void);

/* The server's process and all its descendants, as they are now. All zero without --server-pid. */
struct usage usage_of_server(bool with_memory);
double own_cpu_seconds(void);

/* Server CPU per delivery in slices of 50 ms, for machines with neighbours: the lower slices are the program's. */
void slice_turn(uint64_t now, bool is_quiet);
int slice_count(void);
double slice_quantile(double share);

/* ---- connection.c: sockets, and what arrives on them ------------------------------------------------------------- */

enum stage { CLOSED, CONNECTING, HEAD, OPEN };
enum role { SUBSCRIBER, PUBLISHER };

struct connection {
    int fd;
    uint32_t index;
    uint8_t stage, role;
    bool is_websocket, is_ready, is_stalled, is_waiting; /* waiting: a POST of it is not answered yet */
    bool is_chunked;
    uint8_t chunk_stage;
    uint16_t status;          /* of the response being read */
    int64_t body_left;        /* of the body, or of the current chunk; -1: the body ends with the connection */
    uint32_t messages;        /* counted until ready */
    uint32_t received;        /* deliveries */
    char *kept;               /* the beginning of a head, frame or line that is not whole yet */
    size_t kept_length;
    char *cursor;
    uint64_t debt;            /* deliveries that its unanswered POST should cause */
    uint32_t channel;         /* that this POST went to */
};

struct tally {
    long ready, failed, dropped, opening; /* connections: ready now; never ready; lost after that; on their way */
    uint64_t deliveries, publications, owed, refused, late, stalls, missing, duplicates, pings, bytes;
    uint64_t lag;                         /* the worst, ns: how far publishing was behind its plan */
    uint64_t last_delivery;               /* when */
    uint64_t record_from;                 /* only what was sent later counts into the latencies; 0: nothing does */
    bool is_echoing, is_closing;
    char first_error[200];
};

extern struct tally tally;

__attribute__((format(printf, 1, 2))) void note_error(const char *format, ...);

void connections_start(void);
struct connection *connection_open(struct connection *connection);
void connection_end(struct connection *connection);
void connection_stall(struct connection *connection);
bool connection_send(struct connection *connection, const char *data, size_t length);
void connection_ready(struct connection *connection);

/* Waits at most `nanoseconds` for something to arrive and handles it. `alarm_at` (0: none) also ends the wait. */
void connections_wait(uint64_t nanoseconds, uint64_t alarm_at);

/* One message, event line or poll body; false when the connection is over. */
bool message_arrived(struct connection *connection, const char *data, size_t length, uint64_t now);

/* ---- websocket.c ------------------------------------------------------------------------------------------------- */

extern const char websocket_request[], websocket_accept[];
bool websocket_send(struct connection *connection, unsigned opcode, const char *data, size_t length);
bool websocket_send_template(struct connection *connection, const char *template, const struct values *values);

/* Handles the whole frames in `data`; returns the bytes used, -1 when the connection is over. */
ssize_t websocket_read(struct connection *connection, char *data, size_t length, uint64_t now);

/* ---- http.c ------------------------------------------------------------------------------------------------------ */

bool http_request(struct connection *connection);
ssize_t http_read_head(struct connection *connection, char *data, size_t length);
ssize_t http_read_body(struct connection *connection, char *data, size_t length, uint64_t now);

/* ---- publisher.c ------------------------------------------------------------------------------------------------- */

/* Opens what publishing needs; `subscribers` as they are. False when it could not. */
bool publisher_start(struct connection *subscribers);

/* Publishes what is due by now; returns when it wants to be called again at the latest (0: after any arrival). */
uint64_t publisher_turn(uint64_t now);
void publisher_restart_plan(uint64_t now);
void publisher_answered(struct connection *connection, int status);

/* Gives up waiting for what has not arrived; it stays counted as missing. */
void publisher_write_off(void);
long publisher_audience(void);

/* How many publications a subscriber should have received: those to its channels. */
uint64_t publisher_expects(uint32_t index);

/* The number of the `place`-th channel of a subscriber; they are dealt out evenly. */
uint32_t publisher_channel(uint32_t index, long place);

#endif
