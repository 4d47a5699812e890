"""Run by a test in a process of its own: asks Spark, with a Hive catalogue that holds what Glue holds.

`python spark_answers.py <request.json>`; the answer goes to the file that the request names, as JSON. Spark on AWS
takes Glue for its catalogue (`spark.hadoop.hive.metastore.client.factory.class`) and S3 for the files; here the table
is copied from Glue into Spark's own metastore, and a location is the folder in which the local cloud keeps it.
"""

import json
import sys
from pathlib import Path
from typing import Any

from pyspark.sql import SparkSession


def main() -> None:
    """The one command."""
    request = json.loads(Path(sys.argv[1]).read_text())
    folder = Path(sys.argv[1]).parent
    spark = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.warehouse.dir", str(folder / "warehouse"))
        .config(
            "spark.driver.extraJavaOptions",
            f"-Dderby.system.home={folder / 'derby'} -Dderby.stream.error.file={folder / 'derby.log'}",
        )
        .config(
            "spark.hadoop.javax.jdo.option.ConnectionURL",
            f"jdbc:derby:;databaseName={folder / 'metastore'};create=true",
        )
        .enableHiveSupport()
        .getOrCreate()
    )
    for statement in to_ddl(request["table"], request["partitions"]):
        spark.sql(statement)
    answers = [[list(row) for row in spark.sql(sql).collect()] for sql in request["queries"]]
    Path(request["answer"]).write_text(json.dumps(answers, default=str))
    spark.stop()


def to_ddl(table: dict[str, Any], partitions: list[dict[str, Any]]) -> list[str]:
    """What makes the table in a Hive catalogue, word for word as Glue has it."""
    storage = table["StorageDescriptor"]
    columns = ", ".join(f"`{column['Name']}` {column['Type']}" for column in storage["Columns"])
    keys = ", ".join(f"`{key['Name']}` {key['Type']}" for key in table["PartitionKeys"])
    name = f"`{table['DatabaseName']}`.`{table['Name']}`"
    made = [
        f"CREATE DATABASE IF NOT EXISTS `{table['DatabaseName']}`",
        f"CREATE EXTERNAL TABLE {name} ({columns}) PARTITIONED BY ({keys}) "
        f"ROW FORMAT SERDE '{storage['SerdeInfo']['SerializationLibrary']}' "
        f"STORED AS INPUTFORMAT '{storage['InputFormat']}' OUTPUTFORMAT '{storage['OutputFormat']}' "
        f"LOCATION '{storage['Location']}'",
    ]
    for partition in partitions:
        values = ", ".join(
            f"`{key['Name']}` = '{value}'"
            for key, value in zip(table["PartitionKeys"], partition["Values"], strict=True)
        )
        location = partition["StorageDescriptor"]["Location"]
        made.append(f"ALTER TABLE {name} ADD PARTITION ({values}) LOCATION '{location}'")
    return made


if __name__ == "__main__":
    main()
