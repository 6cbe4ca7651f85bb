"""Ready to copy: settings, a server and a page for an answer."""

from wirehop.advisor.answer import Advice


def settings_of(advice: Advice) -> str:
    return ""


def server_of(advice: Advice) -> str:
    return ""


def page_of(advice: Advice) -> str:
    return ""
