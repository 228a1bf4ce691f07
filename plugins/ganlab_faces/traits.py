"""Who is drawn: every trait of a face.

Lengths are in head units: the face is about 2 high, its chin at y = 1, y pointing down.
Shares and opacities are in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from ganlab_faces.palette import Color

__all__ = [
    "BeardStyle",
    "Brows",
    "ClothesStyle",
    "Eyes",
    "Face",
    "Glasses",
    "GlassesStyle",
    "Hair",
    "HairStyle",
    "Hat",
    "HatStyle",
    "Head",
    "Mouth",
    "MouthStyle",
    "Pose",
    "Scene",
]

HairStyle: TypeAlias = Literal[
    "bald", "buzz", "short", "parted", "fringe", "curly", "afro", "bob", "long", "wavy", "bun", "pigtails"
]
MouthStyle: TypeAlias = Literal["neutral", "smile", "grin", "laugh", "surprised"]
GlassesStyle: TypeAlias = Literal["none", "round", "square", "sunglasses"]
BeardStyle: TypeAlias = Literal["none", "stubble", "moustache", "goatee", "full"]
HatStyle: TypeAlias = Literal["none", "beanie", "cap", "headband"]
ClothesStyle: TypeAlias = Literal["plain", "open", "striped", "collar"]


@dataclass(frozen=True, slots=True)
class Pose:
    """Where the head is and where it looks.

    Attributes:
        x: shift to the right, in half image sides.
        y: shift down, in half image sides.
        size: half image sides in one head unit.
        roll: tangent of half the angle by which the head leans clockwise.
        turn: shift of the features to the right, as the head turns.
        nod: shift of the features down, as the head nods.
    """

    x: float
    y: float
    size: float
    roll: float
    turn: float
    nod: float


@dataclass(frozen=True, slots=True)
class Scene:
    """What is around the head.

    Attributes:
        near: background colour at one end of the gradient.
        far: background colour at the other end.
        slope: horizontal part of the gradient, in [-1, 1].
        clothes: their cut.
        fabric: colour of the clothes.
        trim: second colour of the clothes.
        shoulders: half width of the shoulders.
    """

    near: Color
    far: Color
    slope: float
    clothes: ClothesStyle
    fabric: Color
    trim: Color
    shoulders: float


@dataclass(frozen=True, slots=True)
class Head:
    """Shape and skin of the head.

    Attributes:
        tone: name of the skin tone.
        skin: its colour.
        width: half width of the face.
        jaw: how much the face narrows towards the chin.
        square: how angular the face is, 0 for an ellipse.
        ear: radius of the ears.
        nose: half width of the nose.
        blush: opacity of the cheeks' colour.
        freckles: whether there are some.
        earrings: whether there are some.
    """

    tone: str
    skin: Color
    width: float
    jaw: float
    square: float
    ear: float
    nose: float
    blush: float
    freckles: bool
    earrings: bool


@dataclass(frozen=True, slots=True)
class Hair:
    """Hair and beard.

    Attributes:
        style: how the hair is worn.
        beard: how the beard is worn.
        shade: name of the hair colour.
        color: the colour itself.
        line: height of the hairline above its usual place.
        part: where the hair is parted, to the right of the middle.
        volume: thickness of the hair over the head.
    """

    style: HairStyle
    beard: BeardStyle
    shade: str
    color: Color
    line: float
    part: float
    volume: float


@dataclass(frozen=True, slots=True)
class Eyes:
    """Both eyes.

    Attributes:
        shade: name of the iris colour.
        color: the colour itself.
        spacing: half the distance between the eyes.
        width: half width of an eye.
        height: half height of an eye.
        iris: radius of the iris over `height`.
        gaze_x: shift of the irises to the right.
        gaze_y: shift of the irises down.
        lashes: thickness of the upper lashes.
    """

    shade: str
    color: Color
    spacing: float
    width: float
    height: float
    iris: float
    gaze_x: float
    gaze_y: float
    lashes: float


@dataclass(frozen=True, slots=True)
class Brows:
    """Both eyebrows.

    Attributes:
        lift: height above the eyes.
        tilt: slope, positive where the outer end is lower.
        arch: curvature.
        thickness: half thickness in the middle.
    """

    lift: float
    tilt: float
    arch: float
    thickness: float


@dataclass(frozen=True, slots=True)
class Mouth:
    """The mouth.

    Attributes:
        style: expression.
        width: half width.
        curve: how far the corners are above the middle.
        open: how far an open mouth is open.
        lips: thickness of the lips.
        color: colour of the lips.
    """

    style: MouthStyle
    width: float
    curve: float
    open: float
    lips: float
    color: Color

    @property
    def smiling(self) -> bool:
        """Whether the face smiles."""
        return self.style in ("smile", "grin", "laugh")


@dataclass(frozen=True, slots=True)
class Glasses:
    """What is worn before the eyes, and the colour of its frame."""

    style: GlassesStyle
    color: Color


@dataclass(frozen=True, slots=True)
class Hat:
    """What is worn on the head, its colour and that of its band."""

    style: HatStyle
    color: Color
    band: Color


@dataclass(frozen=True, slots=True)
class Face:
    """Everything that there is to draw."""

    pose: Pose
    scene: Scene
    head: Head
    hair: Hair
    eyes: Eyes
    brows: Brows
    mouth: Mouth
    glasses: Glasses
    hat: Hat
