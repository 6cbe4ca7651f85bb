"""The machines and their values. No I/O, no clock, no random numbers, no bytes of any wire."""
