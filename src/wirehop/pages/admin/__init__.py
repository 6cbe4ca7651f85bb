"""The admin page's server side: signing in, and what the page asks about sessions, channels and the node."""

from wirehop.pages.admin.admin import PAGE_HEADERS, Admin, is_of_admin

__all__ = ["PAGE_HEADERS", "Admin", "is_of_admin"]
