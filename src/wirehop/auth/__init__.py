"""Who may do what: policies of namespaces, origins of pages. Strangers to transports and brokers."""
