"""What was measured: a profile of figures by name, that the lab writes and that tables and advice are made of."""

from wirehop.measured.profile import TECHNIQUES, Figure, Profile, load_profile

__all__ = ["TECHNIQUES", "Figure", "Profile", "load_profile"]
