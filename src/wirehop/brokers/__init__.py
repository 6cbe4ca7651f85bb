"""Carriers between processes, chosen by URL. Each is one file, and strangers to transports."""
