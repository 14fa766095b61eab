"""initwise: the right starting weights for any network."""
