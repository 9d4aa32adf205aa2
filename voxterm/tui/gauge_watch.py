"""Looks at the gauges about once a second, on a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NoReturn

from voxterm.errors import as_error
from voxterm.gauges import Gauges

INTERVAL_S = 1.0


async def watch_gauges(
    read: Callable[[], Gauges], show: Callable[[Gauges], None], note: Callable[[str], None]
) -> NoReturn:
    """Until it is cancelled. A failure, a driver's for instance, is noted once and tried again."""
    noted = False
    while True:
        try:
            gauges = await asyncio.to_thread(read)
        except Exception as error:
            if not noted:
                note(f"the gauges cannot be read: {as_error(error)}")
            noted = True
        else:
            show(gauges)
        await asyncio.sleep(INTERVAL_S)
