"""Smart Turn: hears whether a person has finished."""
