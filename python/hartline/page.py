"""The page inside a notebook."""

from __future__ import annotations

import html

__all__ = ["frame"]


def frame(page: str, height: int = 640) -> str:
    """A whole page as a frame: it draws itself and reaches nothing outside.

    >>> import hartline.page
    >>> hartline.page.frame("<p>hello</p>").startswith("<iframe srcdoc=")
    True
    """
    return (
        f'<iframe srcdoc="{html.escape(page)}" sandbox="allow-scripts allow-downloads" title="Hartline" '
        f'style="width:100%;height:{height}px;border:0"></iframe>'
    )
