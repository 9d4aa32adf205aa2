"""The models: one file each behind the roles of `protocols`, reached by name through `registry`."""
