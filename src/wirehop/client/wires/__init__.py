"""The kinds of wire that a client can use. Each is one file; none knows the others, and the machine knows none of
them.
"""
