"""Friendly rows: what people send is understood where it can be, and every row is answered for itself."""

import base64
import io
import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from PIL import Image

from aimass_core.domain.schemas import ColumnType
from aimass_core.domain.signatures import Task
from aimass_core.inference.rows import cells
from aimass_core.inference.rows.errors import CellError
from tests.factories.served_models import (
    IMAGES,
    TABLE,
    deploy,
    endless_model,
    image_model,
    picky_model,
    signature_of,
    table_probability,
)
from tests.unit.predictions.bench import Answer, Bench, Context


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    deploy(made.ports, made.workspace_id, number=3)
    return made


def post_csv(bench: Bench, text: str | bytes, content_type: str = "text/csv; charset=utf-8") -> Answer:
    body = text.encode() if isinstance(text, str) else text
    return bench.send("POST", "/v1/endpoints/adult/predict", body=body, headers={"Content-Type": content_type})


def test_records_are_answered_with_label_and_probabilities(bench: Bench) -> None:
    answer = bench.predict({"age": 39, "city": "Oslo"}, {"city": "Rome"}, {"age": None, "city": "Rome"})
    assert answer.status == 200
    document = answer.json
    assert document["model_name"] == "adult"
    assert document["model_version"] == 3
    first, second, third = document["predictions"]
    wanted = table_probability(39, "Oslo")
    assert first["label"] == "yes"
    assert first["probability"] == pytest.approx(wanted, abs=1e-6)
    assert first["probabilities"] == pytest.approx({"no": 1 - wanted, "yes": wanted}, abs=1e-6)
    assert first["value"] is first["error"] is None
    assert second == third
    assert second["probability"] == pytest.approx(table_probability(None, "Rome"), abs=1e-6)


def test_csv_is_the_same_as_records(bench: Bench) -> None:
    records = bench.predict({"age": 39, "city": "Oslo"}, {"age": None, "city": "Rome"}).json
    for text in (
        "age,city\n39,Oslo\n,Rome\n",
        "\ufeffage,city\r\n39,Oslo\r\n?,Rome",
        "city;age\n Oslo ; 39 \n\nRome;NA\n",
        'age\tcity\n39\t"Oslo"\n\tRome\n',
    ):
        assert post_csv(bench, text).json == records


def test_columns_that_the_model_does_not_use_are_ignored_with_one_warning(bench: Bench) -> None:
    document = post_csv(bench, "age,city,income,zip\n39,Oslo,yes,1\n40,Rome,no,2\n").json
    assert document["warnings"] == ["columns that the model does not use were ignored: 'income', 'zip'"]
    assert [prediction["error"] for prediction in document["predictions"]] == [None, None]


def test_columns_that_no_row_has_are_told(bench: Bench) -> None:
    assert bench.predict({"age": 39}, {"age": 40, "town": "Oslo"}).json["warnings"] == [
        "columns that the model does not use were ignored: 'town'",
        "columns that no row has are missing values: 'city'",
    ]
    assert bench.predict({"age": 39}, {"city": None}).json["warnings"] == []


def test_rows_without_any_known_column_are_refused(bench: Bench) -> None:
    answer = bench.predict({"Age": 39}, {"CITY": "Oslo"})
    assert answer.status == 422
    assert "'Age', 'CITY'" in answer.json["detail"]
    assert "'age', 'city'" in answer.json["detail"]


def test_one_bad_row_spoils_no_other(bench: Bench) -> None:
    predictions = bench.predict(
        {"age": "old", "city": "Oslo"}, {"age": "39", "city": "Oslo"}, {"age": True, "city": ["Oslo"]}
    ).json["predictions"]
    assert predictions[0] == {**dict.fromkeys(predictions[0]), "warnings": [], "error": "age: 'old' is not a number"}
    assert predictions[1]["label"] == "yes"
    assert predictions[2]["error"] == "age: True is not a number; city: ['Oslo'] is not text"


def test_g6_row_that_the_model_cannot_be_run_on_is_told_and_the_others_are_answered() -> None:
    bench = Bench()
    deploy(bench.ports, bench.workspace_id, model=picky_model())
    rows = [{"age": 1, "city": "Atlantis" if number in (3, 40) else "Rome"} for number in range(64)]
    predictions = bench.predict(*rows).json["predictions"]
    failed = [number for number, prediction in enumerate(predictions) if prediction["error"]]
    assert failed == [3, 40]
    assert {prediction["label"] for prediction in predictions} == {"yes", None}


def test_g12_values_unlike_training_are_warned_of(bench: Bench) -> None:
    predictions = bench.predict(
        {"age": 39, "city": "Oslo"}, {"age": 200, "city": "Paris"}, {"age": None}, {"age": 1e39, "city": "Oslo"}
    ).json["predictions"]
    assert predictions[0]["warnings"] == []
    assert predictions[1]["warnings"] == [
        "age: 200 is outside of the training data (17 to 90)",
        "city: 'Paris' did not occur in training",
    ]
    assert predictions[2]["warnings"] == [
        "every value is missing: the answer is what the model says without knowing anything"
    ]
    assert predictions[3]["probability"] == 0.5


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "no rows"),
        ("age,city\n", "no rows"),
        ("age,age\n1,2\n", "'age' more than once"),
        ('age,city\n1,"Oslo\n', "line"),
        ("age,city\n1," + "x" * 200_000 + "\n", "field larger"),
    ],
    ids=lambda value: value[:20],
)
def test_csv_that_cannot_be_read_is_refused(bench: Bench, text: str, word: str) -> None:
    answer = post_csv(bench, text)
    assert answer.status == 422
    assert answer.code == "invalid_request"
    assert word in answer.json["detail"]


def test_csv_row_of_another_length_is_an_error_of_that_row(bench: Bench) -> None:
    predictions = post_csv(bench, "age,city\n1,Oslo,more\n2,Rome\n3\n").json["predictions"]
    assert predictions[0]["error"] == "line 2 has 3 cells, the header has 2"
    assert predictions[1]["label"] == "yes"
    assert predictions[2]["error"] == "line 4 has 1 cells, the header has 2"


@pytest.mark.parametrize(
    ("document", "status"),
    [
        ({}, 422),
        ({"rows": []}, 422),
        ({"rows": [1]}, 422),
        ({"rows": [{"age": 1}], "extra": 1}, 422),
        ({"rows": {"age": 1}}, 422),
        ([], 400),
        ({"rows": [{"age": 1}] * 10_001}, 413),
    ],
    ids=lambda value: str(value)[:30],
)
def test_wrong_json_is_a_problem(bench: Bench, document: Any, status: int) -> None:
    answer = bench.post("/v1/endpoints/adult/predict", document)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"


def test_too_many_csv_rows_are_refused(bench: Bench) -> None:
    answer = post_csv(bench, "age\n" + "1\n" * 10_001)
    assert answer.status == 413


def test_ten_thousand_rows_are_answered(bench: Bench) -> None:
    predictions = bench.predict(*[{"age": number % 60 + 20, "city": "Oslo"} for number in range(10_000)]).json[
        "predictions"
    ]
    assert len(predictions) == 10_000
    assert predictions[9_999]["probability"] == pytest.approx(table_probability(9_999 % 60 + 20, "Oslo"), abs=1e-6)


def test_other_media_types_are_refused(bench: Bench) -> None:
    assert post_csv(bench, "age\n1\n", "application/xml").code == "unsupported_media_type"
    assert post_csv(bench, b"age\n\xff\n").code == "malformed_request"


def test_endpoint_of_another_workspace_does_not_exist(bench: Bench) -> None:
    body = json.dumps({"rows": [{"age": 1}]}).encode()
    answer = bench.send("POST", "/v1/endpoints/adult/predict", body=body, workspace_id="ws_other")
    assert answer.status == 404
    assert answer.code == "not_found"
    answer = bench.send("POST", "/v1/endpoints/adult/predict", body=body, workspace_id=None)
    assert answer.status == 401


def test_g7_deadline_ends_the_model_and_answers_504_as_often_as_it_is_asked() -> None:
    bench = Bench(context=Context(milliseconds=1_300))
    deploy(bench.ports, bench.workspace_id, model=endless_model(), signature=signature_of(ColumnType.NUMBER))
    for _ in range(2):
        answer = bench.predict({"number": 1})
        assert answer.status == 504
        assert answer.code == "deadline_exceeded"
    answer = bench.infer({"name": "number", "datatype": "FP32", "shape": [1, 1], "data": [1]})
    assert answer.status == 504
    assert "fewer rows" in answer.error


# --- cells -----------------------------------------------------------------------------------------------------------


def column(column_type: ColumnType) -> Any:
    return signature_of(column_type).inputs[0]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("39", 39.0),
        (" -1.5e3 ", -1500.0),
        (".5", 0.5),
        (7, 7.0),
        (None, None),
        ("", None),
        ("?", None),
        ("NaN", None),
        ("inf", None),
        (10**400, None),
        (1e300, None),
    ],
)
def test_numbers(cell: Any, value: float | None) -> None:
    tensor, errors = cells.to_tensor(column(ColumnType.NUMBER), [cell, "1"])
    assert tensor.dtype == np.float32
    assert tensor.shape == (2, 1)
    assert errors == {}
    assert np.isnan(tensor[0, 0]) if value is None else tensor[0, 0] == np.float32(value)


@pytest.mark.parametrize("cell", ["1,5", "0x10", "1_000", "\u0661", True, [], {}, "12abc"])
def test_what_is_no_number(cell: Any) -> None:
    with pytest.raises(CellError, match="is not a number"):
        cells.to_number(cell)


@pytest.mark.parametrize(
    ("cell", "text"), [(True, "true"), (False, "false"), ("TRUE", "true"), (" false ", "false"), (None, ""), ("NA", "")]
)
def test_booleans(cell: Any, text: str) -> None:
    assert cells.to_boolean(cell) == text


def test_what_is_no_boolean() -> None:
    with pytest.raises(CellError, match="neither true nor false"):
        cells.to_boolean("yes")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("2026-11-23", datetime(2026, 11, 23, tzinfo=UTC)),
        ("2026-11-23T12:30:00Z", datetime(2026, 11, 23, 12, 30, tzinfo=UTC)),
        ("2026-11-23T12:30:00.250+02:00", datetime(2026, 11, 23, 10, 30, 0, 250_000, tzinfo=UTC)),
        ("2026-11-23 12:30", datetime(2026, 11, 23, 12, 30, tzinfo=UTC)),
        ("23.11.2026", datetime(2026, 11, 23, tzinfo=UTC)),
        ("2026/11/23", datetime(2026, 11, 23, tzinfo=UTC)),
        ("1950-01-01", datetime(1950, 1, 1, tzinfo=UTC)),
    ],
)
def test_dates(cell: str, expected: datetime) -> None:
    assert cells.to_seconds(cell) == expected.timestamp()


@pytest.mark.parametrize(
    ("column_type", "written", "cell", "expected"),
    [
        (ColumnType.DATETIME, "%d/%m/%Y", "03/02/2026", datetime(2026, 2, 3, tzinfo=UTC).timestamp()),
        (ColumnType.DATETIME, "%m/%d/%Y", "03/02/2026", datetime(2026, 3, 2, tzinfo=UTC).timestamp()),
        (ColumnType.DATETIME, "%m/%d/%Y", "2026-02-03", datetime(2026, 2, 3, tzinfo=UTC).timestamp()),
        (ColumnType.DATETIME, None, "03 Feb 2026", datetime(2026, 2, 3, tzinfo=UTC).timestamp()),
        (ColumnType.NUMBER, "$1,234.5", "$1,200.50", 1200.5),
        (ColumnType.NUMBER, "$1,234.5", 1200.5, 1200.5),
        (ColumnType.NUMBER, "1.234,5€", "1.200", 1200),
        (ColumnType.NUMBER, "1.234,5€", "0.5", 0.5),
        (ColumnType.NUMBER, "1234.5%", "12 %", 12),
    ],
)
def test_cells_are_read_as_those_of_the_training_data_were(
    column_type: ColumnType, written: str | None, cell: Any, expected: float
) -> None:
    spec = TABLE.inputs[0].model_copy(update={"column_type": column_type, "written": written})
    values, errors = cells.to_tensor(spec, [cell])
    assert (values.tolist(), errors) == ([[expected]], {})


def test_a_date_with_two_meanings_is_not_guessed() -> None:
    spec = TABLE.inputs[0].model_copy(update={"column_type": ColumnType.DATETIME, "written": None})
    assert "is not a date or time" in cells.to_tensor(spec, ["03/02/2026"])[1][0]
    told = cells.to_tensor(spec.model_copy(update={"written": "%d/%m/%Y"}), ["soon"])[1][0]
    assert "write it as 23/11/2026, as in the training data" in told


def test_a_csv_with_decimal_commas_is_read_as_by_an_upload(bench: Bench) -> None:
    comma, point = post_csv(bench, "age;city\n39,5;Oslo\n").json, bench.predict({"age": 39.5, "city": "Oslo"}).json
    assert comma["predictions"] == point["predictions"]


@pytest.mark.parametrize("cell", ["11/12/2026", "yesterday", 5, True, "2026-13-01"])
def test_what_is_no_date(cell: Any) -> None:
    with pytest.raises(CellError, match="is not a date or time"):
        cells.to_seconds(cell)


@pytest.mark.parametrize(
    ("cell", "text"), [("  Oslo ", "Oslo"), (12, "12"), (1.5, "1.5"), (True, "true"), (None, ""), ("?", "")]
)
def test_texts(cell: Any, text: str) -> None:
    assert cells.to_text(cell) == text


# --- images ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def images() -> Bench:
    made = Bench()
    deploy(made.ports, made.workspace_id, name="shades", model=image_model(), signature=IMAGES)
    return made


def encode(pixels: np.ndarray[Any, Any], form: str = "PNG", **options: Any) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, form, **options)
    return base64.b64encode(buffer.getvalue()).decode()


def test_images_come_as_files_or_lists(images: Bench) -> None:
    grey = np.full((4, 6), 100, np.uint8)
    colour = np.full((8, 12, 3), 100, np.uint8)
    cells_given = [
        encode(grey),
        "data:image/png;base64," + encode(grey),
        encode(grey, "JPEG", quality=95),
        encode(colour),
        grey.tolist(),
        grey[:, :, None].tolist(),
        colour.tolist(),
    ]
    document = images.predict(*[{"image": cell} for cell in cells_given], name="shades").json
    assert [prediction["error"] for prediction in document["predictions"]] == [None] * 7
    assert [prediction["value"] for prediction in document["predictions"]] == pytest.approx([100.0] * 7, abs=1)


def test_images_are_resized_as_in_training(images: Bench) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 13), np.uint8)
    resized = np.asarray(Image.fromarray(pixels).resize((6, 4), Image.Resampling.BILINEAR))
    (prediction,) = images.predict({"image": encode(pixels)}, name="shades").json["predictions"]
    assert prediction["value"] == pytest.approx(resized.mean(), abs=1e-3)


@pytest.mark.parametrize(
    ("cell", "word"),
    [
        (None, "an image is needed"),
        (5, "an image is needed"),
        ("not base64!", "not base64"),
        (base64.b64encode(b"<svg/>").decode(), "neither a PNG nor a JPEG"),
        (encode(np.zeros((4, 6), np.uint8))[:-40], "neither a PNG nor a JPEG"),
        (encode(np.zeros((4, 6), np.uint8), "GIF"), "neither a PNG nor a JPEG"),
        (encode(np.zeros((8_000, 8_000), np.uint8)), "8000 x 8000 pixels"),
        ([[1, 2], [3]], "differ in length"),
        ([1, 2], "shape [2]"),
        ([], "shape [0]"),
        ([[256]], "from 0 to 255"),
        ([[0.5]], "from 0 to 255"),
        ([["a"]], "from 0 to 255"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_what_is_no_image_is_an_error_of_its_row(images: Bench, cell: Any, word: str) -> None:
    good = {"image": np.full((4, 6), 7, np.uint8).tolist()}
    first, second = images.predict({"image": cell}, good, name="shades").json["predictions"]
    assert word in first["error"]
    assert second["value"] == pytest.approx(7)


def test_model_of_tensors_says_where_they_go() -> None:
    bench = Bench()
    inputs = [spec.model_copy(update={"column": None, "column_type": None}) for spec in TABLE.inputs]
    deploy(
        bench.ports,
        bench.workspace_id,
        signature=TABLE.model_copy(update={"task": Task.CUSTOM, "inputs": inputs}),
    )
    answer = bench.predict({"age": 39, "city": "Oslo"})
    assert answer.status == 422
    assert "/v2/models/adult/infer" in answer.json["detail"]
