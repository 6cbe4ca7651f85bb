"""Where requests and WebSockets come from: each host provides `Exchange`, `Stream` and `Duplex`."""
