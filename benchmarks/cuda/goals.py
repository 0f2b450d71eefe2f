"""What the suite is to reach on an H200 in float32, and where a row of its report comes from."""

from benchmarks.goals import Goal, _one

BIG, IN_L2 = "65536x1024", "8192x1024"
FORWARD, BACKWARD, FUSED = "batch_norm_forward", "batch_norm_backward", "batch_norm_relu_forward"
HEADLINE, PRODUCT = "headline epoch, one kernel", "dense_forward_tiled"
_SUITE, _SHARE = "cuda", "of the speed of the floor"


def _at(name, against, shape):
    return _one(name, against, shape=(shape,))


GOALS = (
    Goal(_SUITE, f"batch-norm forward {BIG}", "floor", 0.85, _at(FORWARD, "floor", BIG), unit=_SHARE),
    Goal(_SUITE, f"batch-norm forward {BIG}", "torch", 1.0, _at(FORWARD, "torch", BIG)),
    Goal(_SUITE, f"batch-norm backward {BIG}", "floor", 0.85, _at(BACKWARD, "floor", BIG), unit=_SHARE),
    Goal(_SUITE, f"batch-norm backward {BIG}", "torch", 1.0, _at(BACKWARD, "torch", BIG)),
    Goal(_SUITE, f"batch-norm forward {IN_L2}", "torch", 1.5, _at(FORWARD, "torch", IN_L2)),
    Goal(_SUITE, f"batch-norm backward {IN_L2}", "torch", 1.5, _at(BACKWARD, "torch", IN_L2)),
    Goal(_SUITE, f"batch norm + ReLU fused {BIG}", "torch", 1.7, _at(FUSED, "torch", BIG)),
    Goal(_SUITE, HEADLINE, "torch", 10.0, _one(HEADLINE, "torch")),
    Goal(_SUITE, "dense 4096x4096x4096, own kernels", "torch", 0.6, _one(PRODUCT, "torch"), unit="of the speed of cuBLAS"),
)  # fmt: skip


def rows(details):
    """Return a row per goal, in this order."""
    return [goal.row(details) for goal in GOALS]
