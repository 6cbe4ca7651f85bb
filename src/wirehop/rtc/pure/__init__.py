"""The parts of `rtc` that do no I/O: machines and their nouns."""
