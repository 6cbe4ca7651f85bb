/* SHA-1 (FIPS 180-4, section 6.1) and base64 (RFC 4648), just enough for a WebSocket handshake. */
#include "handshake.h"

#include <stdint.h>
#include <string.h>

static const char protocol_guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

static uint32_t rotate_left(uint32_t word, int bits) { return (word << bits) | (word >> (32 - bits)); }

static void digest_block(uint32_t state[5], const uint8_t block[64])
{
    uint32_t schedule[80];
    for (int i = 0; i < 16; i++) {
        const uint8_t *at = block + 4 * i;
        schedule[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    }
    for (int i = 16; i < 80; i++)
        schedule[i] = rotate_left(schedule[i - 3] ^ schedule[i - 8] ^ schedule[i - 14] ^ schedule[i - 16], 1);

    static const uint32_t constants[4] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    uint32_t v[5];
    memcpy(v, state, sizeof v);
    for (int i = 0; i < 80; i++) {
        int quarter = i / 20;
        uint32_t mix = quarter == 0   ? v[3] ^ (v[1] & (v[2] ^ v[3]))
                       : quarter == 2 ? (v[1] & v[2]) ^ (v[1] & v[3]) ^ (v[2] & v[3])
                                      : v[1] ^ v[2] ^ v[3];
        uint32_t next = rotate_left(v[0], 5) + mix + v[4] + constants[quarter] + schedule[i];
        memmove(v + 1, v, 4 * sizeof v[0]);
        v[2] = rotate_left(v[2], 30);
        v[0] = next;
    }
    for (int i = 0; i < 5; i++) state[i] += v[i];
}

/* The text is a key and the GUID: under 120 bytes, so two blocks always hold it with its padding. */
static void digest(const uint8_t *text, size_t length, uint8_t out[20])
{
    uint8_t padded[128] = {0};
    size_t total = length + 9 <= 64 ? 64 : 128;
    memcpy(padded, text, length);
    padded[length] = 0x80;
    for (int i = 0; i < 8; i++) padded[total - 1 - (size_t)i] = (uint8_t)((uint64_t)length * 8 >> (8 * i));

    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    for (size_t at = 0; at < total; at += 64) digest_block(state, padded + at);
    for (int i = 0; i < 20; i++) out[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
}

void handshake_accept(const char *key, size_t key_length, char accept[ACCEPT_LENGTH + 1])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    uint8_t text[96], sum[21] = {0}; /* one byte of zero more: 21 divides by three */
    if (key_length > 60) key_length = 60;
    memcpy(text, key, key_length);
    memcpy(text + key_length, protocol_guid, sizeof protocol_guid - 1);
    digest(text, key_length + sizeof protocol_guid - 1, sum);

    char *out = accept;
    for (int i = 0; i < 21; i += 3) {
        uint32_t three = (uint32_t)sum[i] << 16 | (uint32_t)sum[i + 1] << 8 | sum[i + 2];
        for (int shift = 18; shift >= 0; shift -= 6) *out++ = alphabet[three >> shift & 63];
    }
    accept[ACCEPT_LENGTH - 1] = '='; /* 20 bytes leave one place empty */
    accept[ACCEPT_LENGTH] = 0;
}
