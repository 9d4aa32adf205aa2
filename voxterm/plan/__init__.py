"""The memory plan: what each model needs, what fits, in which precision, and what that gives up.

`plan_for` plans for this machine before anything loads; `preview` as if all checkpoints were here.
"""

from __future__ import annotations

from voxterm.plan.choice import Device, DeviceUse, Plan, make_plan
from voxterm.plan.here import (
    AUTO,
    EMBEDDED,
    Machine,
    Wishes,
    candidates,
    embedded_roles,
    imagined_machine,
    plan_for,
    plan_of,
    preview,
    this_machine,
)

__all__ = [
    "AUTO",
    "EMBEDDED",
    "Device",
    "DeviceUse",
    "Machine",
    "Plan",
    "Wishes",
    "candidates",
    "embedded_roles",
    "imagined_machine",
    "make_plan",
    "plan_for",
    "plan_of",
    "preview",
    "this_machine",
]
