"""A scheme, an activation, a recipe and a layout for initwise, each one file."""
