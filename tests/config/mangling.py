# ruff: noqa: E501, SIM905
"""Experiments that are wrong in every way that a hand, an editor, a shell or a disk makes them wrong.

`make_case(seed, number)` is a pure function: any case can be made again without those before it.
`make_world` makes the data that the experiments read.
"""

from __future__ import annotations

import copy
import functools
import gzip
import random
import struct
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import tomli_w
from pydantic import BaseModel

EXPERIMENT = "experiment.toml"

GAN = """
title = "Faces"
seed = 3
[image]
size = 16
channels = 3
fit = "crop"
[dataset]
name = "faces"
count = 60
holdout = 0.2
[latent]
dim = 4
distribution = "uniform"
[generator]
name = "dcgan"
width = 2
upsampling = "nearest"
[discriminator]
name = "dcgan"
width = 2
normalisation = "spectral"
[[losses]]
name = "non-saturating"
[[losses]]
name = "r1"
label = "penalty"
weight = 0.5
every = 4
[optimizer.generator]
name = "adamw"
learning_rate = 2e-4
betas = [0.5, 0.999]
schedule = "cosine"
[optimizer.discriminator]
name = "sgd"
momentum = 0.5
[training]
steps = 3
batch_size = 8
microbatch_size = 4
[ema]
half_life_images = 100
[[evaluators]]
name = "mmd"
samples = 8
[[evaluators]]
name = "frechet"
label = "coarse"
samples = 8
every = 2
features = { name = "pixels", size = 4 }
[samples]
count = 4
[checkpoint]
every = 2
best = "coarse"
[health]
patience = 2
[[trackers]]
name = "tensorboard"
"""

TOY = """
title = "Gaussians"
[dataset]
name = "gaussians"
count = 100
modes = 4
[latent]
dim = 2
[generator]
name = "mlp"
width = 8
[discriminator]
name = "mlp"
width = 8
layers = 1
[[losses]]
name = "wasserstein"
[[losses]]
name = "gradient-penalty"
weight = 10
[training]
steps = 2
batch_size = 8
discriminator_steps = 2
[[evaluators]]
name = "modes"
samples = 20
[[evaluators]]
name = "classifier-test"
samples = 20
"""

VAE = """
title = "VAE"
[image]
height = 16
width = 24
[dataset]
name = "image-folder"
root = "../pictures"
mirror = true
[latent]
dim = 3
[generator]
name = "dcgan"
width = 2
[encoder]
name = "dcgan"
width = 2
[[losses]]
name = "elbo"
beta = 2.0
[optimizer.generator]
name = "rmsprop"
clip_gradient_norm = 1.0
warmup_steps = 2
[training]
steps = 2
batch_size = 6
precision = "fp32"
[[evaluators]]
name = "memorisation"
samples = 8
features = "random-conv"
"""

GMMN = """
title = "GMMN"
[dataset]
name = "mnist"
root = "../mnist"
[generator]
name = "mlp"
width = 8
normalisation = "batch"
[[losses]]
name = "mmd"
bandwidths = [0.5, 1.0]
scales = [1, 2]
[training]
steps = 2
batch_size = 8
[[evaluators]]
name = "precision-recall"
k = 2
samples = 10
[checkpoint]
best = "precision-recall.recall"
"""

CONDITIONAL = """
title = "Digits"
plugins = ["../plugin.py"]
[dataset]
name = "mnist"
root = "../mnist"
labels = true
subset = "train"
[generator]
name = "dcgan"
width = 2
[discriminator]
name = "small"
depth = 2
[[losses]]
name = "hinge"
[training]
steps = 2
batch_size = 8
reuse_fakes = false
joint_batch = true
[[evaluators]]
name = "tree-test"
depth = 2
samples = 10
[[evaluators]]
name = "inception-score"
samples = 10
[evaluators.features]
name = "classifier"
weights = "weights.safetensors"
"""

RESOLVED = """
title = "Resolved"
seed = 1
plugins = []
[image]
height = 16
width = 16
channels = 1
fit = "pad"
resample = "box"
[dataset]
name = "faces"
count = 40
labels = "hair"
[generator]
name = "dcgan"
width = 2
widest = 2
[discriminator]
name = "dcgan"
width = 2
[[losses]]
name = "least-squares"
label = "least-squares"
[training]
steps = 2
batch_size = 8
[[evaluators]]
name = "diversity"
samples = 10
[provenance]
ganlab = "0.0.1"
[[provenance.components]]
path = "dataset"
component = "ganlab/faces"
plugin = "ganlab:faces"
version = "0.0.1"
[[provenance.files]]
name = "gone.py"
sha256 = "00"
"""

BASES = {
    "gan": GAN,
    "toy": TOY,
    "vae": VAE,
    "gmmn": GMMN,
    "conditional": CONDITIONAL,
    "resolved": RESOLVED,
}
"""Experiments without fault, but for the weights that `conditional` lacks."""

PLUGIN = '''
"""A small discriminator with options of many types."""

from pathlib import Path
from typing import Literal

from ganlab import DiscriminatorComponent, Options, hookimpl


class SmallOptions(Options):
    depth: int
    table: Path = Path("table")
    words: list[str] = []
    range: tuple[float, float] = (0.0, 1.0)
    factors: dict[str, float] = {}
    mode: Literal["a", "b"] | int | None = None


def build(options, image):
    from torch import nn

    return nn.Sequential(nn.Flatten(), nn.Linear(image.channels * image.height * image.width, 1))


@hookimpl
def ganlab_discriminators():
    yield DiscriminatorComponent(name="small", summary="One layer.", options=SmallOptions, build=build)
'''


@dataclass(frozen=True)
class Case:
    """One experiment.

    Attributes:
        kind: what was done to it.
        files: name -> content, in the working directory; the experiment is `EXPERIMENT`.
        arguments: of `ganlab validate`.
    """

    kind: str
    files: dict[str, bytes]
    arguments: tuple[str, ...] = (EXPERIMENT,)

    @property
    def size(self) -> int:
        """Bytes and characters, all together."""
        return sum(map(len, (*self.files.values(), *self.arguments)))


class Raw(str):
    """A value as it stands in the text, for what no writer of TOML would write."""


def make_world(directory: Path) -> None:
    """Make digits, pictures in class folders and a plugin, for experiments in a folder beside them."""
    from PIL import Image

    draw = random.Random(0)
    (directory / "plugin.py").write_text(PLUGIN)
    digits = directory / "mnist"
    digits.mkdir()
    for part, count in (("train", 30), ("t10k", 10)):
        pixels = struct.pack(">IIII", 0x803, count, 28, 28) + draw.randbytes(count * 28 * 28)
        (digits / f"{part}-images-idx3-ubyte").write_bytes(pixels)
        labels = struct.pack(">II", 0x801, count) + bytes(index % 10 for index in range(count))
        (digits / f"{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(labels))
    for name in ("cats", "dogs"):
        folder = directory / "pictures" / name
        folder.mkdir(parents=True)
        for index in range(8):
            Image.frombytes("RGB", (20, 18), draw.randbytes(20 * 18 * 3)).save(folder / f"{index}.png")


def make_case(seed: int, number: int) -> Case:
    """Return a case, the same for the same arguments."""
    draw = random.Random(f"{seed}/{number}")
    kinds, shares = zip(*_KINDS.items(), strict=True)
    kind = draw.choices(kinds, [share for _, share in shares])[0]
    case = _KINDS[kind][0](draw)
    return Case(kind, case.files, case.arguments)


def _base(draw: random.Random) -> dict[str, Any]:
    return tomllib.loads(draw.choice(list(BASES.values())))


def _written(document: dict[str, Any], *arguments: str) -> Case:
    return Case("", {EXPERIMENT: _toml(document)}, (EXPERIMENT, *arguments))


def _toml(document: Any) -> bytes:
    """Return TOML; raw values go into it unread, and what UTF-8 cannot say, in its manner."""
    raw: list[str] = []

    def marked(value: Any) -> Any:
        if isinstance(value, Raw):
            raw.append(str(value))
            return f"@raw{len(raw) - 1}@"
        if isinstance(value, dict):
            return {key: marked(inner) for key, inner in value.items()}
        return [marked(inner) for inner in value] if isinstance(value, list) else value

    text = tomli_w.dumps(marked(document))
    for index, value in enumerate(raw):
        text = text.replace(f'"@raw{index}@"', value)
    return text.encode("utf-8", "surrogatepass")


# What values there are.

_WORDS = """
none batch instance layer spectral transposed nearest ring grid smile hair cosine linear sphere uniform pad
stretch bf16 fp32 auto cpu cuda cuda:99 mps rational-quadratic energy polynomial block biased all test
features probabilities optimal adam sgd rmsprop skip fail leaky-relu gelu coarse mmd coarse.frechet
mmd.p-value ganlab/mmd ganlab:mmd/mmd / ../pictures ../mnist ../plugin.py . .. ~ ~nobody-at-all/x /dev/null
/proc/self/mem /etc/passwd tensorboard 1 1.0 true nan
""".split()

_TEXTS = [
    "", " ", "\n", "\0", "a\0b", "\t", "é", "名前", "🙂" * 3, "\u202eabc", "\x1b[31mred", "\x7f", "\x85", "a.b", "a b", '"',
    "'", "\\", "%s %d {} {0}", "[red]x[/red]", "a" * 300, "x" * 5000, "名" * 3000, "a/" * 3000, "\ud800", "-", "--help",
]  # fmt: skip

_NUMBERS: list[Any] = [
    -(10**30), -(2**63), -1, 0, 1, 2, 3, 4, 7, 8, 17, 100, 2**31 - 1, 2**31, 2**32, 2**53 + 1, 2**63 - 1, 2**63,
    10**12, 10**30, 10**400, -0.0, 0.0, 0.3, 0.5, 1.0, 1.5, -1.5, 1e-320, 1e-30, 1e30, 1e308, -1e308, 2.5e18,
    float("inf"), float("-inf"), float("nan"),
]  # fmt: skip

_DATES: list[Any] = [
    date(2020, 1, 1), time(7, 32, 0, 999999), datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59),
    datetime(2020, 1, 1, tzinfo=timezone(timedelta(hours=-23, minutes=-59))),
]  # fmt: skip

_RAW = [
    Raw("9" * 5000), Raw("-" + "9" * 5000), Raw("0x" + "f" * 5000), Raw("0b" + "1" * 9000), Raw("1" * 400 + ".5"),
    Raw("1e99999"), Raw("-1e-99999"), Raw("1_000"), Raw("[" * 3000 + "]" * 3000), Raw("[" * 90 + "]" * 90),
    Raw("{a=" * 600 + "1" + "}" * 600), Raw("{a=" * 80 + "1" + "}" * 80), Raw("'''\n\n'''"), Raw('"""\\\n  x"""'),
    Raw("{}"), Raw("nan"), Raw("07"), Raw("1979-13-01"), Raw("True"), Raw("null"), Raw(""), Raw("'a' 'b'"),
]  # fmt: skip


def _value(draw: random.Random, depth: int = 0) -> Any:
    makers: list[Callable[[], Any]] = [
        lambda: draw.choice(_NUMBERS),
        lambda: draw.choice(_NUMBERS),
        lambda: draw.choice(_WORDS),
        lambda: draw.choice(_TEXTS),
        lambda: draw.choice([True, False]),
        lambda: draw.choice(_DATES),
        lambda: draw.choice(_RAW),
        lambda: draw.choice(_names()),
    ]
    if depth < 3:
        makers += [
            lambda: [_value(draw, depth + 1) for _ in range(draw.choice([0, 1, 2, 3]))],
            lambda: {_key(draw): _value(draw, depth + 1) for _ in range(draw.choice([0, 1, 2]))},
            lambda: {"name": draw.choice(_names()), _known_key(draw): _value(draw, depth + 1)},
            lambda: [_value(draw, 3)] * draw.choice([40, 300]),
        ]
    return draw.choice(makers)()


@functools.cache
def _components() -> dict[str, dict[str, dict[str, Any]]]:
    """Return kind -> component -> key -> its type, the core's keys of such a table among them."""
    from ganlab.kinds import KINDS
    from ganlab.registry import load_registry

    registry = load_registry()
    return {
        word: {
            offer.component.name: {**_types(kind.settings), **_types(offer.component.options)}
            for offer in registry.components(word)
        }
        for word, kind in KINDS.items()
    }


@functools.cache
def _sections() -> dict[str, dict[str, Any]]:
    """Return the core's own tables: name -> key -> its type."""
    from ganlab.config.settings import Settings

    optimizers = _components()["optimizer"].values()
    optimizer = {key: annotation for table in optimizers for key, annotation in table.items()}
    tables = {
        key: _types(field.annotation)
        for key, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
    }
    return {**tables, "generator": optimizer, "discriminator": optimizer}


def _types(model: type[BaseModel]) -> dict[str, Any]:
    return {key: field.annotation for key, field in model.model_fields.items()}


def _fitting(draw: random.Random, annotation: Any) -> Any:
    """Return a value of a type, which may be out of its bounds."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return draw.choice(arguments)
    if origin is Annotated:
        return _fitting(draw, arguments[0])
    if origin in (Union, UnionType):
        return _fitting(draw, draw.choice([argument for argument in arguments if argument is not NoneType]))
    if origin is tuple:
        return [_fitting(draw, argument) for argument in arguments]
    if origin is list:
        return [_fitting(draw, arguments[0]) for _ in range(draw.choice([1, 2, 3]))]
    if annotation is bool:
        return draw.choice([True, False])
    if annotation is int:
        return draw.choice([0, 1, 2, 3, 4, 5, 7, 8, 16, 17, 20, 24, 100])
    if annotation is float:
        return draw.choice([0, 0.0, 1e-8, 0.1, 0.5, 0.9, 1, 1.0, 2.5, 30.0, 1e30])
    if annotation is Path:
        return draw.choice(["../mnist", "../pictures", "../plugin.py", "experiment.toml", ".", "gone", "/"])
    return _value(draw)


@functools.cache
def _names() -> list[str]:
    return [name for components in _components().values() for name in components]


@functools.cache
def _known_keys() -> list[str]:
    """Return every key that some table knows, and the tables."""
    from ganlab.config.settings import Settings

    def walk(schema: Any) -> Iterator[str]:
        for key, value in schema.items() if isinstance(schema, dict) else ():
            if key == "properties":
                yield from value
            yield from walk(value)
        for value in schema if isinstance(schema, list) else ():
            yield from walk(value)

    options = (
        key for components in _components().values() for options in components.values() for key in options
    )
    return sorted({*walk(Settings.model_json_schema()), *options, "extends"})


def _known_key(draw: random.Random) -> str:
    return draw.choice(_known_keys())


def _key(draw: random.Random) -> str:
    return draw.choice(
        [
            _known_key(draw),
            _known_key(draw),
            draw.choice(_TEXTS),
            str(draw.randrange(3)),
            f"{_known_key(draw)}.{_known_key(draw)}",
            _known_key(draw).upper(),
            _misspelt(draw, _known_key(draw)),
        ]
    )


def _misspelt(draw: random.Random, word: str) -> str:
    letters = list(word) or ["x"]
    where = draw.randrange(len(letters))
    match draw.randrange(4):
        case 0:
            letters.insert(where, letters[where])
        case 1:
            del letters[where]
        case 2:
            letters[where] = draw.choice("abcxyz-_ ")
        case _:
            letters.insert(where, draw.choice(["é", " ", "-", "_"]))
    return "".join(letters)


# What is done to an experiment's tables.


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (table or array, key or index) of everything below a value."""
    items = list(value.items() if isinstance(value, dict) else enumerate(value))
    for key, inner in items:
        yield value, key
        if isinstance(inner, dict | list):
            yield from _places(inner)


def _tables(document: dict[str, Any]) -> list[dict[str, Any]]:
    inner = [holder[key] for holder, key in _places(document) if isinstance(holder[key], dict)]
    return [document, *inner]


def _change_key(draw: random.Random, document: dict[str, Any]) -> None:
    table = draw.choice([table for table in _tables(document) if table] or [document])
    if not table or draw.random() < 0.4:
        table[_key(draw)] = _value(draw)
        return
    old = draw.choice(list(table))
    value = table.pop(old)
    if draw.random() < 0.8:
        table[draw.choice([_misspelt(draw, old), _key(draw), old.upper()])] = value


def _change_value(draw: random.Random, document: dict[str, Any]) -> None:
    places = list(_places(document))
    leaves = [(holder, key) for holder, key in places if not isinstance(holder[key], dict | list)]
    found = draw.choice(leaves if leaves and draw.random() < 0.8 else places or [(document, "title")])
    found[0][found[1]] = _value(draw)


def _change_option(draw: random.Random, document: dict[str, Any]) -> None:
    """Give a component one of its own options, or the core one of its own keys."""
    kind = draw.choice([*_sections(), *_components()])
    name = {"loss": "losses", "evaluator": "evaluators", "tracker": "trackers"}.get(kind, kind)
    holder = document.get("optimizer", document) if kind in _sections() else document
    table = holder.setdefault(name, {}) if isinstance(holder, dict) else {}
    table = draw.choice(table) if isinstance(table, list) and table else table
    if isinstance(table, dict):
        known = _sections().get(kind) or _components()[kind].get(str(table.get("name"))) or {"x": str}
        key = draw.choice(list(known))
        table[key] = _fitting(draw, known[key]) if draw.random() < 0.6 else _value(draw)


def _change_table(draw: random.Random, document: dict[str, Any]) -> None:
    places = [(holder, key) for holder, key in _places(document) if isinstance(holder[key], dict | list)]
    if not places:
        return
    holder, key = draw.choice(places)
    value = holder[key]
    match draw.randrange(10):
        case 0:
            del holder[key]
        case 1:
            holder[key] = [value] * draw.choice([1, 2, 40])
        case 2:
            holder[key] = value[0] if isinstance(value, list) and value else {}
        case 3:
            holder[key] = {key if isinstance(key, str) else "0": value}
        case 4:
            holder[key] = type(value)()
        case 5:
            holder[key] = _value(draw)
        case 6:
            for _ in range(draw.choice([3, 60, 150])):
                value = {draw.choice(["a", "name", "features"]): value}
            holder[key] = value
        case 7:
            other, name = draw.choice(places)
            holder[key] = copy.deepcopy(other[name])
        case 8:
            value_copy = copy.deepcopy(value)
            if isinstance(value, list):
                value += value_copy * draw.choice([1, 30])
            else:
                value[draw.choice(list(value) or ["x"])] = value_copy
        case _:
            moved = copy.deepcopy(value)
            del holder[key]
            draw.choice(_tables(document))[_key(draw)] = moved


def _change_component(draw: random.Random, document: dict[str, Any]) -> None:
    named = [table for table in _tables(document) if "name" in table]
    if not named:
        return
    table = draw.choice(named)
    kind = draw.choice(list(_components()))
    name = draw.choice(list(_components()[kind]))
    table["name"] = draw.choice([name, name, name, f"ganlab/{name}", _misspelt(draw, name), f"x/{name}"])
    if draw.random() < 0.5:
        for key in [key for key in table if key not in ("name", "label", "samples", "features")]:
            del table[key]
    if draw.random() < 0.5:
        other = draw.choice([name, draw.choice(_names())])
        for options in (components.get(other, {}) for components in _components().values()):
            for key in draw.sample(list(options), min(len(options), 2)):
                if key != "name":
                    table[key] = draw.choice([_fitting(draw, options[key]), _value(draw)])


_CHANGES = (_change_key, _change_value, _change_option, _change_table, _change_component)


def _changed(change: Callable[[random.Random, dict[str, Any]], None]) -> Callable[[random.Random], Case]:
    def make(draw: random.Random) -> Case:
        document = _base(draw)
        change(draw, document)
        return _written(document)

    return make


def _several(draw: random.Random) -> Case:
    document = _base(draw)
    for _ in range(draw.choice([2, 3, 5, 12])):
        draw.choice(_CHANGES)(draw, document)
    return _written(document)


# What is done to an experiment's text.

_MARKS = ["\0", "\ufeff", "\r", "\t", "\u2028", "\x85", "é", "”", "\xa0", "[", "]]", "{", '"', "'''", "=", ".", "#"]  # fmt: skip


def _bytes(draw: random.Random) -> Case:
    content = draw.choice(list(BASES.values())).encode()
    for _ in range(draw.choice([1, 1, 1, 2, 6])):
        content = _damaged(draw, content)
    return Case("", {EXPERIMENT: content})


def _damaged(draw: random.Random, content: bytes) -> bytes:
    where = draw.randrange(len(content) + 1)
    lines = content.split(b"\n")
    line = draw.randrange(len(lines))
    match draw.randrange(14):
        case 0:
            flipped = bytearray(content or b"x")
            flipped[where % len(flipped)] ^= 1 << draw.randrange(8)
            return bytes(flipped)
        case 1:
            return content[:where]
        case 2:
            return content[where:]
        case 3:
            return content[:where] + content[where + draw.randrange(1, 20) :]
        case 4:
            return content[:where] + draw.randbytes(draw.randrange(1, 5)) + content[where:]
        case 5:
            return content[:where] + draw.choice(_MARKS).encode() + content[where:]
        case 6:
            return content.replace(b"\n", draw.choice([b"\r\n", b"\r", b"\n\n", b"", b"\x0b", b"\n\r"]))
        case 7:
            text = content.decode("utf-8", "replace") + draw.choice(["", "# é"])
            encodings = ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "latin-1"]
            return text.encode(draw.choice(encodings), "replace")
        case 8:
            return b"\n".join([*lines[:line], lines[line], *lines[line:]])
        case 9:
            draw.shuffle(lines)
            return b"\n".join(lines)
        case 10:
            return b"\n".join(lines[:line] + lines[line + 1 :])
        case 11:
            return draw.choice([b"", b"\n", b"\0" * 50, b"\x89PNG\r\n\x1a\n", b"{}", b"[" * 2000, b"- a: b"])
        case 12:
            text = draw.choice(_RAW).encode()
            return b"\n".join([*lines[:line], b"x = " + text, *lines[line:]])
        case _:
            header = ".".join(["a"] * draw.choice([2, 100, 2000])).encode()
            return b"\n".join([*lines[:line], b"[" + header + b"]", *lines[line:]])


# What comes from beside the experiment.


def _sets(draw: random.Random) -> Case:
    document = _base(draw)
    paths = [*_paths(document, "")]
    arguments: list[str] = []
    for _ in range(draw.choice([1, 1, 2, 4])):
        path = draw.choice(paths)
        match draw.randrange(8):
            case 0:
                path = f"{path}.{_key(draw)}"
            case 1:
                path = _misspelt(draw, path)
            case 2:
                path = ".".join(_key(draw) for _ in range(draw.choice([1, 2, 3])))
            case 3:
                parts = path.split(".")
                numbers = ["99", "-1", "²", "٣", "1e3", "9" * 5000, "", " 0", "00"]
                parts[draw.randrange(len(parts))] = draw.choice(numbers)
                path = ".".join(parts)
            case _:
                pass
        plain = [*_TEXTS, *_RAW, *_WORDS, "1\ny = 2", "[1", "{a = 1", "'x", '"\\ud800"', "inf", "[]"]
        made = _toml({"v": _value(draw)}).decode("utf-8", "surrogatepass").partition("=")[2].strip()
        value = draw.choice([made, draw.choice(plain)])
        forms = [f"{path}={value}"] * 6 + [path, f"={value}", f"{path} == {value}"]
        arguments += ["--set", draw.choice(forms)]
    return _written(document, *map(_argument, arguments))


def _argument(text: str) -> str:
    """Return text as a shell can pass it: without NUL, and with bytes where there are no characters."""
    return text.replace("\0", "").encode("utf-8", "surrogatepass").decode("utf-8", "surrogateescape")


def _paths(value: Any, path: str) -> Iterator[str]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        joined = f"{path}.{key}" if path else str(key)
        yield joined
        yield from _paths(inner, joined)


_BASES = [
    "base.toml", "./base.toml", "../mnist", "..", ".", "gone.toml", "bass.toml", EXPERIMENT, "", "/", "/dev/null",
    "/proc/self/mem", "~nobody-at-all/base.toml", "base.toml\0", "x" * 5000,
]  # fmt: skip


def _extends(draw: random.Random) -> Case:
    base, document = _base(draw), _base(draw)
    for key in draw.sample(list(document), draw.randrange(len(document) + 1)):
        del document[key]
    document = {"extends": draw.choice([*["base.toml"] * 12, *_BASES, _value(draw)]), **document}
    for changed in (base, document):
        if draw.random() < 0.5:
            draw.choice(_CHANGES)(draw, changed)
    files = {EXPERIMENT: _toml(document)}
    match draw.randrange(6):
        case 0:
            base["extends"] = draw.choice([EXPERIMENT, "base.toml", "further.toml", "gone.toml", 3])
            files["further.toml"] = _toml(_base(draw))
        case 1:
            length = draw.choice([20, 400])
            for index in range(length):
                files[f"{index}.toml"] = f'extends = "{index + 1}.toml"\nseed = {index}\n'.encode()
            base["extends"] = "0.toml"
            files[f"{length}.toml"] = _toml(_base(draw))
        case _:
            pass
    files["base.toml"] = draw.choice([_toml(base)] * 5 + [_damaged(draw, _toml(base))])
    return Case("", files)


_SOURCES = [
    "", "import", "1/0", "raise SystemExit(3)", "import nowhere", "def f(:", "\0", "x = '\ud800'",
    "raise Exception('a\\n' * 9000)", "raise ExceptionGroup('x', [ValueError()])", "from ganlab import *",
    "import ganlab\n@ganlab.hookimpl\ndef ganlab_losses(): return 3",
    "import ganlab\n@ganlab.hookimpl\ndef ganlab_losses(): yield None",
    "def ganlab_losses(): pass", "import sys\nsys.exit()", "class E(Exception):\n  def __str__(s): return 1/0\nraise E",
    "(" * 500, "x = " + "-" * 3000 + "1", PLUGIN,
]  # fmt: skip
_REQUESTS = ["mine.py", "./mine.py", "mine", "json", "ganlab", "nowhere", "a.b.c", "..", "/", "../plugin.py", "../mnist", EXPERIMENT]  # fmt: skip


def _plugins(draw: random.Random) -> Case:
    document = _base(draw)
    requests = [draw.choice([draw.choice(_REQUESTS), draw.choice(_TEXTS), _value(draw)]) for _ in range(2)]
    document["plugins"] = draw.choice([["mine.py"], ["mine.py"], requests, requests[0]])
    files = {
        EXPERIMENT: _toml(document),
        "mine.py": draw.choice(_SOURCES).encode("utf-8", "surrogatepass"),
    }
    arguments = []
    if draw.random() < 0.3:
        option = draw.choice(["--plugin", "--no-plugin"])
        names = ["mine.py", "faces", "ganlab", "gone", *_TEXTS]
        arguments = [option, _argument(draw.choice(names))]
    return Case("", files, (EXPERIMENT, *arguments))


_FILES = [
    EXPERIMENT, "gone.toml", "..", ".", "", "/", "../mnist", "experiment.tml", "experiment", f"{EXPERIMENT}/x", "/dev/null",
    "/proc/self/mem", "../pictures/cats/0.png", "~", "ü.toml", "\ud800.toml", "x" * 300, "a/" * 3000,
]  # fmt: skip
_OPTIONS = [
    "--set", "--sett", "-x", "--set=", "--set=x", "--set==", "extra", "--", "--plugin", "--no-plugin=x", "--traceback=",
]  # fmt: skip


def _command_line(draw: random.Random) -> Case:
    """Name something else than the experiment, or options that are none."""
    arguments = [draw.choice(_FILES), *draw.sample(_OPTIONS, draw.choice([0, 0, 1, 2]))]
    draw.shuffle(arguments)
    return Case("", {EXPERIMENT: _toml(_base(draw))}, tuple(map(_argument, arguments)))


_KINDS: dict[str, tuple[Callable[[random.Random], Case], float]] = {
    "untouched": (_changed(lambda draw, document: None), 1),
    "keys": (_changed(_change_key), 12),
    "values": (_changed(_change_value), 20),
    "options": (_changed(_change_option), 20),
    "tables": (_changed(_change_table), 10),
    "components": (_changed(_change_component), 14),
    "several": (_several, 12),
    "bytes": (_bytes, 14),
    "--set": (_sets, 12),
    "extends": (_extends, 8),
    "plugins": (_plugins, 4),
    "command line": (_command_line, 2),
}
"""Kind -> what makes a case of it, and how often beside the others."""
