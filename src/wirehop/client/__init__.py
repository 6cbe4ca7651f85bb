"""The Python client: a pure machine, and thin wires around it. It does not know the server's code, only the
messages."""
