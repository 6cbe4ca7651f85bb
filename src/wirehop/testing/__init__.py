"""Public tools for testing wirehop: time turned by hand, a virtual network, a pair of machines, a walker, suites."""
