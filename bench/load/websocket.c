/* WebSocket frames (RFC 6455, section 5): ours masked, the server's read where they lie. */
#define _GNU_SOURCE
#include "load.h"

#include <string.h>

/* base64("wirehop-bench-01"), and what section 4.2.2 makes of it. */
const char websocket_request[] = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                                 "Sec-WebSocket-Key: d2lyZWhvcC1iZW5jaC0wMQ==\r\n";
const char websocket_accept[] = "eMIRncKRvTQEHwecHFGjLEZDDKQ=";

bool websocket_send(struct connection *connection, unsigned opcode, const char *data, size_t length)
{
    /* Fixed, because nobody sits between us and the server; not zero, so that the server has to unmask. */
    static const char mask[4] = {0x37, (char)0xfa, 0x21, 0x3d};
    static char out[TEXT_ROOM + 16];
    size_t head = 2;
    out[0] = (char)(0x80 | opcode);
    if (length < 126) {
        out[1] = (char)(0x80 | length);
    } else if (length < 65536) {
        out[1] = (char)(0x80 | 126);
        out[2] = (char)(length >> 8);
        out[3] = (char)length;
        head = 4;
    } else {
        out[1] = (char)(0x80 | 127);
        for (int i = 0; i < 8; i++) out[2 + i] = (char)((uint64_t)length >> (56 - 8 * i));
        head = 10;
    }
    memcpy(out + head, mask, 4);
    head += 4;
    for (size_t i = 0; i < length; i++) out[head + i] = data[i] ^ mask[i & 3];
    return connection_send(connection, out, head + length);
}

bool websocket_send_template(struct connection *connection, const char *template, const struct values *values)
{
    static char text[TEXT_ROOM];
    size_t length = text_expand(template, values, text);
    return websocket_send(connection, 1, text, length);
}

static void note_close(const struct connection *connection, const unsigned char *payload, size_t length)
{
    int code = length >= 2 ? payload[0] << 8 | payload[1] : 1005;
    int reason = length > 2 ? (int)length - 2 : 0;
    note_error("connection %u: close %d %.*s", connection->index, code, reason, reason ? (const char *)payload + 2 : "");
}

ssize_t websocket_read(struct connection *connection, char *data, size_t length, uint64_t now)
{
    size_t used = 0;
    for (;;) {
        const unsigned char *head = (const unsigned char *)data + used;
        size_t left = length - used, start = 2, size;
        if (left < 2) return (ssize_t)used;
        size = head[1];
        if (size & 0x80) return note_error("the server masks its frames"), -1;
        if (size >= 126) {
            size_t bytes = size == 126 ? 2 : 8;
            start += bytes;
            if (left < start) return (ssize_t)used;
            size = 0;
            for (size_t i = 2; i < start; i++) size = size << 8 | head[i];
        }
        if (left - start < size) return (ssize_t)used;

        unsigned opcode = head[0] & 0x0f;
        const char *payload = data + used + start;
        if (opcode == 8) return note_close(connection, head + start, size), -1;
        if (opcode == 9) tally.pings++;
        if (opcode == 9 && !websocket_send(connection, 10, payload, size)) return -1;
        if (opcode <= 2 && !message_arrived(connection, payload, size, now)) return -1;
        used += start + size;
    }
}
