"""Paired runs with and without batch norm, what lies between them, and how it is reported."""
