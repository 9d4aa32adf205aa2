"""What `voxterm doctor` looks at: all that voxterm needs, what is not right, and the command that mends it.

Each check is a function of what it is given (`facts.Facts`, settings, a plan) and yields findings.
`examination.examine` runs them one after the other, each with a limit: one that raises or hangs becomes a
finding itself. `packages` needs nothing but `packaging`, so it can look where the other packages are missing.
"""
