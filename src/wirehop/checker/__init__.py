"""What `wirehop check` does: it drives clients of a server through faults and says what was lost, doubled or invented.

`adapter` is how it speaks to a server (its own, or another project's), `proxy` and `faults` are what stands in the way,
`schedule` when, `history` and `verdict` (both pure) what was seen and what is wrong with it, `run` plays it all. It
knows servers by their URL only.
"""
