"""What to change, in lines for the two proxies that most people have. Whole files are in deploy/ and docs/proxies.md.

Texts only; which one fits is decided where something is found.
"""

from typing import Final

UPGRADE: Final = (
    "nginx: proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
    "proxy_set_header Connection $connection_upgrade; (with the map of docs/proxies.md). "
    "HAProxy passes upgrades by itself, in mode http"
)
HTTP_1_1: Final = (
    "nginx: proxy_http_version 1.1; (1.0 is its default). HAProxy: no http-server-close tricks; it speaks 1.1"
)
KEEP_ALIVE_UPSTREAM: Final = (
    'nginx: keepalive 64; in the upstream, proxy_http_version 1.1; and a Connection header of "" where nothing is '
    "upgraded. HAProxy: option http-keep-alive"
)
BUFFERED: Final = (
    "nginx: proxy_buffering off; and no proxy_ignore_headers X-Accel-Buffering. HAProxy: no filter that needs whole "
    "bodies. A CDN: exclude /connection/ and /channels/ from its optimizations"
)
DELAYED: Final = "HAProxy: option http-no-delay. nginx: tcp_nodelay on;"
COMPRESSED: Final = (
    "nginx: no text/event-stream in gzip_types (nor gzip_types *). HAProxy: no text/event-stream in compression type. "
    "A compressor holds events back until its block is full"
)
IDLE: Final = (
    "nginx: proxy_read_timeout {need}s; proxy_send_timeout {need}s;. "
    "HAProxy: timeout client {need}s, timeout server {need}s, timeout tunnel 1h. Or a shorter heartbeat.interval"
)
IDLE_POLL: Final = "nginx: proxy_read_timeout {need}s;. HAProxy: timeout server {need}s. Or a shorter limits.poll_wait"
PREFIX: Final = (
    "take the prefix away on the way. nginx: location {base}/ {{ proxy_pass http://127.0.0.1:8000/; }} (the slash at "
    "the end does it). HAProxy: http-request replace-path {base}(/.*)? \\1"
)
HTTP_2: Final = (
    "nginx: listen 443 ssl http2;. HAProxy: bind … ssl crt … alpn h2,http/1.1. Over HTTP/1.1 a browser opens six "
    "streams to one address in all its tabs, and the seventh waits"
)
NO_TLS: Final = "let the proxy speak TLS: pages on https may open no plain connections, and HTTP/2 needs it"
FORWARDED: Final = (
    "nginx: proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme;. "
    "HAProxy: option forwardfor, http-request set-header X-Forwarded-Proto https if { ssl_fc }"
)
TRUST: Final = "server.trusted_proxies = the proxy's address, such as 127.0.0.1/32; what others claim stays unheard"
HOST: Final = "nginx: proxy_set_header Host $http_host;. HAProxy passes it on by itself"
ORIGIN: Final = "add it to origins.allowed"
RENEW: Final = "renew the certificate, and reload the proxy"
TRUSTED_BY_BROWSERS: Final = (
    "use a certificate for this name from an authority that browsers know, with its whole chain"
)
BACK_END: Final = "start the server, and let the proxy pass to its address (nginx: proxy_pass, HAProxy: server)"
CORS_TWICE: Final = "the server sends CORS headers itself: take add_header Access-Control-… out of the proxy"
CLOCK: Final = "keep both clocks by NTP: tokens expire by the server's"
