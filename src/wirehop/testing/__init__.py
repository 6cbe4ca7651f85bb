"""Public instruments for testing wirehop: hand-turned clock, virtual network, walker, and the broker and wire suites."""
