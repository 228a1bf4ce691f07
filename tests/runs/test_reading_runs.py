"""Runs found again, and the commands that read them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import ganlab
from ganlab import ImageSpec, VectorSpec
from ganlab.commands import cli
from ganlab.commands import runs as runs_command
from ganlab.commands import sample as sample_command
from ganlab.config import Experiment
from ganlab.errors import GanlabError, UsageError
from ganlab.runs.directory import RunDirectory
from ganlab.runs.encoding import to_json
from ganlab.runs.reading import find_run, list_runs, read_run
from ganlab.runs.state import Best


def plant(
    root: Path,
    slug: str,
    name: str,
    *,
    status: str = "completed",
    created: str = "2026-01-01",
    title: str = "",
) -> Path:
    """Write the least that makes a run."""
    path = root / slug / name
    path.mkdir(parents=True)
    state = {"id": name, "title": title or slug.title(), "steps": 200, "created": f"{created}T03:04:05+00:00"}
    (path / "run.json").write_text(to_json({**state, "status": status, "step": 150}))
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "runs"
    plant(root, "faces", "20260101-030405-0a1b")
    plant(root, "faces", "20260102-030405-ffff", created="2026-01-02", status="running")
    plant(root, "rings", "20260103-030405-0a1b", created="2026-01-03", status="diverged")
    (root / "faces" / ".creating-20260104-000000-0000").mkdir()
    return root


def test_the_newest_come_first_and_a_dead_one_is_interrupted(root: Path) -> None:
    assert [(run.name, run.state.status) for run in list_runs(root)] == [
        ("rings/20260103-030405-0a1b", "diverged"),
        ("faces/20260102-030405-ffff", "interrupted"),
        ("faces/20260101-030405-0a1b", "completed"),
    ]
    assert [run.path.name for run in list_runs(root / "rings")] == ["20260103-030405-0a1b"]
    assert list_runs(root / "nowhere") == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("latest", "20260103-030405-0a1b"),
        ("20260102", "20260102-030405-ffff"),
        ("20260101-030405-0a1b", "20260101-030405-0a1b"),
        ("rings", "20260103-030405-0a1b"),
        ("faces/20260101", "20260101-030405-0a1b"),
        ("faces/20260102-030405-ffff", "20260102-030405-ffff"),
    ],
)
def test_a_run_is_found(root: Path, wanted: str, found: str) -> None:
    assert find_run(wanted, root).path.name == found
    assert find_run(str(root / "rings" / "20260103-030405-0a1b"), Path("nowhere")).state.title == "Rings"


def test_a_run_that_is_not_there(root: Path) -> None:
    with pytest.raises(UsageError, match=r"no run 'ringz' .* did you mean rings\?"):
        find_run("ringz", root)
    with pytest.raises(
        UsageError, match=r"several runs:\n    faces/20260102-030405-ffff  Faces\n    faces/20260101"
    ):
        find_run("face", root)
    with pytest.raises(UsageError, match="there are no runs in"):
        find_run("latest", root / "nowhere")


def test_a_directory_elsewhere_with_one_run_is_that_run(root: Path, tmp_path: Path) -> None:
    for runs in (root, tmp_path / "empty"):
        assert find_run(str(root / "rings"), runs).state.title == "Rings"
    with pytest.raises(UsageError, match=r"faces holds several runs; give the directory of one:\n    faces/"):
        find_run(str(root / "faces"), tmp_path / "empty")


@pytest.mark.parametrize("wanted", ["Tall faces", "tall-faces", "runs/tall-faces"])
@pytest.mark.parametrize(
    "command",
    ["export --out x", "sample --out x.zip", "timelapse", "resume", "evaluate"],
    ids=lambda text: text.split()[0],
)
def test_a_title_is_its_run_or_lists_its_runs_with_their_seeds(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    wanted: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    runs = [
        plant(Path("runs"), "tall-faces", f"2026010{seed}-030405-0a1b", title="Tall faces") for seed in (1, 2)
    ]
    plant(Path("runs"), "tall-faces-64", "20260105-030405-0a1b", title="Tall faces 64")
    for seed, run in enumerate(runs, 1):
        (run / "resolved.toml").write_text(f"seed = {seed}\n")
    assert cli.run([*command.split(), wanted]) == 2
    named = wanted.removeprefix("runs/")
    assert capsys.readouterr().err == (
        f"error: {named!r} means several runs; give the id of one, or `latest` for the newest of all:\n"
        "    tall-faces/20260102-030405-0a1b  Tall faces, seed 2\n"
        "    tall-faces/20260101-030405-0a1b  Tall faces, seed 1\n"
    )
    (runs[0] / "run.json").unlink()
    assert find_run(wanted).path == runs[1].resolve()


def test_what_may_have_been_a_path_is_said_not_to_be_there(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no run 'exported/faces' in .*runs, and no such directory; "):
        ganlab.load("exported/faces", runs=root)
    with pytest.raises(UsageError, match=rf"and {tmp_path} is no run's directory; "):
        ganlab.load(tmp_path, runs=root)
    with pytest.raises(
        UsageError, match=r"no run 'exported': there are no runs in .*, and no such directory; `ganlab run`"
    ):
        ganlab.load("exported", runs=tmp_path)


def test_a_damaged_run_is_reported_and_the_others_listed(root: Path) -> None:
    (root / "rings" / "20260103-030405-0a1b" / "run.json").write_text('{"id": 1')
    reports: list[str] = []
    assert len(list_runs(root, reports.append)) == 2
    assert len(reports) == 1
    assert "run.json is damaged" in reports[0]


@pytest.mark.parametrize("wanted", ["latest", "20260102", "faces/20260102-030405-ffff"])
def test_a_damaged_run_is_reported_wherever_runs_are_looked_for(
    root: Path, wanted: str, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = root / "rings" / "20260103-030405-0a1b" / "run.json"
    damaged.write_text("")
    times = 0 if (root / wanted).is_dir() else 1
    assert find_run(wanted, root).path.name == "20260102-030405-ffff"
    warning = f"warning: {damaged} is damaged: it is empty\n"
    assert capsys.readouterr().err == warning * times


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "it is empty"),
        ('{"id":\n1', "it is not valid JSON at line 2"),
        (b'{"id": "\xff"}', "it is not text in UTF-8"),
        ("[]", "it is not a table of names and values"),
        ("{}", "it does not say `id`"),
        (
            {"steps": "many"},
            "its `steps` is 'many': input should be a valid integer, unable to parse string as an integer",
        ),
        ({"best": {"step": 1, "value": 2.0}}, "it does not say `best.metric`"),
        (
            {"sessions": [{"started": "", "host": "", "pid": None}]},
            "its `sessions.0.pid` is None: input should be a valid integer",
        ),
    ],
)
def test_damage_is_told_in_plain_words(
    root: Path, content: str | bytes | dict[str, object], reason: str
) -> None:
    path = root / "rings" / "20260103-030405-0a1b"
    if isinstance(content, dict):
        content = json.dumps({**json.loads((path / "run.json").read_text()), **content})
    (path / "run.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(GanlabError) as caught:
        find_run(str(path))
    assert str(caught.value) == f"{path / 'run.json'} is damaged: {reason}"


def test_what_a_later_version_adds_is_passed_over(root: Path) -> None:
    file = root / "rings" / "20260103-030405-0a1b" / "run.json"
    known = json.loads(file.read_text()) | {
        "parent": {"id": "a", "step": 1, "path": "/a", "digest": "b"},
        "best": {"step": 1, "metric": "mmd.mmd2", "value": "NaN"},
        "last": {"step": 2, "metrics": {"mmd.mmd2": "Infinity"}},
        "warnings": [{"step": 1, "name": "a", "message": "b"}],
        "parameters": {"generator": 7},
        "sessions": [{"started": "2026-01-01T00:00:00+00:00", "host": "a", "pid": 3, "changes": ["b"]}],
    }

    def read(values: Any) -> str:
        file.write_text(json.dumps(values))
        return repr(read_run(file.parent).state)

    def with_more(values: Any) -> Any:
        if isinstance(values, dict):
            return {key: with_more(value) for key, value in values.items()} | {"later": 4.0}
        return [with_more(value) for value in values] if isinstance(values, list) else values

    later = with_more(known)
    del later["last"]["metrics"]["later"], later["parameters"]["later"]  # whose keys are what they are of
    assert read(later) == read(known)


def test_a_whole_name_comes_before_the_beginning_of_another(tmp_path: Path) -> None:
    faces = plant(tmp_path, "faces", "20260101-030405-0a1b")
    plant(tmp_path, "faces-64", "20260102-030405-0a1b")
    assert find_run("faces", tmp_path).path == faces
    with pytest.raises(UsageError, match="several runs"):
        find_run("face", tmp_path)


@pytest.mark.parametrize(
    "titles",
    [
        ("a" * 60 + " with r1", "a" * 60 + " without"),
        ("Faces: 64", "faces 64"),
        ("猫", "犬"),
    ],
    ids=["long", "case", "not ASCII"],
)
def test_runs_of_titles_that_share_a_directory_are_not_mixed_up(
    tmp_path: Path, experiment: Experiment, titles: tuple[str, str]
) -> None:
    made = {}
    for number, title in enumerate(titles):
        entitled = replace(experiment, settings=experiment.settings.model_copy(update={"title": title}))
        with RunDirectory.create(tmp_path / "runs", entitled) as run:
            run.finish("completed")
        # In one second ids alone decide which is the newest.
        state = json.loads((run.path / "run.json").read_text())
        (run.path / "run.json").write_text(
            to_json({**state, "created": f"2026-01-0{number + 1}T00:00:00+00:00"})
        )
        made[title] = run.path
    assert len({path.parent for path in made.values()}) == 1
    for title, path in made.items():
        found = list_runs(tmp_path / "runs", title=title)
        assert [run.path for run in found] == [path]
    assert list_runs(tmp_path / "runs", title=f"{titles[0]}!") == []


@pytest.mark.parametrize(
    ("resolved", "told"),
    [('title = "Rings"', False), ('title = "Faces"', True), ("title = [", True), ("", True), (None, True)],
)
def test_a_damaged_run_of_another_title_is_none_of_ones_business(
    root: Path, resolved: str | None, told: bool
) -> None:
    damaged = root / "rings" / "20260103-030405-0a1b"
    (damaged / "run.json").write_text("")
    if resolved is not None:
        (damaged / "resolved.toml").write_text(resolved)
    reports: list[str] = []
    found = list_runs(root, reports.append, title="Faces")
    assert [run.path.name for run in found] == ["20260102-030405-ffff", "20260101-030405-0a1b"]
    assert reports == ([f"{damaged / 'run.json'} is damaged: it is empty"] if told else [])


def test_runs_as_a_table_and_as_json(root: Path) -> None:
    runner = CliRunner()
    (root / "faces" / "20260101-030405-0a1b" / "metrics.jsonl").write_text('{"step": 150, "loss": 0.5}\n')
    table = runner.invoke(runs_command.command, ["--runs", str(root)]).output
    rows = [line.split() for line in table.splitlines()[1:]]
    assert [(row[1], row[-1]) for row in rows] == [
        ("diverged", "Rings"),
        ("interrupted", "Faces"),
        ("completed", "Faces"),
    ]
    assert "150/200" in table
    records = json.loads(runner.invoke(runs_command.command, ["--runs", str(root), "--json"]).output)
    assert [record["title"] for record in records] == ["Rings", "Faces", "Faces"]
    assert records[2]["metrics"] == {"step": 150, "loss": 0.5}
    assert "there are no runs" in runner.invoke(runs_command.command, ["--runs", str(root / "x")]).output


def test_the_scalars_of_earlier_versions_go_by_the_tags_of_now(root: Path) -> None:
    path = root / "faces" / "20260101-030405-0a1b"
    before = {"step": 5, "time": 1.5, "progress/generator_updates": 5, "loss/generator/vae/kl_part": 0.5}
    now = {"step": 5, "time": 1.5, "progress/generator-updates": 5, "loss/generator/vae/kl_part": 0.5}
    (path / "metrics.jsonl").write_text(f"{to_json(before)}\n{to_json(now)}\n")
    run = find_run(str(path))
    assert run.metrics() == [now, now]
    (path / "metrics.jsonl").write_text(f"{to_json(before)}\n")
    assert run.last_metrics() == now


def invoke_sample(*arguments: str | Path) -> str:
    result = CliRunner().invoke(sample_command.command, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.output


def trained(root: Path, experiment: Experiment, spec: ImageSpec | VectorSpec) -> Path:
    """Make a run with two checkpoints, the first of them the best."""
    with RunDirectory.create(root, experiment) as run:
        for step in (100, 200):
            with torch.random.fork_rng():
                torch.manual_seed(step)
                raw = experiment.generator.build(spec, experiment.latent).state_dict()
            ema = {name: weight * 0.5 for name, weight in raw.items()}
            run.checkpoints.save(step, {}, raw, ema, spec=spec)
        run.checkpoints.mark_best(100)
        run.update(step=200, best=Best(100, "mmd.mmd", 0.1))
        run.finish("completed")
    return run.path


@pytest.fixture
def images(tmp_path: Path, experiment: Experiment) -> Path:
    return trained(tmp_path / "runs", experiment, ImageSpec(3, 4, 6))


def test_png_npy_and_grid_show_the_same_samples(images: Path, tmp_path: Path) -> None:
    said = invoke_sample(images, "--count", 70, "--out", tmp_path / "png")
    assert said == f"70 samples of step 100 (averaged weights) in {tmp_path / 'png'}\n"
    invoke_sample(images, "--count", 70, "--out", tmp_path / "npy", "--format", "npy")
    invoke_sample(images, "--count", 70, "--out", tmp_path / "grid", "--format", "grid")
    array = np.load(tmp_path / "npy" / "samples.npy")
    assert (array.shape, array.dtype) == ((70, 4, 6, 3), np.uint8)
    names = [f"{number:06d}.png" for number in range(70)]
    assert sorted(path.name for path in (tmp_path / "png").iterdir()) == names
    pictures = [np.asarray(Image.open(tmp_path / "png" / name)) for name in names]
    assert np.array_equal(np.stack(pictures), array)
    grid = np.asarray(Image.open(tmp_path / "grid" / "grid.png"))
    assert np.array_equal(grid[2:6, 2:8], array[0])
    assert not list(tmp_path.glob(".*"))


def test_the_same_seed_makes_the_same_bytes(images: Path, tmp_path: Path) -> None:
    def content(name: str, *arguments: str | int) -> bytes:
        invoke_sample(images, "--count", 9, "--format", "npy", "--out", tmp_path / name, *arguments)
        return (tmp_path / name / "samples.npy").read_bytes()

    first = content("a")
    assert content("b", "--seed", 0) == first
    others = {
        content("c", "--seed", 1),
        content("d", "--checkpoint", "last"),
        content("e", "--raw"),
        first,
    }
    assert len(others) == 4
    assert content("f", "--checkpoint", "100") == first
    assert content("g", "--checkpoint", "200") == content("h", "--checkpoint", "last")


def test_a_directory_with_something_in_it_is_left_alone_unless_forced(images: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    invoke_sample(images, "--count", 2, "--out", out)
    (out / "mine.txt").write_text("mine")
    with pytest.raises(UsageError, match="is not empty"):
        invoke_sample(images, "--count", 3, "--out", out)
    assert len(list(out.iterdir())) == 3
    invoke_sample(images, "--count", 3, "--out", out, "--force")
    assert sorted(path.name for path in out.iterdir()) == [
        "000000.png",
        "000001.png",
        "000002.png",
        "mine.txt",
    ]


def test_a_failure_half_way_leaves_nothing(
    images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, image: object) -> None:
        if path.name == "000001.png":
            raise GanlabError("the disk is full")
        path.touch()

    monkeypatch.setattr("ganlab.drawing.pictures.write_png", full)
    with pytest.raises(GanlabError, match="disk is full"):
        invoke_sample(images, "--count", 3, "--out", tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["experiments", "runs"]


def test_vectors_are_sampled_as_an_array(make_experiment: object, tmp_path: Path) -> None:
    experiment = make_experiment("tiny-vectors")  # type: ignore[operator]
    run = trained(tmp_path / "runs", experiment, VectorSpec(2))
    invoke_sample(run, "--count", 65, "--out", tmp_path / "out")
    array = np.load(tmp_path / "out" / "samples.npy")
    assert (array.shape, array.dtype) == ((65, 2), np.float32)
    with pytest.raises(UsageError, match="use --format npy"):
        invoke_sample(run, "--out", tmp_path / "other", "--format", "grid")


def test_labels_take_turns_or_are_chosen(make_experiment: object, tmp_path: Path) -> None:
    experiment = make_experiment(generator="tiny-conditional")  # type: ignore[operator]
    run = trained(tmp_path / "runs", experiment, ImageSpec(1, 4, 6, classes=3))

    def first_pixels(name: str, *arguments: str | int) -> list[int]:
        invoke_sample(run, "--count", 4, "--format", "npy", "--out", tmp_path / name, *arguments)
        array = np.load(tmp_path / name / "samples.npy")
        return [round((float(image[0, 0, 0]) / 127.5 - 1) * 10) for image in array]

    assert first_pixels("a") == [0, 1, 2, 0]
    assert first_pixels("b", "--label", 2) == [2, 2, 2, 2]
    with pytest.raises(UsageError, match="unknown label '3'; the labels are 0 'number 0'"):
        first_pixels("c", "--label", 3)


def test_what_sample_cannot_do_is_said_plainly(images: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--checkpoint is 'newest'"):
        invoke_sample(images, "--out", tmp_path / "a", "--checkpoint", "newest")
    with pytest.raises(GanlabError, match="no checkpoint of step 7; there are steps 100, 200"):
        invoke_sample(images, "--out", tmp_path / "a", "--checkpoint", "7")
    with pytest.raises(UsageError, match="takes no labels"):
        invoke_sample(images, "--out", tmp_path / "a", "--label", "1")
    assert not (tmp_path / "a").exists()


def test_pauses_between_sessions_are_no_work(root: Path) -> None:
    """The first session was killed after its last line, the second ended."""
    path = root / "faces" / "20260101-030405-0a1b"
    state = json.loads((path / "run.json").read_text())
    state["sessions"] = [
        {"started": "2026-01-01T00:00:00+00:00", "host": "a", "pid": 1},
        {"started": "2026-01-01T05:00:00+00:00", "host": "a", "pid": 2, "ended": "2026-01-01T05:00:30+00:00"},
    ]
    (path / "run.json").write_text(json.dumps(state))
    midnight = 1767225600
    lines = [{"step": 1, "time": midnight + 100}, {"step": 2, "time": midnight + 18010}]
    (path / "metrics.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    run = find_run(str(path))
    assert run.seconds_worked() == 130
    assert run.seconds_worked(midnight + 60) == 60
    assert run.seconds_worked(midnight + 5000) == 100
    assert run.seconds_worked(midnight + 18010) == 110
    assert find_run("rings", root).seconds_worked() == 0
