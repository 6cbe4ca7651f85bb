"""The demos that are more than a page: each is a module with its namespaces, its server side and its bots."""

from wirehop.pages.demos.ai import AI
from wirehop.pages.demos.board import BOARD
from wirehop.pages.demos.demo import Demo
from wirehop.pages.demos.market import MARKET
from wirehop.pages.demos.notifications import NOTIFICATIONS

DEMOS: tuple[Demo, ...] = (
    AI,
    BOARD,
    MARKET,
    NOTIFICATIONS,
)
"""In the order of the gallery."""
