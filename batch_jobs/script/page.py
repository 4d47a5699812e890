"""The report of a script's model: one HTML file that loads nothing."""

from collections.abc import Mapping
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from aimass_core.domain.signatures import Card, Signature

_PAGE = Environment(autoescape=True, undefined=StrictUndefined).from_string("""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>A model</title>
<style>body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}td,th{padding:.2rem .8rem;border-bottom:1px solid #ddd;text-align:left}</style>
<h1>{{ card.framework }}</h1>
<p>{{ card.warnings[0] }}{% if card.dataset %} Its data: <code>{{ card.dataset }}</code>.{% endif %}
{{ "{:,}".format(card.model_bytes) }} bytes of ONNX, {{ card.training_seconds }} s.</p>
{% for title, rows in (("Metrics", metrics), ("Hyperparameters", card.hyperparameters)) if rows %}
<h2>{{ title }}</h2><table>{% for name, value in rows.items() %}<tr><td>{{ name }}</td><td>{{ value }}</td></tr>
{% endfor %}</table>{% endfor %}
{% for title, specs in (("Inputs", signature.inputs), ("Outputs", signature.outputs)) %}
<h2>{{ title }}</h2><table>{% for spec in specs %}<tr><td>{{ spec.name }}</td><td>{{ spec.datatype.value }}</td>
<td>{{ spec.shape }}</td></tr>{% endfor %}</table>{% endfor %}
</html>
""")


def write_page(path: Path, card: Card, signature: Signature, *, metrics: Mapping[str, float]) -> None:
    """What is known of the model."""
    path.write_text(_PAGE.render(card=card, signature=signature, metrics=metrics), encoding="utf-8")
