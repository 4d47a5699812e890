"""Collectors in Python: functions that yield records, or a class of them.

>>> from aimass.collect import Run, stream
>>>
>>> @stream(primary_key="id", cursor="updated_at")
... def orders(run: Run):
...     since = run.start("2020-01-01T00:00:00Z")
...     for order in fetch_orders(since, token=run.config["token"]):
...         yield order

`aimass collectors new` makes a package of this kind, `aimass collectors run` tries it, `aimass collectors publish`
makes it a source. What is yielded goes to standard output as Singer messages, so a collector is a Singer tap as well.
"""

from aimass.collect.streams import Collector, Run, stream

__all__ = ["Collector", "Run", "stream"]
