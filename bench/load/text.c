#define _GNU_SOURCE
#include "load.h"

#include <stdio.h>
#include <string.h>

enum { SENT_DIGITS = 19 };

static size_t payload(char *out, size_t size, uint64_t sent)
{
    size_t length = (size_t)sprintf(out, MARKER "%0*llu;", SENT_DIGITS, (unsigned long long)sent);
    memset(out + length, 'x', size - length);
    return size;
}

size_t text_expand(const char *template, const struct values *values, char *out)
{
    size_t length = 0, room = TEXT_ROOM - 1;
    while (*template && length < room) {
        const char *name = template;
        if (!strncmp(name, "{payload}", 9) && room - length > (size_t)options.size) {
            length += payload(out + length, (size_t)options.size, values->sent);
            template += 9;
        } else if (!strncmp(name, "{cursor}", 8) && room - length > 4096) {
            length += (size_t)snprintf(out + length, 4096, "%s", values->cursor ? values->cursor : "");
            template += 8;
        } else if (!strncmp(name, "{i}", 3) && room - length > 32) {
            length += (size_t)sprintf(out + length, "%u", values->index);
            template += 3;
        } else if (!strncmp(name, "{c}", 3) && room - length > 32) {
            length += (size_t)sprintf(out + length, "%u", values->channel);
            template += 3;
        } else if (!strncmp(name, "{k}", 3) && room - length > 32) {
            length += (size_t)sprintf(out + length, "%u", values->command);
            template += 3;
        } else if (!strncmp(name, "{n}", 3) && room - length > 32) {
            length += (size_t)sprintf(out + length, "%llu", (unsigned long long)values->sequence);
            template += 3;
        } else {
            out[length++] = *template++;
        }
    }
    out[length] = 0;
    return length;
}

bool text_next_marker(const char **at, const char *end, uint64_t *sent)
{
    static const char marker[] = MARKER;
    const char *found = *at;
    while (found < end && (found = memmem(found, (size_t)(end - found), marker, sizeof marker - 1))) {
        found += sizeof marker - 1;
        uint64_t value = 0;
        int digits = 0;
        for (; found < end && *found >= '0' && *found <= '9'; found++, digits++) value = 10 * value + (uint64_t)(*found - '0');
        if (digits == SENT_DIGITS) {
            *at = found;
            *sent = value;
            return true;
        }
    }
    return false;
}
