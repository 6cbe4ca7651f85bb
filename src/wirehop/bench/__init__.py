"""`wirehop bench`: what this machine can do, measured against a C program where there is a compiler.

`run` drives three kinds of child processes: a server (`server`), the floor (a C program, `floor`), and a load
generator (`load`); `report` makes text, JSON and a page of what came out.
"""
