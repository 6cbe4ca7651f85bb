"""Audio, video and data between participants of a room: signaling, and what helps them to reach each other."""
