"""A receiver as one writes it in Python: is the delivery genuine, is the connection known, into the queue."""

import base64
import hashlib
import hmac
import http.client
import json
import os

import boto3

dynamodb = boto3.client("dynamodb")
sqs = boto3.client("sqs")


def handle(event):
    connection = event["pathParameters"]["connection_id"]
    body = event["body"].encode()
    digest = hmac.new(os.environ["WEBHOOK_SECRET"].encode(), body, hashlib.sha256).digest()
    if not hmac.compare_digest(base64.b64encode(digest).decode(), event["headers"]["x-shopify-hmac-sha256"]):
        return {"statusCode": 401, "body": ""}
    key = {"pk": {"S": "connection"}, "sk": {"S": connection}}
    if "Item" not in dynamodb.get_item(TableName=os.environ["REGISTRY_TABLE"], Key=key):
        return {"statusCode": 404, "body": ""}
    sqs.send_message(QueueUrl=os.environ["RAW_DELIVERIES_QUEUE_URL"], MessageBody=event["body"])
    return {"statusCode": 200, "body": ""}


def main():
    runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    while True:
        runtime.request("GET", "/2018-06-01/runtime/invocation/next")
        response = runtime.getresponse()
        event = json.loads(response.read())
        invocation = response.headers["Lambda-Runtime-Aws-Request-Id"]
        answer = json.dumps(handle(event)).encode()
        runtime.request("POST", f"/2018-06-01/runtime/invocation/{invocation}/response", answer)
        runtime.getresponse().read()


main()
