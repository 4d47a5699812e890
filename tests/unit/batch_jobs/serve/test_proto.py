"""Our messages of the gRPC service are those of Triton's clients, field by field."""

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from tritonclient.grpc import model_config_pb2, service_pb2

from batch_jobs.serve.grpc import inference_pb2

MESSAGES = sorted(inference_pb2.DESCRIPTOR.message_types_by_name)


@pytest.mark.parametrize("name", MESSAGES)
def test_every_field_has_the_number_and_the_type_that_clients_know(name: str) -> None:
    theirs = service_pb2.DESCRIPTOR.message_types_by_name.get(name)
    theirs = theirs or model_config_pb2.DESCRIPTOR.message_types_by_name[name]
    _compare(inference_pb2.DESCRIPTOR.message_types_by_name[name], theirs)


def test_datatypes_have_the_numbers_that_clients_know() -> None:
    assert dict(inference_pb2.DataType.items()) == dict(model_config_pb2.DataType.items())


def _compare(ours: Descriptor, theirs: Descriptor) -> None:
    known = {field.name: _describe(field) for field in theirs.fields}
    assert {field.name: _describe(field) for field in ours.fields}.items() <= known.items()
    for name, nested in ours.nested_types_by_name.items():
        _compare(nested, theirs.nested_types_by_name[_ALIASES.get(name, name)])


_ALIASES = {"Specific": "Specific"}


def _describe(field: FieldDescriptor) -> tuple[int, int, bool, str]:
    kind = field.message_type or field.enum_type
    return field.number, field.type, field.is_repeated, kind.name if kind else ""
