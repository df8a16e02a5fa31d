"""Products with a fixed weight that is laid out beforehand as the processor wants it.

`torch.nn.functional.linear` lays a weight out anew at every call, which for the few rows of a step of decoding takes as
long as the product. Two operators of torch that its compiler uses do that once. Where they are missing (another
processor, a GPU) the product is the ordinary one.
"""

from typing import Any
from weakref import WeakValueDictionary


class Product:
    """Multiplies rows (N, in) by a weight (out, in) without a bias."""

    def __init__(self, weight: Any, *, pack: bool = True) -> None:
        """Lay out a weight, which takes a copy of it, where that helps; else, and without `pack`, keep it as it is.

        What lies at the same place in memory is laid out once, for all products with it.
        """
        self._weight = weight
        self.packed = None
        if pack:
            place = weight.data_ptr(), weight.shape, weight.dtype
            same = _products.get(place)
            self.packed = _pack(weight) if same is None else same.packed
            _products.setdefault(place, self)

    def __call__(self, rows: Any) -> Any:
        """Return (N, out)."""
        import torch

        if self.packed is None:
            return torch.nn.functional.linear(rows, self._weight)
        return torch.ops.mkldnn._linear_pointwise(rows, self.packed, None, "none", [], "")


_products: WeakValueDictionary[tuple[Any, ...], Product] = WeakValueDictionary()  # each holds its weight, and the place
_TYPICAL_ROWS = 32  # a hint; any number may come


def _pack(weight: Any) -> Any:
    """Return a weight as oneDNN wants it; None where there is no such thing."""
    import torch

    if weight.device.type != "cpu" or not torch.backends.mkldnn.is_available():
        return None
    try:
        if weight.dtype == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
            return None
        packed = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), _TYPICAL_ROWS)
        rows = torch.ones(2, weight.shape[1], dtype=weight.dtype)
        torch.ops.mkldnn._linear_pointwise(rows, packed, None, "none", [], "")
    except (AttributeError, RuntimeError, NotImplementedError):
        return None
    return packed
