"""The rules, by theme. A new one is a function in one of these files; importing it registers it."""

from minibn.lab.doctor.rules import batches, health, imbalance, leakage, overfitting, skew, training

__all__ = ["batches", "health", "imbalance", "leakage", "overfitting", "skew", "training"]
