"""Orpheus: a language model whose words are audio tokens, and the codec that makes sound of them."""
