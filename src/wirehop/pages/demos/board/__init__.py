"""The board: pipelines of real commands, their state and their logs; and what `wirehop run` announces."""

from wirehop.pages.demos.board.demo import BOARD

__all__ = ["BOARD"]
