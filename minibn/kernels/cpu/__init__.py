"""The kernels for the CPU: plain functions on arrays that write into arrays of the caller."""
