"""A small writer of TensorFlow V2 checkpoints, so that reading them is tested without TensorFlow and without its files.

Writes what TensorFlow writes (prefix-compressed keys, blocks, checksums, several data files) and, on request, what it
could write (Snappy) and what must be refused (big-endian, foreign types, wrong sizes).
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from mendpix.weights.convert.crc32c import crc32c, masked

PLAIN, SNAPPY = 0, 1
MAGIC = 0xDB4775248B80FB57
NUMBERS = {"float32": 1, "float64": 2, "int32": 3, "uint8": 4, "int64": 9, "float16": 19}


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def message(*fields: tuple[int, int | bytes]) -> bytes:
    """Write a protocol-buffer message of varints and bytes; the checksum, field 6, is a fixed 32-bit number."""
    out = b""
    for number, value in fields:
        if isinstance(value, bytes):
            out += varint(number << 3 | 2) + varint(len(value)) + value
        elif number == 6:
            out += varint(number << 3 | 5) + value.to_bytes(4, "little")
        else:
            out += varint(number << 3) + varint(value)
    return out


def header(shards: int = 1, *, big_endian: bool = False, min_consumer: int = 0) -> bytes:
    """Write the value of the empty key; proto3 leaves zeros out."""
    version = message((1, 1), *([(2, min_consumer)] if min_consumer else []))
    return message((1, shards), *([(2, 1)] if big_endian else []), (3, version))


def entry(array: np.ndarray, shard: int, offset: int) -> bytes:
    """Write the value of a variable's key."""
    content = array.tobytes()
    shape = b"".join(message((2, message((1, size)) if size else b"")) for size in array.shape)
    places = [(number, value) for number, value in ((3, shard), (4, offset), (5, len(content))) if value]
    return message((1, NUMBERS[array.dtype.name]), (2, shape), *places, (6, masked(crc32c(content))))


def block(entries: Sequence[tuple[bytes, bytes]], restart_every: int = 16) -> bytes:
    """Write entries with prefix compression, and the restarts."""
    out, restarts, last = b"", [], b""
    for index, (key, value) in enumerate(entries):
        shared = 0
        if index % restart_every == 0:
            restarts.append(len(out))
        else:
            while shared < min(len(key), len(last)) and key[shared] == last[shared]:
                shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        last = key
    restarts = restarts or [0]
    return out + b"".join(place.to_bytes(4, "little") for place in [*restarts, len(restarts)])


def table(entries: Mapping[bytes, bytes], block_bytes: int = 512, snappy: bool = False) -> bytes:
    """Write a table file."""
    out = b""

    def append(content: bytes) -> bytes:
        nonlocal out
        packed = pack(content) if snappy else content
        handle = varint(len(out)) + varint(len(packed))
        stored = packed + bytes([SNAPPY if snappy else PLAIN])
        out += stored + masked(crc32c(stored)).to_bytes(4, "little")
        return handle

    index = [(group[-1][0], append(block(group))) for group in _grouped(sorted(entries.items()), block_bytes)]
    handles = append(block([])) + append(block(index, 1))
    return out + handles.ljust(40, b"\0") + MAGIC.to_bytes(8, "little")


def _grouped(entries: list[tuple[bytes, bytes]], block_bytes: int) -> Iterator[list[tuple[bytes, bytes]]]:
    group: list[tuple[bytes, bytes]] = []
    for key, value in entries:
        group.append((key, value))
        if sum(len(k) + len(v) for k, v in group) >= block_bytes:
            yield group
            group = []
    if group:
        yield group


def pack(content: bytes) -> bytes:
    """Pack by Snappy, greedily; long literals and copies of both common widths occur."""
    out, place, start, seen = bytearray(varint(len(content))), 0, 0, dict[bytes, int]()

    def literal(end: int) -> None:
        count = end - start - 1
        if count >= 0:
            out.extend(bytes([count << 2]) if count < 60 else bytes([61 << 2]) + count.to_bytes(2, "little"))
            out.extend(content[start:end])

    while place < len(content):
        quad = content[place : place + 4]
        match, seen[quad] = seen.get(quad), place
        if match is None or len(quad) < 4:
            place += 1
            continue
        count = 4
        while count < 64 and place + count < len(content) and content[match + count] == content[place + count]:
            count += 1
        literal(place)
        back = place - match
        if count < 12 and back < 2048:
            out += bytes([back >> 8 << 5 | (count - 4) << 2 | 1, back & 0xFF])
        else:
            out += bytes([(count - 1) << 2 | 2]) + back.to_bytes(2, "little")
        place = start = place + count
    literal(len(content))
    return bytes(out)


def write_checkpoint(
    folder: Path,
    variables: Mapping[str, np.ndarray],
    *,
    name: str = "log-99",
    shards: int = 1,
    block_bytes: int = 512,
    snappy: bool = False,
    first: bytes | None = None,
    replaced: Mapping[bytes, bytes] | None = None,
) -> Path:
    """Write a checkpoint; return its path without endings.

    Args:
        folder: Where.
        variables: Name to values.
        name: The checkpoint's name.
        shards: Data files; variables go to them in turn.
        block_bytes: About how large a block of the index gets.
        snappy: Pack the blocks.
        first: A header of its own.
        replaced: Lines of the index to put in, or in the place of others.
    """
    files = [bytearray() for _ in range(shards)]
    lines = {b"": header(shards) if first is None else first}
    for number, key in enumerate(sorted(variables)):
        array = np.asarray(variables[key], order="C")
        file = files[number % shards]
        lines[key.encode()] = entry(array, number % shards, len(file))
        file += array.tobytes()
    (folder / f"{name}.index").write_bytes(table(lines | dict(replaced or {}), block_bytes, snappy))
    for number, file in enumerate(files):
        (folder / f"{name}.data-{number:05d}-of-{shards:05d}").write_bytes(file)
    (folder / "checkpoint").write_text(
        f'model_checkpoint_path: "/home/somebody/{name}"\nall_model_checkpoint_paths: "/home/somebody/{name}"\n'
    )
    return folder / name


def gdn_shapes(base: int, blocks: int, detector_base: int | None = None) -> dict[str, tuple[int, ...]]:
    """List the variables of the published program, in TensorFlow's layout, for given sizes."""
    two, four = 2 * base, 4 * base
    scope = "inpaint_generator"
    kernels = {
        "encoder_1/conv/conv2d/kernel": (7, 7, 4, base),
        "encoder_downsample_2/conv_1/conv2d/kernel": (4, 4, base, two),
        "encoder_downsample_3/conv_1/conv2d/kernel": (4, 4, two, four),
        "decoder_upsample_1/deconv/conv2d_transpose/kernel": (4, 4, two, four),
        "decoder_upsample_2/deconv/conv2d_transpose/kernel": (4, 4, base, two),
        "decoder3/conv/conv2d/kernel": (7, 7, base, 3),
    }
    norms = {
        "encoder_1/ins_norm": base,
        "encoder_downsample_2/ins_norm_1": two,
        "encoder_downsample_3/ins_norm_1": four,
        "decoder_upsample_1/ins_norm_1": two,
        "decoder_upsample_2/ins_norm_1": base,
    }
    for number in range(1, blocks + 1):
        for half in ("res1", "res2"):
            kernels[f"resblock_{number}/{half}/conv/conv2d/kernel"] = (3, 3, four, four)
            norms[f"resblock_{number}/{half}/ins_norm"] = four
    shapes = {f"{scope}/{name}": shape for name, shape in kernels.items()}
    for name, width in norms.items():
        shapes |= {f"{scope}/{name}/beta": (width,), f"{scope}/{name}/gamma": (width,)}
    if detector_base is not None:
        width = detector_base
        layers = {
            "conv1": (4, 4, 3, width),
            "conv2": (4, 4, width, 2 * width),
            "conv3": (4, 4, 2 * width, 4 * width),
            "conv4": (4, 4, 4 * width, 8 * width),
            "conv5": (4, 4, 8 * width, 8 * width),
            "deconv_1/conv2d_transpose": (4, 4, 4 * width, 8 * width),
            "deconv_2/conv2d_transpose": (4, 4, 2, 4 * width),
        }
        for layer, shape in layers.items():
            shapes[f"inpaint_discriminator/{layer}/kernel"] = shape
            shapes[f"inpaint_discriminator/{layer}/bias"] = (shape[2] if "deconv" in layer else shape[3],)
    return shapes


def gdn_variables(
    base: int = 2, blocks: int = 2, detector_base: int | None = 2, seed: int = 0
) -> dict[str, np.ndarray]:
    """Make values for every variable of a GDN."""
    rng = np.random.default_rng(seed)
    return {
        name: (rng.standard_normal(shape) * 0.1).astype(np.float32)
        for name, shape in gdn_shapes(base, blocks, detector_base).items()
    }


def with_optimiser(variables: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Add what the published program's two Adams leave in a checkpoint, and a step counter."""
    made = dict(variables)
    for name, values in variables.items():
        made |= {f"{name}/Adam": np.zeros_like(values), f"{name}/Adam_1": np.abs(values)}
    for name in ("beta1_power", "beta2_power", "beta1_power_1", "beta2_power_1"):
        made[name] = np.array(0.9, np.float32)
    return made | {"global_step": np.array(99, np.int64)}
