"""From a declared set of features to the encoder that makes them."""

from collections.abc import Callable, Sequence

import numpy as np

from aimass_core.domain.features import ColumnRecipe, Cross, DatePart, Encode, FeatureSpec
from aimass_core.domain.schemas import Column, ColumnType
from batch_jobs.data.frames import Frame
from batch_jobs.data.words import find_words
from batch_jobs.encoding.features import numbers
from batch_jobs.encoding.features.blocks import Block
from batch_jobs.encoding.features.categories import Truth, category_blocks, ordinal_block
from batch_jobs.encoding.features.checks import check_features, check_width
from batch_jobs.encoding.features.encoder import FeatureEncoder, in_order, keep, keep_all
from batch_jobs.encoding.features.levels import ColumnLevels, fit_column_levels, fit_pair_levels
from batch_jobs.encoding.features.others import date_block, text_block, words_block
from batch_jobs.encoding.features.selection import select
from batch_jobs.encoding.table import fit_table_encoder
from batch_jobs.encoding.table_matrix import DATE_PARTS, Words

_PLAIN = ColumnRecipe()


def fit_features(
    spec: FeatureSpec,
    frame: Frame,
    columns: Sequence[Column],
    truth: Truth,
    *,
    num_threads: int,
    message: Callable[[str], None],
) -> FeatureEncoder:
    """Fits every recipe on training rows, and selects.

    Args:
        spec: `default` says nothing here: what has no recipe is plain.
        frame: The training rows.
        columns: The feature columns.
        truth: Their targets.
        num_threads: For the models that selection fits.
        message: Told what selection left.

    Raises:
        InvalidDataError: The recipes do not fit the columns.
    """
    check_features(spec, frame, columns)
    blocks = _fit_blocks(spec, frame, columns, truth)
    check_width([name for block in blocks for name in block.names])
    texts = tuple(column for column in columns if _is_text_only(spec.columns.get(column.name)))
    table = fit_table_encoder(frame, [column for column in columns if column not in texts], truth.values)
    encoder = FeatureEncoder(kept=keep_all(blocks), table=table, texts=texts)
    if spec.select is None:
        return encoder
    ordered = in_order(blocks)
    codes = [name for block in ordered if block.cardinality is not None for name in block.names]
    is_kept = select(
        spec.select, encoder.transform_training(frame), truth, num_codes=len(codes), num_threads=num_threads
    )
    names = np.array(encoder.names, dtype=object)
    left_out = names[~is_kept].tolist()
    message(
        f"features: selection by {spec.select.method} keeps {int(is_kept.sum())} of {len(names)}"
        + (f"; left out: {', '.join(left_out[:10])}{', ...' if len(left_out) > 10 else ''}" if left_out else "")
    )
    return FeatureEncoder(kept=keep(blocks, is_kept), table=table, texts=texts)


def _is_text_only(recipe: ColumnRecipe | None) -> bool:
    return recipe is not None and recipe.statistics is not None and recipe.encode is None


def _fit_blocks(spec: FeatureSpec, frame: Frame, columns: Sequence[Column], truth: Truth) -> list[Block]:
    levels: dict[str, ColumnLevels] = {}

    def levels_of(name: str) -> ColumnLevels:
        if name not in levels:
            levels[name] = fit_column_levels(name, frame.columns[name])
        return levels[name]

    blocks: list[Block] = []
    for column in columns:
        recipe = spec.columns.get(column.name, _PLAIN)
        if not recipe.drop:
            blocks += _column_blocks(column, recipe, frame, truth, levels_of)
    if spec.polynomial is not None:
        blocks += [numbers.term_block(term) for term in numbers.polynomial_terms(spec.polynomial)]
    blocks += [numbers.product_block(pair) for pair in spec.products]
    blocks += [numbers.ratio_block(pair) for pair in spec.ratios]
    for cross in spec.crosses:
        blocks += _cross_blocks(cross, truth, levels_of)
    return blocks


def _column_blocks(
    column: Column, recipe: ColumnRecipe, frame: Frame, truth: Truth, levels_of: Callable[[str], ColumnLevels]
) -> list[Block]:
    match column.type:
        case ColumnType.INTEGER | ColumnType.NUMBER:
            return numbers.number_blocks(column.name, frame.columns[column.name], recipe)
        case ColumnType.DATETIME:
            return [date_block(column.name, recipe.parts or [DatePart(part) for part in DATE_PARTS])]
        case _:
            blocks = [text_block(column.name, recipe.statistics)] if recipe.statistics else []
            if _is_text_only(recipe):
                return blocks
            texts = frame.columns[column.name].tolist()
            if recipe.encode is None and (words := find_words(texts, truth.values)):
                return [*blocks, words_block(Words(column=column.name, values=words))]
            found = levels_of(column.name)
            encodes = recipe.encode or [Encode.CODE]
            blocks += category_blocks(found, encodes, truth)
            return blocks + ([ordinal_block(found, recipe.order)] if Encode.ORDINAL in encodes else [])


def _cross_blocks(cross: Cross, truth: Truth, levels_of: Callable[[str], ColumnLevels]) -> list[Block]:
    first, second = cross.columns
    return category_blocks(fit_pair_levels(levels_of(first), levels_of(second)), cross.encode, truth)
