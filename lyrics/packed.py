"""Products with a fixed weight that is laid out beforehand as the processor wants it.

`torch.nn.functional.linear` lays a weight out anew at every call, which for the few rows of a step of decoding takes as
long as the product. Two operators of torch that its compiler uses do that once. Where they are missing (another
processor, a GPU) the product is the ordinary one.
"""

from functools import cache
from typing import Any
from weakref import WeakValueDictionary


class Product:
    """Multiplies rows (N, in) by a weight (out, in) without a bias."""

    def __init__(self, weight: Any, *, pack: bool = True, keep: bool = True) -> None:
        """Lay out a weight, which takes a copy of it, where that helps; else, and without `pack`, keep it as it is.

        What lies at the same place in memory is laid out once, for all products with it. Without `keep` the weight is
        nobody else's, and let go when it is laid out.
        """
        self._weight = weight
        self.packed = None
        if pack and not keep:
            self.packed = _pack(weight)
            if self.packed is not None:
                self._weight = None
        elif pack:
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

    if weight.device.type != "cpu" or not _can_pack(weight.dtype):
        return None
    try:
        return torch.ops.mkldnn._reorder_linear_weight(weight.detach(), _TYPICAL_ROWS)
    except RuntimeError:
        return None


@cache
def _can_pack(dtype: Any) -> bool:
    """Whether torch multiplies with packed weights of a type on this processor."""
    import torch

    if not torch.backends.mkldnn.is_available():
        return False
    try:
        if dtype == torch.bfloat16 and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
            return False
        packed = torch.ops.mkldnn._reorder_linear_weight(torch.ones(16, 32, dtype=dtype), _TYPICAL_ROWS)
        torch.ops.mkldnn._linear_pointwise(torch.ones(2, 32, dtype=dtype), packed, None, "none", [], "")
    except (AttributeError, RuntimeError, NotImplementedError):
        return False
    return True
