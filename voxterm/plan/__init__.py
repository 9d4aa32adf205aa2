"""The memory plan: what each model needs, what fits, in which precision, and what that gives up.

`plan_for` plans for this machine before anything loads; `preview` as if all checkpoints were here.
"""

from __future__ import annotations

from voxterm.plan.choice import Device, DeviceUse, Plan, make_plan
from voxterm.plan.here import (
    AUTO,
    EMBEDDED,
    PROFILES,
    Machine,
    Wishes,
    imagined_machine,
    plan_for,
    preview,
    this_machine,
)
from voxterm.plan.models import MODELS, Model, ModelNeed, Parts, need_of

__all__ = [
    "AUTO",
    "EMBEDDED",
    "MODELS",
    "PROFILES",
    "Device",
    "DeviceUse",
    "Machine",
    "Model",
    "ModelNeed",
    "Parts",
    "Plan",
    "Wishes",
    "imagined_machine",
    "make_plan",
    "need_of",
    "plan_for",
    "preview",
    "this_machine",
]
