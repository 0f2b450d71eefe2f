"""PyTorch tensors as arrays, and the other way round."""

import numpy as np

from minibn.errors import ConversionError, require_extra


def array_of(name, tensor):
    """Return the values of a tensor, or of an array, as an array of its own.

    Parameters
    ----------
    name : str
        For messages.
    tensor : torch.Tensor or array_like
        On any device, with or without a gradient; bfloat16, which NumPy lacks, becomes float32.

    Raises
    ------
    ConversionError
        When it does not hold plain real numbers.
    """
    if hasattr(tensor, "detach"):
        torch = require_extra("torch", "torch")
        tensor = tensor.detach()
        if tensor.is_meta:
            raise ConversionError(f"{name} is on the device 'meta' and has no values; load them first")
        if tensor.layout != torch.strided or tensor.is_quantized:
            raise ConversionError(f"{name} is not a plain tensor of numbers; call dequantize() or to_dense()")
        tensor = tensor.cpu()
        tensor = (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    array = np.array(tensor)
    if array.dtype.kind not in "iuf":
        raise ConversionError(f"{name} must hold real numbers, got {array.dtype}; convert it to float32")
    return array
