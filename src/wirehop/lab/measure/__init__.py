"""Measuring: races over links, weights on the wire, trials by fault, what a browser can do. It ends in a `Profile`."""
