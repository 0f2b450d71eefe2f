"""A grid of paired trainings: on any executor, kept as they come, read together."""
