#define _GNU_SOURCE
#include "load.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* ---- latencies: each power of two of nanoseconds in 128 equal steps, so a percentile is wrong by 0.8 % at most ---- */

enum { STEP_BITS = 7, STEPS = 1 << STEP_BITS, BUCKETS = (64 - STEP_BITS + 1) * STEPS };

static uint64_t buckets[BUCKETS], recorded, worst;
static double total;

static unsigned bucket_of(uint64_t value)
{
    if (value < STEPS) return (unsigned)value;
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - STEP_BITS;
    return (shift + 1) * STEPS + (unsigned)(value >> shift) - STEPS;
}

static double middle_of(unsigned bucket)
{
    if (bucket < STEPS) return bucket;
    unsigned shift = bucket / STEPS - 1;
    return ((double)(STEPS + bucket % STEPS) + 0.5) * (double)(1ull << shift);
}

void latency_record(uint64_t nanoseconds)
{
    buckets[bucket_of(nanoseconds)]++;
    recorded++;
    total += (double)nanoseconds;
    if (nanoseconds > worst) worst = nanoseconds;
}

uint64_t latency_count(void) { return recorded; }
double latency_mean_ms(void) { return recorded ? total / (double)recorded / 1e6 : 0; }

double latency_percentile_ms(double share)
{
    if (share >= 1) return (double)worst / 1e6;
    uint64_t passed = 0, wanted = (uint64_t)(share * (double)recorded);
    for (unsigned i = 0; i < BUCKETS; i++)
        if ((passed += buckets[i]) > wanted) {
            double value = middle_of(i); /* the middle of the last bucket may lie above everything in it */
            return (value < (double)worst ? value : (double)worst) / 1e6;
        }
    return 0;
}

/* ---- the server's processes -------------------------------------------------------------------------------------- */

enum { PROCESSES = 256 };

/* The fields of /proc/PID/stat behind the name, which may hold anything. */
static bool read_stat(int pid, int *parent, double *user, double *system)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "r");
    if (!file) return false;
    size_t length = fread(line, 1, sizeof line - 1, file);
    fclose(file);
    line[length] = 0;
    const char *rest = strrchr(line, ')');
    unsigned long ticks_user, ticks_system;
    if (!rest || sscanf(rest + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", parent, &ticks_user, &ticks_system) != 3)
        return false;
    double tick = (double)sysconf(_SC_CLK_TCK);
    *user = (double)ticks_user / tick;
    *system = (double)ticks_system / tick;
    return true;
}

static int family(int first, int found[PROCESSES])
{
    static int all[65536][2];
    int known = 0, count = 1;
    DIR *directory = opendir("/proc");
    struct dirent *entry;
    while (directory && known < 65536 && (entry = readdir(directory))) {
        double unused;
        int pid = isdigit((unsigned char)entry->d_name[0]) ? atoi(entry->d_name) : 0;
        if (pid && read_stat(pid, &all[known][1], &unused, &unused)) all[known++][0] = pid;
    }
    if (directory) closedir(directory);
    found[0] = first;
    for (int parent = 0; parent < count; parent++) /* children of children come up later in this same walk */
        for (int i = 0; i < known && count < PROCESSES; i++)
            if (all[i][1] == found[parent]) found[count++] = all[i][0];
    return count;
}

static void add_memory(int pid, struct usage *usage)
{
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pid);
    FILE *file = fopen(path, "r");
    long kilobytes;
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "Pss: %ld", &kilobytes) == 1) usage->pss += (double)kilobytes * 1024;
        if (sscanf(line, "Private_Dirty: %ld", &kilobytes) == 1) usage->private_dirty += (double)kilobytes * 1024;
    }
    if (file) fclose(file);
}

static int pids[PROCESSES], pid_count; /* as usage_of_server last found them */

static double process_clock(int pid)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) || clock_gettime(clock, &used)) return 0;
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

struct usage usage_of_server(bool with_memory)
{
    struct usage usage = {0};
    pid_count = options.server_pid ? family((int)options.server_pid, pids) : 0;
    for (int i = 0; i < pid_count; i++) {
        double user, system;
        int parent;
        usage.processes++;
        usage.cpu += process_clock(pids[i]);
        if (read_stat(pids[i], &parent, &user, &system)) {
            usage.user += user;
            usage.system += system;
        }
        if (with_memory) add_memory(pids[i], &usage);
    }
    return usage;
}

double own_cpu_seconds(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (double)used.tv_sec + (double)used.tv_nsec / 1e9;
}

/* ---- slices -------------------------------------------------------------------------------------------------------- */

enum { SLICES = 4096 };
static const uint64_t slice_length = 50000000; /* ns: some publications long, and short against a neighbour's burst */

static double slices[SLICES];
static int slices_taken;

void slice_turn(uint64_t now, bool is_quiet)
{
    static uint64_t due, deliveries;
    static double cpu;
    /* With nothing in flight both sides have counted the same; a run that is never quiet is cut where it is. */
    if (now < due || (!is_quiet && now < due + slice_length)) return;
    double cpu_now = 0; /* of the processes known: looking for new ones would take longer than a publication */
    for (int i = 0; i < pid_count; i++) cpu_now += process_clock(pids[i]);
    if (due && tally.deliveries > deliveries && slices_taken < SLICES)
        slices[slices_taken++] = (cpu_now - cpu) * 1e6 / (double)(tally.deliveries - deliveries);
    deliveries = tally.deliveries;
    cpu = cpu_now;
    due = now + slice_length;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

int slice_count(void) { return slices_taken; }

double slice_quantile(double share)
{
    if (!slices_taken) return 0;
    qsort(slices, (size_t)slices_taken, sizeof *slices, compare);
    return slices[(int)(share * (slices_taken - 1))];
}
