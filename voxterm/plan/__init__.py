"""The memory plan: what each model needs, what fits, in which precision, and what that gives up.

`plan_for` plans for this machine before anything loads; `preview` as if all checkpoints were here; `outlooks`
tells of every profile what would become of it.
"""

from __future__ import annotations

from voxterm.engines.registry import AUTO
from voxterm.plan.choice import LADDER, Device, DeviceUse, Plan, make_plan
from voxterm.plan.here import EMBEDDED, Machine, imagined_machine, this_machine
from voxterm.plan.profiles import (
    Outlook,
    State,
    auto_plan,
    outlooks,
    plan_for,
    playing,
    preview,
    taken,
    unloadable,
)
from voxterm.plan.wishes import PlannedModel, Wishes, models_of

__all__ = [
    "AUTO",
    "EMBEDDED",
    "LADDER",
    "Device",
    "DeviceUse",
    "Machine",
    "Outlook",
    "Plan",
    "PlannedModel",
    "State",
    "Wishes",
    "auto_plan",
    "imagined_machine",
    "make_plan",
    "models_of",
    "outlooks",
    "plan_for",
    "playing",
    "preview",
    "taken",
    "this_machine",
    "unloadable",
]
