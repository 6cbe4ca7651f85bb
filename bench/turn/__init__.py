"""TURN under load."""
