"""Why it does not work, by name: what `wirehop doctor` finds on this machine, and through a proxy in front of a server.

Each examination gives `Finding`s: what was looked at, how it stands, what was seen, and what to change. It knows the
settings, the system and the client's wires; it does not know how findings are shown. `machine` looks at this machine,
`visit` at a server by its URL.
"""
