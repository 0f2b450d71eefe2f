"""The suite ``cuda``: right first, then ratios against PyTorch and a copy on the same GPU. Not yet run on one."""
