"""Who is drawn: traits sampled from (seed, index)."""

from __future__ import annotations

from collections.abc import Sequence

from ganlab_faces.draws import Draws
from ganlab_faces.palette import (
    ACCENTS,
    BACKDROPS,
    EYE_COLORS,
    HAIR_COLORS,
    LIP_COLORS,
    SKIN_TONES,
    Color,
    darker,
    lighter,
    mix,
)
from ganlab_faces.traits import (
    BeardStyle,
    Brows,
    ClothesStyle,
    Eyes,
    Face,
    Glasses,
    GlassesStyle,
    Hair,
    HairStyle,
    Hat,
    HatStyle,
    Head,
    Mouth,
    MouthStyle,
    Pose,
    Scene,
)

__all__ = ["sample_face"]

_HAIR: dict[HairStyle, float] = {
    "bald": 5,
    "buzz": 7,
    "short": 14,
    "parted": 13,
    "fringe": 10,
    "curly": 10,
    "afro": 6,
    "bob": 9,
    "long": 11,
    "wavy": 8,
    "bun": 6,
    "pigtails": 4,
}
_CROPPED: frozenset[HairStyle] = frozenset({"bald", "buzz", "short", "parted", "curly"})
_MOUTH: dict[MouthStyle, float] = {"neutral": 22, "smile": 36, "grin": 18, "laugh": 18, "surprised": 6}
_GLASSES: dict[GlassesStyle, float] = {"none": 70, "round": 14, "square": 11, "sunglasses": 5}
_BEARD: dict[BeardStyle, float] = {"none": 54, "stubble": 12, "moustache": 8, "goatee": 8, "full": 18}
_HAT: dict[HatStyle, float] = {"none": 86, "beanie": 5, "cap": 5, "headband": 4}
_CLOTHES: dict[ClothesStyle, float] = {"plain": 35, "open": 20, "striped": 20, "collar": 25}
_SKIN: dict[str, float] = dict.fromkeys(SKIN_TONES, 1.0)
_EYES: dict[str, float] = {"brown": 40, "hazel": 15, "green": 15, "blue": 20, "grey": 10}
_HAIR_COLOR_FAIR: dict[str, float] = {
    "black": 14,
    "brown": 22,
    "chestnut": 18,
    "blond": 20,
    "red": 12,
    "grey": 5,
    "white": 4,
    "pink": 3,
    "blue": 2,
}
_HAIR_COLOR_DEEP: dict[str, float] = {
    "black": 52,
    "brown": 22,
    "chestnut": 8,
    "blond": 4,
    "red": 2,
    "grey": 5,
    "white": 3,
    "pink": 2,
    "blue": 2,
}
_DEEP: frozenset[str] = frozenset({"tan", "brown", "dark", "deep"})


def sample_face(seed: int, index: int) -> Face:
    """Return the traits of one face, a pure function of its arguments."""
    draws = Draws(seed, index)
    head = _head(draws)
    hair = _hair(draws, head)
    # A beard and painted lips are drawn for different faces; neither is drawn for all.
    made_up = draws.chance(0.45) and hair.beard == "none" and hair.style not in _CROPPED
    return Face(
        pose=_pose(draws),
        scene=_scene(draws),
        head=head,
        hair=hair,
        eyes=_eyes(draws, made_up),
        brows=Brows(
            lift=draws.bell(0.25, 0.36),
            tilt=draws.bell(-0.25, 0.25),
            arch=draws.between(0.5, 1.8),
            thickness=draws.between(0.026, 0.05),
        ),
        mouth=_mouth(draws, head, made_up),
        glasses=Glasses(style=draws.choose(_GLASSES), color=_frame(draws)),
        hat=Hat(style=draws.choose(_HAT), color=_pick(draws, ACCENTS), band=_pick(draws, ACCENTS)),
    )


def _pick(draws: Draws, colors: Sequence[Color]) -> Color:
    return colors[int(draws.unit() * len(colors))]


def _vary(draws: Draws, color: Color, amount: float) -> Color:
    """Return a colour made a little lighter or darker, by a share of at most `amount`."""
    change = draws.between(-amount, amount)
    return lighter(color, change) if change > 0 else darker(color, -change)


def _pose(draws: Draws) -> Pose:
    return Pose(
        x=draws.bell(-0.13, 0.13),
        y=draws.bell(-0.07, 0.09),
        size=draws.bell(0.55, 0.66),
        roll=draws.bell(-0.1, 0.1),
        turn=draws.bell(-0.26, 0.26),
        nod=draws.bell(-0.08, 0.08),
    )


def _scene(draws: Draws) -> Scene:
    near = _vary(draws, _pick(draws, BACKDROPS), 0.12)
    other = _pick(draws, BACKDROPS)
    return Scene(
        near=lighter(near, 0.18),
        far=mix(darker(near, 0.14), other, draws.between(0.0, 0.5)),
        slope=draws.between(-1.0, 1.0),
        clothes=draws.choose(_CLOTHES),
        fabric=_vary(draws, _pick(draws, ACCENTS), 0.1),
        trim=_pick(draws, ACCENTS),
        shoulders=draws.between(1.15, 1.5),
    )


def _head(draws: Draws) -> Head:
    tone = draws.choose(_SKIN)
    return Head(
        tone=tone,
        skin=_vary(draws, SKIN_TONES[tone], 0.05),
        width=draws.bell(0.76, 0.92),
        jaw=draws.between(0.04, 0.3),
        square=draws.between(0.0, 0.35),
        ear=draws.between(0.15, 0.2),
        nose=draws.bell(0.07, 0.13),
        blush=draws.between(0.1, 0.5),
        freckles=draws.chance(0.1),
        earrings=draws.chance(0.14),
    )


def _hair(draws: Draws, head: Head) -> Hair:
    style = draws.choose(_HAIR)
    beard = draws.choose(_BEARD)
    shade = draws.choose(_HAIR_COLOR_DEEP if head.tone in _DEEP else _HAIR_COLOR_FAIR)
    return Hair(
        style=style,
        beard=beard if style in _CROPPED else "none",
        shade=shade,
        color=_vary(draws, HAIR_COLORS[shade], 0.08),
        line=draws.bell(-0.06, 0.08),
        part=draws.between(-0.42, 0.42),
        volume=draws.between(0.1, 0.19),
    )


def _eyes(draws: Draws, made_up: bool) -> Eyes:
    shade = draws.choose(_EYES)
    return Eyes(
        shade=shade,
        color=_vary(draws, EYE_COLORS[shade], 0.08),
        spacing=draws.bell(0.32, 0.4),
        width=draws.bell(0.145, 0.185),
        height=draws.bell(0.11, 0.165),
        iris=draws.between(0.72, 0.9),
        gaze_x=draws.bell(-0.055, 0.055),
        gaze_y=draws.bell(-0.025, 0.025),
        lashes=draws.between(0.02, 0.035) + 0.02 * made_up,
    )


def _mouth(draws: Draws, head: Head, made_up: bool) -> Mouth:
    natural = mix(darker(head.skin, 0.25), (190, 60, 66), 0.45)
    painted = _pick(draws, LIP_COLORS)
    return Mouth(
        style=draws.choose(_MOUTH),
        width=draws.bell(0.23, 0.36),
        curve=draws.between(0.08, 0.15),
        open=draws.between(0.15, 0.27),
        lips=draws.between(0.028, 0.042) + 0.014 * made_up,
        color=painted if made_up else natural,
    )


def _frame(draws: Draws) -> Color:
    color = darker(_pick(draws, ACCENTS), 0.45)
    return (36.0, 32.0, 36.0) if draws.chance(0.5) else color
