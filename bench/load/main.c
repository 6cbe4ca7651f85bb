/* The run from start to end, and its result. Every part has a limit of time, and an alarm stands behind them all. */
#define _GNU_SOURCE
#include "load.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

struct result {
    double connect_seconds, connect_cpu, idle_share, seconds, loader_cpu;
    long ready;
    uint64_t deliveries, publications, bytes;
    struct usage before, connected, started, stopped, after;
};

static struct connection *connections;

static uint64_t later(double seconds) { return now_ns() + (uint64_t)(seconds * 1e9); }
static bool is_publishing(void) { return options.publish_frame || options.publish_post; }

static void prepare(void)
{
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (options.cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)options.cpu, &set);
        sched_setaffinity(0, sizeof set, &set);
    }
    double longest = 2 * options.connect_limit + options.settle + options.idle + options.warmup + options.duration +
                     2 * options.drain + 15;
    alarm((unsigned)longest);
    connections_start();
    connections = calloc((size_t)options.connections, sizeof *connections);
    for (long i = 0; connections && i < options.connections; i++) {
        connections[i].fd = -1;
        connections[i].index = (uint32_t)i;
        connections[i].is_websocket = options.wire == WEBSOCKET;
    }
    if (!connections) exit(1);
}

static void connect_all(struct result *result)
{
    uint64_t started = now_ns(), end = later(options.connect_limit);
    double cpu = usage_of_server(false).cpu;
    long opened = 0;
    /* A server that refuses everybody need not be asked ten thousand times. */
    while ((opened < options.connections || tally.opening) && now_ns() < end && tally.failed <= 100 + tally.ready) {
        while (opened < options.connections && tally.opening < options.handshakes) {
            tally.opening++;
            connection_open(&connections[opened++]);
        }
        connections_wait(end, 0);
    }
    result->connect_seconds = (double)(now_ns() - started) / 1e9;
    result->connect_cpu = usage_of_server(false).cpu - cpu;
    result->ready = tally.ready;
    for (long i = opened; i < options.connections; i++) tally.failed++;
    for (long i = 0; i < options.connections; i++)
        if (connections[i].stage != CLOSED && !connections[i].is_ready) {
            note_error("connection %ld was not ready in time", i);
            connection_end(&connections[i]);
        }
    for (long i = options.connections - options.stalled; i < options.connections; i++) connection_stall(&connections[i]);
}

static void rest(double seconds)
{
    uint64_t end = later(seconds);
    while (now_ns() < end) connections_wait(end, 0);
}

static void publish_for(double seconds, bool is_measured)
{
    uint64_t now, end = later(seconds);
    publisher_restart_plan(now_ns());
    while ((now = now_ns()) < end) {
        if (is_measured) slice_turn(now, is_publishing() && tally.deliveries >= tally.owed);
        connections_wait(end, is_publishing() ? publisher_turn(now) : 0);
    }
}

static void drain(void)
{
    uint64_t end = later(options.drain);
    while (is_publishing() && tally.deliveries < tally.owed && now_ns() < end) connections_wait(end, 0);
}

static void start_echoes(void)
{
    tally.is_echoing = true;
    for (long i = 0; i < options.connections; i++) {
        struct values values = {.index = (uint32_t)i, .sequence = 1000 + tally.publications, .sent = now_ns()};
        if (!connections[i].is_ready || connections[i].is_stalled) continue;
        tally.publications++;
        if (!websocket_send_template(&connections[i], options.echo, &values)) connection_end(&connections[i]);
    }
}

static void measure(struct result *result)
{
    if (!publisher_start(connections)) {
        note_error("the publisher could not connect");
        return;
    }
    if (options.echo) start_echoes();
    publish_for(options.warmup, false);
    drain();
    publisher_write_off();

    uint64_t deliveries = tally.deliveries, publications = tally.publications, bytes = tally.bytes;
    double own = own_cpu_seconds();
    tally.late = 0;
    result->started = usage_of_server(false);
    uint64_t started = tally.record_from = now_ns();
    publish_for(options.duration, true);
    drain();
    result->stopped = usage_of_server(false);
    result->loader_cpu = own_cpu_seconds() - own;
    result->deliveries = tally.deliveries - deliveries;
    result->publications = tally.publications - publications;
    result->bytes = tally.bytes - bytes;

    /* A closed loop is over with the last delivery; the wait for one that never came is nobody's speed. */
    bool is_closed = is_publishing() && options.rate == 0;
    uint64_t stopped = is_closed && tally.last_delivery > started ? tally.last_delivery : now_ns();
    result->seconds = (double)(stopped - started) / 1e9;
    tally.record_from = 0;
    tally.is_echoing = false;
}

static void settle_accounts(void)
{
    for (long i = 0; is_publishing() && i < options.connections; i++) {
        const struct connection *connection = &connections[i];
        if (connection->is_stalled || (!connection->is_ready && !connection->received)) continue;
        uint64_t expected = publisher_expects(connection->index);
        if (connection->received < expected) tally.missing += expected - connection->received;
        else tally.duplicates += connection->received - expected;
    }
}

/* ---- the result --------------------------------------------------------------------------------------------------- */

static double ratio(double amount, double of) { return of > 0 ? amount / of : 0; }

static void print_text(const char *name, const char *text)
{
    printf("\"%s\":\"", name);
    for (; *text; text++)
        if ((unsigned char)*text >= 32) printf(*text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    printf("\",");
}

static void print_connections(const struct result *r)
{
    printf("\"connections\":{\"asked\":%ld,\"ready\":%ld,\"failed\":%ld,\"dropped\":%ld,\"stalled\":%ld,"
           "\"seconds\":%.4f,\"per_second\":%.0f},",
           options.connections, r->ready, tally.failed, tally.dropped, options.stalled, r->connect_seconds,
           ratio((double)r->ready, r->connect_seconds));
}

static void print_deliveries(const struct result *r)
{
    printf("\"publications\":{\"sent\":%llu,\"refused\":%llu,\"late\":%llu,\"lag_ms\":%.3f},",
           (unsigned long long)r->publications, (unsigned long long)tally.refused, (unsigned long long)tally.late,
           (double)tally.lag / 1e6);
    printf("\"deliveries\":{\"count\":%llu,\"seconds\":%.4f,\"per_second\":%.0f,\"missing\":%llu,\"duplicates\":%llu,"
           "\"stalls\":%llu,\"bytes_each\":%.1f},",
           (unsigned long long)r->deliveries, r->seconds, ratio((double)r->deliveries, r->seconds),
           (unsigned long long)tally.missing, (unsigned long long)tally.duplicates, (unsigned long long)tally.stalls,
           ratio((double)r->bytes, (double)r->deliveries));
    printf("\"pings\":%llu,", (unsigned long long)tally.pings);
    printf("\"latency_ms\":{\"count\":%llu,\"mean\":%.4f,\"p50\":%.4f,\"p90\":%.4f,\"p99\":%.4f,\"p999\":%.4f,\"max\":%.4f},",
           (unsigned long long)latency_count(), latency_mean_ms(), latency_percentile_ms(0.5), latency_percentile_ms(0.9),
           latency_percentile_ms(0.99), latency_percentile_ms(0.999), latency_percentile_ms(1));
}

static void print_server(const struct result *r)
{
    double cpu = r->stopped.cpu - r->started.cpu, deliveries = (double)r->deliveries, ready = (double)r->ready;
    double user = r->stopped.user - r->started.user, system = r->stopped.system - r->started.system;
    printf("\"server\":{\"processes\":%d,\"cpu_seconds\":%.5f,\"cpu_share\":%.4f,\"user_share\":%.3f,"
           "\"cpu_us_per_delivery\":%.4f,\"cpu_us_per_connect\":%.3f,\"idle_cpu_share\":%.5f,",
           r->before.processes, cpu, ratio(cpu, r->seconds), ratio(user, user + system), ratio(cpu * 1e6, deliveries),
           ratio(r->connect_cpu * 1e6, ready), r->idle_share);
    printf("\"slices\":{\"count\":%d,\"min\":%.4f,\"quartile\":%.4f,\"median\":%.4f},", slice_count(), slice_quantile(0),
           slice_quantile(0.25), slice_quantile(0.5));
    printf("\"pss_before\":%.0f,\"pss_connected\":%.0f,\"pss_after\":%.0f,\"bytes_per_connection\":%.0f,"
           "\"bytes_per_connection_after\":%.0f},",
           r->before.pss, r->connected.pss, r->after.pss, ratio(r->connected.pss - r->before.pss, ready),
           ratio(r->after.pss - r->before.pss, ready));
    printf("\"loader\":{\"cpu_seconds\":%.5f,\"cpu_share\":%.4f,\"cpu_us_per_delivery\":%.4f}", r->loader_cpu,
           ratio(r->loader_cpu, r->seconds), ratio(r->loader_cpu * 1e6, deliveries));
}

int main(int argc, char **argv)
{
    struct result result = {0};
    options_read(argc, argv);
    prepare();
    result.before = usage_of_server(true);
    connect_all(&result);
    rest(options.settle);
    result.connected = usage_of_server(true);
    if (options.idle > 0) {
        rest(options.idle);
        result.idle_share = (usage_of_server(false).cpu - result.connected.cpu) / options.idle;
    }
    if (options.duration > 0 && tally.ready > options.stalled) measure(&result);
    result.after = usage_of_server(true);
    settle_accounts();
    tally.is_closing = true;
    for (long i = 0; i < options.connections; i++) connection_end(&connections[i]);

    printf("{");
    print_text("label", options.label);
    print_text("mode", options.mode);
    print_text("first_error", tally.first_error);
    print_connections(&result);
    print_deliveries(&result);
    print_server(&result);
    printf("}\n");
    return result.ready == options.connections ? 0 : 1;
}
