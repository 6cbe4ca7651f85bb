"""The pure half of `rtc`: no socket, no clock, no random number."""
