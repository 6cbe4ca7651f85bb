/* The one computation a WebSocket handshake asks for (RFC 6455, section 4.2.2). */
#ifndef HANDSHAKE_H
#define HANDSHAKE_H
#include <stddef.h>

enum { ACCEPT_LENGTH = 28 };

/* Writes the Sec-WebSocket-Accept value of `key` (at most 60 characters), 28 characters and a zero. */
void handshake_accept(const char *key, size_t key_length, char accept[ACCEPT_LENGTH + 1]);

#endif
