"""Voxtral Mini: hears and answers."""
