"""Answers rows with the model beside this file. Needs onnxruntime and numpy alone.

python predict.py sample.csv            # rows of a CSV file; a JSON object for each on stdout
python predict.py rows.jsonl            # or of JSON objects, one a line
python predict.py tensors.npz           # or tensors, an array for each input, in the dtypes of signature.json
python predict.py --check               # does it still answer as it did where it was made?
"""

import csv
import json
import math
import re
import sys
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import onnxruntime

HERE = Path(__file__).resolve().parent
TYPES = {
    "BYTES": np.object_,
    "BOOL": np.bool_,
    **{f"{kind}{bits}": np.dtype(f"{kind.lower()}{bits}") for kind in ("INT", "UINT") for bits in (8, 16, 32, 64)},
    "FP16": np.float16,
    "FP32": np.float32,
    "FP64": np.float64,
}
MISSING = ("", "?", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "null", "NULL", "None")
SPACE = "[ \u00a0\u2009\u202f]"


class Model:
    """The graph, and what it takes and gives."""

    def __init__(self, folder=HERE):
        self.signature = json.loads((folder / "signature.json").read_text("utf-8"))
        self.inputs, self.outputs = self.signature["inputs"], self.signature["outputs"]
        self.session = onnxruntime.InferenceSession(str(folder / "model.onnx"), providers=["CPUExecutionProvider"])

    def predict(self, rows):
        """A list of objects, one value for each column, to a list of answers."""
        if not rows:
            return []
        return self.to_answers(self.run({spec["name"]: to_tensor(spec, rows) for spec in self.inputs}))

    def run(self, tensors):
        """Tensors in, tensors out, by name."""
        names = [spec["name"] for spec in self.outputs]
        return dict(zip(names, self.session.run(names, tensors)))

    def to_answers(self, outputs):
        """One object for each row: label and probabilities, or value; of other models each output."""
        labels = self.signature.get("labels")
        if labels and "probabilities" in outputs:
            scores = [dict(zip(labels, map(float, row))) for row in outputs["probabilities"]]
            if self.signature["task"] == "multilabel":
                applying = [[name for name, is_on in zip(labels, row) if is_on] for row in outputs["label"]]
                return [{"labels": found, "probabilities": row} for found, row in zip(applying, scores)]
            return [{"label": str(label), "probabilities": row} for label, row in zip(outputs["label"], scores)]
        return [
            {name: values[row].tolist() for name, values in outputs.items()}
            for row in range(len(next(iter(outputs.values()))))
        ]


def to_tensor(spec, rows):
    """The cells of one column as the graph takes them: missing numbers are NaN, missing texts are empty."""
    kind, column = spec.get("column_type"), spec.get("column") or spec["name"]
    cells = [row.get(column) for row in rows]
    if kind in ("integer", "number"):
        return np.array([[to_number(cell, column, spec.get("written"))] for cell in cells], np.float32)
    if kind in ("string", "boolean"):
        return np.array([[to_text(cell)] for cell in cells], object)
    if kind == "datetime":
        return np.array([[to_seconds(cell, column, spec.get("written"))] for cell in cells], np.float64)
    if kind == "series":
        series = [np.array([math.nan if v is None else v for v in to_list(cell)], np.float32) for cell in cells]
        width = spec["shape"][1] if spec["shape"][1] > 0 else max([len(values) for values in series] + [1])
        tensor = np.full((len(series), width), np.nan, np.float32)
        for row, values in enumerate(series):
            tensor[row, : len(values)] = values
        return tensor
    return np.array(cells, TYPES[spec["datatype"]])


def to_number(cell, column, written=None):
    """`written`: an example of how numbers were written in the training data, such as 1.234,5€."""
    if cell is None or (isinstance(cell, str) and cell.strip() in MISSING):
        return math.nan
    try:
        if written and isinstance(cell, str):
            before, thousands, decimal, after = re.fullmatch(r"(\D*)1(\D?)234(\D)5(\D*)", written).groups()
            number = cell.replace(before, "").replace(after, "").strip(" \u00a0\u2009\u202f")
            digits = f"[1-9][0-9]{{0,2}}(?:{SPACE if thousands == ' ' else re.escape(thousands)}[0-9]{{3}})+|[0-9]*"
            if re.fullmatch(rf"\(?[+-]?(?:{digits})(?:{re.escape(decimal)}[0-9]+)?\)?", number):
                plain = "".join(each for each in number if each in f"0123456789{decimal}").replace(decimal, ".")
                cell = f"-{plain}" if "-" in number or "(" in number else plain
        return float(cell)
    except (TypeError, ValueError):
        raise SystemExit(f"{column}: {cell!r} is not a number") from None


def to_text(cell):
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    text = str(cell).strip()
    return "" if text in MISSING else text


def to_seconds(cell, column, written=None):
    """`written`: the format of times in the training data, such as %d/%m/%Y."""
    if cell is None or (isinstance(cell, str) and cell.strip() in MISSING):
        return math.nan
    if isinstance(cell, (int, float)):
        return float(cell)
    try:
        return float(cell)
    except ValueError:
        pass
    try:
        if written:
            return datetime.strptime(cell.strip(), written).replace(tzinfo=timezone.utc).timestamp()
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(cell.strip().replace("Z", "+00:00"))
    except ValueError:
        raise SystemExit(f"{column}: {cell!r} is not a date or time; write 2026-11-23T12:30:00Z") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


def to_list(cell):
    if cell is None or (isinstance(cell, str) and cell.strip() in MISSING):
        return []
    return json.loads(cell) if isinstance(cell, str) else cell


def read_rows(path):
    """Of a CSV file or of JSON objects, one a line."""
    with Path(path).open(newline="", encoding="utf-8-sig") as file:
        if path.endswith((".jsonl", ".ndjson")):
            return [json.loads(line) for line in file if line.strip()]
        return list(csv.DictReader(file))


def check(model):
    """The golden request has to get the golden answer."""
    golden = json.loads((HERE / "golden.json").read_text("utf-8"))
    tensors = {spec["name"]: from_json(golden["inputs"][spec["name"]], spec["datatype"]) for spec in model.inputs}
    found, worst = model.run(tensors), 0.0
    for spec in model.outputs:
        values, expected = found[spec["name"]], from_json(golden["outputs"][spec["name"]], spec["datatype"])
        if spec["datatype"] in ("BYTES", "BOOL"):
            if values.tolist() != expected.tolist():
                raise SystemExit(f"{spec['name']} is {values.tolist()}, not {expected.tolist()}")
        else:
            worst = max(worst, float(np.nan_to_num(np.abs(values - expected)).max(initial=0)))
    if worst > golden["tolerance"]:
        raise SystemExit(f"the answers differ by {worst:.3g}; at most {golden['tolerance']:.3g} is right")
    print(f"It answers as it did: they differ by {worst:.3g}.")


def from_json(values, datatype):
    if datatype.startswith("FP"):
        return np.array(to_nan(values), TYPES[datatype])
    return np.array(values, TYPES[datatype])


def to_nan(values):
    return [to_nan(value) for value in values] if isinstance(values, list) else math.nan if values is None else values


def main(arguments):
    if len(arguments) != 1:
        raise SystemExit(__doc__)
    model = Model()
    if arguments[0] == "--check":
        check(model)
    elif arguments[0].endswith(".npz"):
        with np.load(arguments[0], allow_pickle=False) as archive:
            for answer in model.to_answers(model.run({name: archive[name] for name in archive.files})):
                print(json.dumps(answer))
    else:
        for answer in model.predict(read_rows(arguments[0])):
            print(json.dumps(answer))


if __name__ == "__main__":
    main(sys.argv[1:])
