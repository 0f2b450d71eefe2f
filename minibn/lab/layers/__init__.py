"""Layers for experiments, on the tape only: ghost and noisy batch norm, layer norm."""
