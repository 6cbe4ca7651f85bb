"""Bytes ⇄ messages. Pure: no sockets, no sessions, no clock."""
