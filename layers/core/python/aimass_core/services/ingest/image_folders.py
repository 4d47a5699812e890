"""Reads an archive of images in class folders: `[any/][train|test|validation/]<class>/<image>`."""

from collections import Counter
from pathlib import Path

from aimass_core.services.ingest.archives import Archive, Member
from aimass_core.services.ingest.image_bytes import BadImageError, check_image, is_image
from aimass_core.services.ingest.image_spools import SPLITS, ImageSpooler
from aimass_core.services.ingest.reading import Reading
from aimass_core.services.ingest.spools import SpooledFile

HEAD_BYTES = 16


def spool(archive: Archive, work_path: Path, reading: Reading) -> SpooledFile:
    """Every image with its folder as label. Broken ones are kept apart, other files are skipped and counted."""
    spooler = ImageSpooler(
        work_path / "images.arrow", reading, has_split=any(_split_of(member) for member in archive.members)
    )
    skipped: Counter[str] = Counter()
    for number, member in enumerate(archive.members, start=1):
        body = archive.read(member)
        if not is_image(body[:HEAD_BYTES]):
            skipped[Path(member.name).suffix.lower() or "no ending"] += 1
            continue
        label = _label_of(member)
        if label is None:
            reason = "The image lies in no folder, so it has no label. Put it into its class's folder."
            reading.bad_row(column="label", reason=f"{member.name}: {reason}", text=member.name)
            continue
        try:
            image = check_image(body, limits=reading.limits)
        except BadImageError as error:
            reading.bad_row(column="image", reason=f"{member.name}: {error}", text=member.name)
            continue
        spooler.add(number, image, label=label, split=_split_of(member))
    listed = ", ".join(f"{count} with {suffix}" for suffix, count in skipped.most_common(5))
    warnings = (f"{skipped.total()} files of the archive are no images and were skipped: {listed}.",) if skipped else ()
    return spooler.finish(warnings=warnings)


def _parts(member: Member) -> list[str]:
    return member.name.removeprefix("./").split("/")


def _label_of(member: Member) -> str | None:
    parts = _parts(member)
    return parts[-2] if len(parts) > 1 else None


def _split_of(member: Member) -> str | None:
    parts = _parts(member)
    return SPLITS.get(parts[-3].lower()) if len(parts) > 2 else None
