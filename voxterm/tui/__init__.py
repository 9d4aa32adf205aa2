"""The screen: what a conversation tells (`voxterm.events`) goes in, what a person asks for comes out.

Events are folded into a `ScreenModel` (pure), the model is handed down to the panes, and the panes only draw.
Nothing here knows an engine or a device; `controls.Controls` is all that the screen may do.
"""
