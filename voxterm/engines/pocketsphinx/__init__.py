"""PocketSphinx: recognition of US English with no GPU and no download."""
