"""What `ganlab new` writes works as it is."""

from __future__ import annotations

import re
import runpy
import shutil
import struct
import tomllib
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganlab.commands.cli import run
from ganlab.config import load_experiment
from ganlab.kinds import KINDS
from ganlab.registry import load_registry
from ganlab.testing import check_component

SHORT = [
    *("--set", "dataset.count=40", "--set", "training.steps=1", "--set", "training.batch_size=4"),
    *("--set", "training.device=cpu", "--set", "evaluators.0.samples=8", "--set", "samples.count=4"),
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(*arguments: str) -> int:
    return run(["new", *arguments])


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_of_every_kind_is_sound_and_its_experiment_uses_it(kind: str) -> None:
    name = f"own-{kind}"
    assert new(kind, name) == 0
    assert run(["check", f"./own_{kind}.py"]) == 0
    experiment = load_experiment(Path(f"{name}.toml"))
    assert not experiment.registry.failures
    tables = [table for _, table in KINDS[kind].tables(experiment.resolved)]
    assert name in [table["name"] for table in tables]
    text = Path(f"own_{kind}.py").read_text() + Path(f"{name}.toml").read_text()
    assert "caffold" not in text


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_a_package_of_every_kind_is_sound_and_light(
    kind: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"packed-{kind}"
    assert new(kind, name, "--package", "mine") == 0
    assert run(["check", f"mine/src/ganlab_packed_{kind}"]) == 0
    output = capsys.readouterr().out
    assert "hook modules import neither torch" in output
    for path in (here / "mine").rglob("*"):
        assert path.is_dir() or "caffold" not in path.read_text(), path
    project = tomllib.loads(Path("mine/pyproject.toml").read_text())["project"]
    assert project["entry-points"]["ganlab"] == {name: f"ganlab_packed_{kind}"}


def install(here: Path, project: Path) -> Path:
    """Lay a package out as pip would install it for editing; return what goes on the path."""
    declared = tomllib.loads((project / "pyproject.toml").read_text())["project"]
    information = here / "site" / f"{declared['name'].replace('-', '_')}-{declared['version']}.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {declared['name']}\nVersion: 0.1.0\n"
    )
    points = "".join(f"{key} = {value}\n" for key, value in declared["entry-points"]["ganlab"].items())
    (information / "entry_points.txt").write_text(f"[ganlab]\n{points}")
    return here / "site"


@pytest.mark.slow
def test_an_installed_package_passes_its_own_tests_and_trains(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert new("generator", "installed-gan", "--package", "mine") == 0
    monkeypatch.syspath_prepend(install(here, here / "mine"))
    monkeypatch.syspath_prepend(here / "mine" / "src")
    assert run(["check", "ganlab-installed-gan"]) == 0
    (file,) = (here / "mine" / "tests").glob("test_*.py")
    tests = runpy.run_path(str(file))
    for name in tests["COMPONENTS"]:
        tests["test_it_keeps_the_promises_of_its_kind"](name)
    (experiment,) = (here / "mine" / "experiments").glob("*.toml")
    tests["test_the_experiment_can_be_read"](experiment)
    assert run(["run", str(experiment), *SHORT]) == 0
    assert len([*(here / "runs").glob("*/*/run.json")]) == 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["loss", "encoder"])
def test_an_experiment_trains_untouched(kind: str) -> None:
    assert new(kind, f"trained-{kind}") == 0
    assert run(["run", f"trained-{kind}.toml", *SHORT]) == 0


@pytest.mark.parametrize(
    ("kind", "name", "file"),
    [
        ("tracker", "csv", "tracker_csv.py"),
        ("loss", "3d", "loss_3d.py"),
        ("generator", "lambda", "generator_lambda.py"),
        ("loss", "loss", "loss.py"),
    ],
)
def test_a_name_that_python_uses_otherwise(kind: str, name: str, file: str) -> None:
    assert new(kind, name) == 0
    registry = load_registry(plugins=[f"./{file}"])
    assert not registry.failures
    check_component(registry.get(kind, name).component)


def test_nothing_is_written_over(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("kept.toml").write_text("mine")
    assert new("loss", "kept") == 2
    assert "kept.toml is there already; --force writes over" in capsys.readouterr().err
    assert Path("kept.toml").read_text() == "mine"
    assert not Path("kept.py").exists()
    assert new("loss", "kept", "--force") == 0
    assert Path("kept.toml").read_text() != "mine"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("loss", "My_Loss"), "the name 'My_Loss' must be lower-case words joined by hyphens"),
        (("loss", "hinge"), "`hinge` is the loss of ganlab"),
        (("los", "x"), "there is no kind of component `los`; did you mean `loss`?"),
        (("loss", "x", "--out", "y.toml"), "--out goes with"),
        (("loss", "x", "--gpu"), "--gpu goes with"),
        (("experiment", "faces", "--package", "x"), "--package goes with a kind"),
        (("loss", "x", "--from", "empty/notes.txt"), "--from goes with --package"),
        (("experiment", "faces", "--from", "empty/notes.txt"), "--from goes with a kind"),
        (("experiment", "mnist"), "the dataset `mnist` needs `root`: give the folder itself"),
        (("experiment", "nowhere/photos"), "nowhere/photos does not exist; it must be a folder"),
        (("experiment", "nowhere"), "there is no folder or file nowhere, and there is no dataset `nowhere`"),
        (("experiment", "empty"), "empty holds no images; what is in it: 1 .txt"),
        (("experiment", "damaged"), "no image of 1 can be read, the first: "),
    ],
)
def test_used_wrongly(
    arguments: tuple[str, ...], message: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder, file in (("empty", "notes.txt"), ("damaged", "0.png")):
        (here / folder).mkdir()
        (here / folder / file).write_text("no image")
    assert new(*arguments) == 2
    output = capsys.readouterr()
    assert message in output.err
    assert "Traceback" not in output.err
    assert not [*here.glob("*.toml"), *here.glob("*.py")]


def save(folder: Path, count: int, size: tuple[int, int], mode: str = "RGB") -> None:
    """Save images of noise, in colour unless the mode has none."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    channels = (3,) if mode == "RGB" else ()
    for number in range(count):
        pixels = random.integers(0, 256, (size[1], size[0], *channels), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")


def proposed(file: str) -> dict[str, dict[str, object]]:
    return tomllib.loads(Path(file).read_text())


def test_a_few_labelled_photos(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for label in ("cats", "dogs"):
        save(here / "photos" / label, 6, (90, 70))
    (here / "photos" / "cats" / "broken.jpg").write_text("no image")
    assert new("experiment", "photos") == 0
    output = capsys.readouterr().out
    assert "13 images\n90×70 pixels each, in colour\n2 classes: cats (7), dogs (6)\n" in output
    assert "1 cannot be read, the first: photos/cats/broken.jpg" in output.replace(f"{here}/", "")
    tables = proposed("photos.toml")
    assert tables["dataset"] == {
        "name": "image-folder",
        "root": "photos",
        "labels": True,
        "holdout": 0.1,
        "on_bad_image": "skip",
    }
    assert tables["image"] == {"size": 64, "channels": 3}
    assert [each["name"] for each in tables["augmentations"]] == ["diffaugment"]  # type: ignore[index]
    assert run(["validate", "photos.toml", "--set", "training.device=cpu"]) == 0


@pytest.mark.parametrize(
    ("size", "side"), [((20, 28), 20), ((50, 40), 32), ((64, 64), 64), ((300, 256), 128), ((8, 8), 32)]
)
def test_the_size_follows_from_the_images(here: Path, size: tuple[int, int], side: int) -> None:
    save(here / "images", 4, size, "L")
    assert new("experiment", "images", "--out", "x.toml") == 0
    assert proposed("x.toml")["image"] == {"size": side, "channels": 1}
    load_experiment(Path("x.toml"))


@pytest.mark.parametrize(
    ("count", "augmentation", "width"), [(1000, "diffaugment", 32), (10_000, "", 32), (100_000, "", 64)]
)
def test_the_recipe_follows_from_the_count(
    count: int, augmentation: str, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganlab_faces import FacesOptions

    monkeypatch.setattr(FacesOptions.model_fields["count"], "default", count)
    assert new("experiment", "faces") == 0
    tables = proposed("faces.toml")
    assert [each["name"] for each in tables.get("augmentations", [])] == [augmentation][: len(augmentation)]  # type: ignore[index]
    assert tables["generator"]["width"] == width
    measured = [each["name"] for each in tables["evaluators"]]  # type: ignore[index]
    assert measured == (["mmd", "memorisation"] if augmentation else ["mmd"])
    load_experiment(Path("faces.toml"))


def test_what_is_for_a_gpu_is_wider_and_comes_in_larger_batches(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ganlab_faces import FacesOptions

    monkeypatch.setattr(FacesOptions.model_fields["count"], "default", 10_000)
    assert new("experiment", "faces") == 0
    assert new("experiment", "faces", "--gpu", "--out", "gpu.toml") == 0
    small, large = (load_experiment(Path(file)).resolved for file in ("faces.toml", "gpu.toml"))
    for network in ("generator", "discriminator"):
        assert large[network].pop("width") == 2 * small[network].pop("width")
        rates = [each["optimizer"][network].pop("learning_rate") for each in (small, large)]
        assert rates == [5e-4, 1e-3]
    assert large["training"].pop("batch_size") == 8 * small["training"].pop("batch_size")
    # As many updates, not images, until an old weight counts half.
    assert large["ema"].pop("half_life_images") == 8 * small["ema"].pop("half_life_images")
    del small["title"], large["title"], small["provenance"], large["provenance"]
    assert small == large
    assert "not measured" in Path("gpu.toml").read_text() and "GPU" not in Path("faces.toml").read_text()

    save(here / "few", 20, (40, 40))
    assert new("experiment", "few", "--gpu") == 0
    few = load_experiment(Path("few.toml")).resolved
    assert few["training"]["batch_size"] == 8
    # A batch that is no larger is no reason for larger steps.
    assert few["optimizer"]["generator"]["learning_rate"] == 5e-4
    assert few["ema"]["half_life_images"] == 10_000
    assert new("experiment", "gaussians", "--gpu", "--out", "plane.toml") == 0
    assert new("experiment", "gaussians") == 0
    assert proposed("plane.toml") | {"title": ""} == proposed("gaussians.toml") | {"title": ""}


def test_what_is_commented_out_can_be_used(here: Path) -> None:
    save(here / "photos", 4, (40, 40))
    assert new("experiment", "photos") == 0
    text = Path("photos.toml").read_text()
    block = text[
        text.index("# [[evaluators]]") : text.index("[[evaluators]]                     # far below")
    ]
    uncommented = re.sub(r"^# ", "", block, flags=re.MULTILINE)
    Path("x.toml").write_text(text.replace(block, uncommented).replace('best = "mmd"', 'best = "frechet"'))
    features = load_experiment(Path("x.toml")).evaluators[1].features
    assert features.component.name == "efficientnet-lite0"
    columns = {
        line.index(does)
        for line in text.splitlines()
        for does in ("builds every", "trains and", "watches")
        if does in line
    }
    assert len(columns) == 1


def test_copies_among_images_are_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(here / "photos", 5, (20, 20))
    for copy in ("a", "b"):
        shutil.copy(here / "photos" / "1.png", here / "photos" / f"{copy}.png")
    assert new("experiment", "photos") == 0
    assert "warning: 2 of 7 images that were looked at are copies of others" in capsys.readouterr().out


def test_an_archive_elsewhere(here: Path) -> None:
    save(here / "images", 3, (40, 40))
    with zipfile.ZipFile(here / "some.images.zip", "w") as archive:
        for path in (here / "images").iterdir():
            archive.write(path, path.name)
    (here / "experiments").mkdir()
    assert new("experiment", "some.images.zip", "--out", "experiments/x.toml") == 0
    assert proposed("experiments/x.toml")["dataset"]["root"] == "../some.images.zip"
    load_experiment(Path("experiments/x.toml"))


def test_celeba_and_mnist_are_recognised(here: Path) -> None:
    save(here / "faces-of-stars" / "img_align_celeba", 2, (178, 218))
    assert new("experiment", "faces-of-stars") == 0
    assert proposed("faces-of-stars.toml")["dataset"]["name"] == "celeba"
    assert new("experiment", "faces-of-stars/img_align_celeba", "--out", "x.toml") == 0
    assert proposed("x.toml")["dataset"]["root"] == "faces-of-stars"

    digits = here / "digits"
    digits.mkdir()
    (digits / "train-images-idx3-ubyte").write_bytes(
        struct.pack(">4B3I", 0, 0, 8, 3, 4, 28, 28) + bytes(4 * 784)
    )
    assert new("experiment", "digits") == 0
    assert proposed("digits.toml")["dataset"]["labels"] is False
    (digits / "train-labels-idx1-ubyte").write_bytes(
        struct.pack(">4B1I", 0, 0, 8, 1, 4) + bytes([0, 1, 2, 1])
    )
    assert new("experiment", "digits", "--force") == 0
    tables = proposed("digits.toml")
    assert (tables["dataset"]["name"], tables["dataset"]["labels"]) == ("mnist", True)
    assert tables["image"] == {"size": 28, "channels": 1}


def test_a_dataset_of_vectors_by_name() -> None:
    assert new("experiment", "gaussians") == 0
    tables = proposed("gaussians.toml")
    assert "image" not in tables
    assert tables["generator"]["name"] == "mlp"
    load_experiment(Path("gaussians.toml"))
