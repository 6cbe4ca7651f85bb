"""XOR with a four-byte mask (RFC 6455 section 5.3): in C where `websockets` brings it, else a big integer."""

from collections.abc import Callable

Mask = Callable[[bytes, bytes], bytes]


def xor_mask(data: bytes, mask: bytes) -> bytes:
    """`data` masked or unmasked with `mask`, without compiled code."""
    size = len(data)
    repeated = mask * (size // 4) + mask[: size % 4]
    return (int.from_bytes(data, "little") ^ int.from_bytes(repeated, "little")).to_bytes(size, "little")


def _fastest() -> Mask:
    try:
        from websockets.speedups import apply_mask
    except ImportError:
        return xor_mask
    return apply_mask


apply_mask: Mask = _fastest()
