"""An AWS Lambda function of the model beside this file: a list of rows, as the event itself or as the body of a URL."""

import base64
import json

from predict import Model

MODEL = Model()


def handler(event, context):
    is_http = isinstance(event, dict) and "requestContext" in event
    if not is_http:
        return {"predictions": MODEL.predict(event["rows"] if isinstance(event, dict) else event)}
    body = event.get("body") or "[]"
    if event.get("isBase64Encoded"):
        body = base64.b64decode(body).decode("utf-8")
    try:
        status, document = 200, {"predictions": MODEL.predict(json.loads(body))}
    except (SystemExit, ValueError, AttributeError, KeyError) as error:
        status, document = 400, {"error": str(error)}
    return {"statusCode": status, "headers": {"content-type": "application/json"}, "body": json.dumps(document)}
