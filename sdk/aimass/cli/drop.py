"""`aimass drop`."""

from typing import Annotated

import typer

from aimass.cli.output import Output, OutputFormat, client_of, say, show_one


def drop(
    context: typer.Context,
    dataset: Annotated[str, typer.Argument(help="The dataset that the files belong to.")] = "<dataset>",
    output: Output = OutputFormat.TABLE,
) -> None:
    """Show where to drop files, and how."""
    system = client_of(context).system.get()
    folder = system.drop_folder
    uri = f"s3://{folder.bucket}/{folder.prefix}{dataset}/"
    # AWS's own address needs no naming; that of a local cloud is plain HTTP and takes the credentials `test`.
    local_url = folder.endpoint_url if folder.endpoint_url and folder.endpoint_url.startswith("http://") else None
    endpoint = f" --endpoint-url {local_url}" if local_url else ""
    show_one(folder, {"drop folder": uri, "with the AWS CLI": f"aws s3 cp{endpoint} more.csv {uri}"}, output=output)
    if local_url and output is OutputFormat.TABLE:
        url = f"{local_url}/{folder.bucket}/{folder.prefix}{dataset}/more.csv"
        say(f"with curl: curl --aws-sigv4 aws:amz:us-east-1:s3 --user test:test -T more.csv {url}")
    say("Files that arrive within the dataset's drop window become one new version, added to the former rows.")
