"""What holds data outlives its stack, is private, and announces what arrives."""

from datetime import timedelta

from aimass_core.domain.settings.retention import RetentionSettings
from infra.cdk import naming
from tests.infra.templates import Template


def test_j8_data_outlives_the_stack(stateful: Template) -> None:
    for resource_type in ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::SecretsManager::Secret"):
        for name, item in stateful.resources(resource_type).items():
            assert item["DeletionPolicy"] == item["UpdateReplacePolicy"] == "Retain", name


def test_j8_tables_can_be_restored_to_any_second(stateful: Template) -> None:
    for table in stateful.properties("AWS::DynamoDB::Table"):
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
        assert table["BillingMode"] == "PAY_PER_REQUEST"


def test_the_registry_has_its_keys_index_and_stream(stateful: Template) -> None:
    registry = next(
        item for item in stateful.properties("AWS::DynamoDB::Table") if item["TableName"] == "aimass-registry"
    )
    assert [key["AttributeName"] for key in registry["KeySchema"]] == ["pk", "sk"]
    (index,) = registry["GlobalSecondaryIndexes"]
    assert index["IndexName"] == "gsi1"
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["gsi1pk", "gsi1sk"]
    assert index["Projection"] == {"ProjectionType": "ALL"}
    assert registry["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    assert registry["TimeToLiveSpecification"] == {"AttributeName": "expires_at", "Enabled": True}
    assert registry["DeletionProtectionEnabled"] is True


def test_studies_have_their_keys_and_are_protected(stateful: Template) -> None:
    studies = next(
        item for item in stateful.properties("AWS::DynamoDB::Table") if item["TableName"] == naming.STUDIES_TABLE
    )
    assert [(key["AttributeName"], key["KeyType"]) for key in studies["KeySchema"]] == [("pk", "HASH"), ("sk", "RANGE")]
    assert studies["DeletionProtectionEnabled"] is True
    # Trials never expire, and nobody listens.
    assert not {"TimeToLiveSpecification", "StreamSpecification"} & studies.keys()


def test_j10_bucket_names_hold_the_account_so_nobody_else_can_take_them(stateful: Template) -> None:
    for bucket in stateful.properties("AWS::S3::Bucket"):
        assert "AWS::AccountId" in str(bucket["BucketName"])
        assert "AWS::Region" in str(bucket["BucketName"])


def test_buckets_are_private_and_encrypted(stateful: Template) -> None:
    for bucket in stateful.properties("AWS::S3::Bucket"):
        assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
        assert bucket["BucketEncryption"]
        assert bucket["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]


def test_h12_pages_of_the_console_alone_send_what_was_signed_for_them(stateful: Template) -> None:
    rules = {
        bucket["BucketName"]["Fn::Sub"].split("-")[1]: bucket["CorsConfiguration"]["CorsRules"]
        for bucket in stateful.properties("AWS::S3::Bucket")
    }
    assert {name: [rule["AllowedMethods"] for rule in found] for name, found in rules.items()} == {
        "landing": [["PUT"]],
        "lake": [["GET", "PUT"]],
    }
    for (rule,) in rules.values():
        assert rule["AllowedOrigins"] == [{"Fn::Sub": "https://*.execute-api.${AWS::Region}.${AWS::URLSuffix}"}]
        assert rule["AllowedHeaders"] == ["if-none-match", "x-amz-checksum-sha256"]
        assert "ExposedHeaders" not in rule


def test_buckets_refuse_plain_http(stateful: Template) -> None:
    policies = stateful.properties("AWS::S3::BucketPolicy")
    assert len(policies) == len(stateful.resources("AWS::S3::Bucket"))
    for policy in policies:
        conditions = [item.get("Condition") for item in policy["PolicyDocument"]["Statement"]]
        assert {"Bool": {"aws:SecureTransport": "false"}} in conditions


def test_a6_unfinished_uploads_are_removed(stateful: Template) -> None:
    for bucket in stateful.properties("AWS::S3::Bucket"):
        aborts = [
            rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
            for rule in bucket["LifecycleConfiguration"]["Rules"]
            if "AbortIncompleteMultipartUpload" in rule
        ]
        assert aborts == [7]


def test_only_uploads_rows_of_queries_predictions_and_captured_requests_expire(stateful: Template) -> None:
    expiring = {
        (rule.get("Prefix"), rule["ExpirationInDays"])
        for bucket in stateful.properties("AWS::S3::Bucket")
        for rule in bucket["LifecycleConfiguration"]["Rules"]
        if "ExpirationInDays" in rule
    }
    assert expiring == {("uploads/", 30), ("queries/", 8), ("predictions/", 2), ("captures/", 90)}
    assert timedelta(days=2) > timedelta(hours=_most("answers_hours"))
    assert timedelta(days=8) > timedelta(days=_most("queries_days")), "their rows in the registry go first"


def test_both_prefixes_are_announced_on_the_ingest_queue(stateful: Template) -> None:
    (configurations,) = [
        item["NotificationConfiguration"]["QueueConfigurations"]
        for item in stateful.properties("AWS::S3::Bucket")
        if "NotificationConfiguration" in item
    ]
    prefixes = [item["Filter"]["S3Key"]["Rules"][0] for item in configurations]
    assert prefixes == [{"Name": "prefix", "Value": "uploads/"}, {"Name": "prefix", "Value": "drop/"}]
    assert {item["Event"] for item in configurations} == {"s3:ObjectCreated:*"}


def test_the_queue_lets_the_bucket_in_before_the_bucket_is_made(stateful: Template) -> None:
    (landing,) = [
        item
        for item in stateful.resources("AWS::S3::Bucket").values()
        if "NotificationConfiguration" in item["Properties"]
    ]
    policies = stateful.resources("AWS::SQS::QueuePolicy")
    (needed,) = [name for name in landing["DependsOn"] if name in policies]
    statements = policies[needed]["Properties"]["PolicyDocument"]["Statement"]
    (allowing,) = [item for item in statements if item["Effect"] == "Allow"]
    assert allowing["Principal"] == {"Service": "s3.amazonaws.com"}
    assert allowing["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_a_message_that_fails_five_times_is_kept_apart(stateful: Template) -> None:
    (queue,) = [item for item in stateful.properties("AWS::SQS::Queue") if "RedrivePolicy" in item]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == 5


def _most(name: str) -> int:
    """The upper bound of a setting of retention."""
    return int(RetentionSettings.model_json_schema()["properties"][name]["maximum"])
