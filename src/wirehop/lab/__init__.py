"""The lab: the same messages over every wire through links that impair, measured; and tables made of the figures."""
