"""Public instruments for testing wirehop: hand-turned clock, virtual network, walker, broker suite, wires."""
