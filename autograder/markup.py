"""HTML from students: cleaned, in a time and to a size that do not run away.

By the rules of HTML, formatting that was opened and not closed (``<b>``, ``<i>``, …) is opened
again in each paragraph that follows. A few kilobytes of that, which no person writes, take hours
and gigabytes, so they are refused before they are parsed.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import nh3

FORMATTING = re.compile(
    r"<(/?)(a|b|big|code|em|font|i|nobr|s|small|strike|strong|tt|u)(?![a-z0-9])", re.I
)
MAX_OPEN = 50  # of these, at one place


def clean(html: str, **options: Any) -> str | None:
    """The HTML without what is active, or None: no person wrote that.

    ``options``: as nh3.clean takes them.
    """
    is_open: Counter[str] = Counter()
    for match in FORMATTING.finditer(html):
        name = match[2].lower()
        # to close what is not open closes nothing
        is_open[name] = max(0, is_open[name] + (-1 if match[1] else 1))
        if is_open[name] > MAX_OPEN:
            return None
    return nh3.clean(html, **options)
