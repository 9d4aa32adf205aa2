"""Checkpoints of the published models without their weights: config and tokenizer, a few megabytes.

An engine that loads one draws random weights on its device. Speed does not depend on the values, so a machine
with no way to the hub can be measured all the same.
"""
