"""Starts ministack, an emulator of AWS, closer to AWS than it is by itself.

It listens on a free port of 127.0.0.1, says where on standard output, and ends when its standard input does, so that it does
not outlive whoever started it. Each class or function below mends one thing that ministack 1.5.33 does otherwise than AWS
and that the product relies on; ../README.md has them in a table.
"""

import atexit
import copy
import fcntl
import json
import os
import shutil
import signal
import socket
import socketserver
import struct
import sys
import tempfile
import termios
import threading
import time
import urllib.request

# ---- Where it listens and what functions are told: ministack reads this when it is imported --------------------------------


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


PORT = free_port()
ADDRESS = f"http://127.0.0.1:{PORT}"
# Unpacked functions lie here.
tempfile.tempdir = tempfile.mkdtemp(prefix="tillstream-emulator-")
atexit.register(shutil.rmtree, tempfile.tempdir, ignore_errors=True)
os.environ.update(
    BIND_HOST="127.0.0.1",
    GATEWAY_PORT=str(PORT),
    # Addresses of APIs end in this, and the machine knows it without being asked.
    MINISTACK_HOST="localhost",
    # Neither is of use here, and both would listen to the outside.
    IOT_MTLS_ENABLED="0",
    SFTP_ENABLED="0",
    # Functions are processes of this machine.
    LAMBDA_EXECUTOR="local",
    # Each that waits costs several threads that look around ten times a second.
    LAMBDA_WARM_TTL_SECONDS="60",
    # Functions inherit these.
    AWS_ENDPOINT_URL=ADDRESS,
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_DEFAULT_REGION="us-east-1",
    # The shops of the tests are on this machine.
    FETCH_PRIVATE_HOSTS="true",
)

import ministack.app
import ministack.core.lambda_runtime as runtimes
import ministack.services.apigateway as gateway
import ministack.services.cloudformation.changesets as changesets
import ministack.services.cloudformation.handlers as stacks
import ministack.services.cloudformation.provisioners as provisioners
import ministack.services.dynamodb as dynamodb
import ministack.services.lambda_svc as functions
import ministack.services.sqs as sqs

# Answers leave in two writes; with Nagle's algorithm on, the second waits for the first to be acknowledged.
socketserver.StreamRequestHandler.disable_nagle_algorithm = True


# ---- SAM's transformation: what a parameter decides there is decided by its value, not by its default ----------------------


def with_parameters(transform):
    def transformed(template, given=None, previous=None):
        template = copy.deepcopy(template)
        declared = template.get("Parameters") or {}
        for parameter in given or ():
            if parameter["Key"] in declared and not parameter["UsePreviousValue"]:
                declared[parameter["Key"]]["Default"] = parameter["Value"]
        return transform(template, given, previous)

    return transformed


for module in (changesets, stacks):
    module._apply_transforms = with_parameters(module._apply_transforms)


# ---- HTTP APIs: the routes of the OpenAPI document that SAM makes of them --------------------------------------------------


def import_document(api, document):
    """What API Gateway does with `Body`. Authorizers and CORS are not used by the template, so they are not read."""
    gateway._routes[api] = {}
    gateway._integrations[api] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            integration = operation["x-amazon-apigateway-integration"]
            answer = gateway._create_integration(api, {
                "integrationType": integration["type"].upper(),
                "integrationUri": integration["uri"],
                "integrationMethod": integration["httpMethod"],
                "payloadFormatVersion": integration["payloadFormatVersion"],
            })
            name = json.loads(answer[2])["integrationId"]
            method = "ANY" if method == "x-amazon-apigateway-any-method" else method.upper()
            gateway._create_route(api, {"routeKey": f"{method} {path}", "target": f"integrations/{name}"})


def with_document(provision):
    def provisioned(*arguments, **named):
        made = provision(*arguments, **named)
        # Created with (id, properties, stack), updated with (id, old properties, properties, stack).
        properties = arguments[1] if len(arguments) == 3 else arguments[2]
        if properties.get("Body"):
            import_document(made[0], properties["Body"])
        return made

    return provisioned


API = provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Api"]
API.update(create=with_document(API["create"]), update=with_document(API["update"]))


# ---- Functions: the processes of one that is deleted end; all lines go into the log ----------------------------------------


def ending(delete):
    def deleted(name, properties):
        delete(name, properties)
        runtimes.invalidate_worker(name)

    return deleted


def drain(worker, **_):
    """The lines of an invocation, which its process has written before it answered. ministack waits for a while for the first
    line, and takes what comes later for lines of the next invocation."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline and unread(worker._proc):
        time.sleep(0.002)
    # What is no longer in the pipe is as good as in the queue.
    time.sleep(0.02)
    lines = []
    while not worker._stderr_queue.empty():
        lines.append(worker._stderr_queue.get_nowait())
    return "\n".join(lines)


def unread(process):
    try:
        return struct.unpack("i", fcntl.ioctl(process.stdout, termios.FIONREAD, bytes(4)))[0] > 0
    except (AttributeError, OSError, ValueError):
        return False


runtimes.ProvidedWorker._drain_stderr_bounded = drain
FUNCTION = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Function"]
FUNCTION.update(delete=ending(FUNCTION["delete"]))


# ---- Event source mappings: numbers that a template takes from its parameters are numbers ----------------------------------


def with_numbers(provision):
    def provisioned(*arguments, **named):
        made = provision(*arguments, **named)
        mapping = functions._esms[made[0]]
        for values, names in [
            (mapping, ["BatchSize", "MaximumBatchingWindowInSeconds", "MaximumRetryAttempts", "MaximumRecordAgeInSeconds"]),
            (mapping.get("ScalingConfig", {}), ["MaximumConcurrency"]),
        ]:
            values.update({name: int(values[name]) for name in names if name in values})
        return made

    return provisioned


MAPPING = provisioners._RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"]
MAPPING.update(create=with_numbers(MAPPING["create"]), update=with_numbers(MAPPING["update"]))


# ---- Streams: partial failures, bisecting, bounded retries, batching windows, one batch at a time for each mapping ---------


class StreamBatch:
    """What one mapping is given next of its stream, and what becomes of it."""

    # By mapping: records of a batch that was cut in two, and how often the one at a position failed.
    sizes = {}
    attempts = {}

    def __init__(self, mapping, function, table):
        self.mapping, self.function = mapping, function
        self.id = mapping["UUID"]
        start, end = dynamodb.stream_start_position(table), dynamodb.stream_end_position(table)
        first = start if mapping["StartingPosition"] == "TRIM_HORIZON" else end
        self.position = max(functions._dynamodb_stream_positions.setdefault(self.id, first), start)
        size = min(mapping["BatchSize"], self.sizes.get(self.id, mapping["BatchSize"]))
        self.records = dynamodb.stream_records_since(table, self.position, size)
        self.full = len(self.records) == size

    def age(self):
        return time.time() - float(self.records[0]["dynamodb"]["ApproximateCreationDateTime"])

    def due(self):
        window = self.mapping.get("MaximumBatchingWindowInSeconds", 0)
        return bool(self.records) and (self.full or self.age() >= window)

    def run(self):
        passed = functions._apply_filter_criteria(self.records, self.mapping)
        if not passed:
            return self.advance(len(self.records))
        result = functions._execute_function(self.function, {"Records": passed})
        failed = self.first_failed(result)
        if failed is None:
            self.advance(len(self.records))
        elif failed > 0:
            # What comes before the first failure is done.
            self.advance(failed)
        else:
            self.failed(passed, result)

    def first_failed(self, result):
        if result.get("error"):
            return 0
        body = result.get("body") or {}
        failures = body.get("batchItemFailures") or []
        if not failures or "ReportBatchItemFailures" not in self.mapping["FunctionResponseTypes"]:
            return None
        numbers = [record["dynamodb"]["SequenceNumber"] for record in self.records]
        # A number that is none of the batch's fails all of it.
        return min(numbers.index(one) if one in numbers else 0 for one in (each["itemIdentifier"] for each in failures))

    def failed(self, passed, result):
        if self.mapping.get("BisectBatchOnFunctionError") and len(self.records) > 1:
            self.sizes[self.id] = len(self.records) // 2
            return
        attempts = self.attempts[self.id] = self.attempts.get(self.id, 0) + 1
        most, oldest = self.mapping.get("MaximumRetryAttempts", -1), self.mapping.get("MaximumRecordAgeInSeconds", -1)
        if 0 <= most < attempts or 0 < oldest < self.age():
            condition = "RetryAttemptsExhausted" if 0 <= most < attempts else "MaxRecordAgeExceeded"
            source = self.mapping["EventSourceArn"]
            functions._send_ddb_stream_failure_record(self.mapping, self.function, passed, source, result, condition)
            self.advance(len(self.records))
        else:
            functions._esm_backoff_until[self.id] = time.time() + 0.2 * attempts

    def advance(self, count):
        functions._dynamodb_stream_positions[self.id] = self.position + count
        self.sizes.pop(self.id, None)
        self.attempts.pop(self.id, None)


def poll_streams():
    """In place of ministack's, which invokes one function after the other on the thread that serves all mappings."""
    busy = False
    for account, region, mapping in functions._iter_all_esms():
        source = mapping["EventSourceArn"]
        idle = functions._esm_inflight.get(mapping["UUID"], 0) == 0
        waits = functions._esm_backoff_until.get(mapping["UUID"], 0) > time.time()
        if ":dynamodb:" not in source or not mapping["Enabled"] or not idle or waits:
            continue
        scope = functions._request_account_id.set(account), functions._request_region.set(region)
        try:
            name = source.split("/")[1]
            function, _ = functions._get_func_record_for_qualifier(mapping["FunctionName"], mapping.get("Qualifier"))
            if function is None or dynamodb._tables.get(name, {}).get("LatestStreamArn") != source:
                continue
            batch = StreamBatch(mapping, function, name)
            if batch.due():
                functions._dispatch_esm_batch(batch.id, batch.run)
                busy = True
        finally:
            functions._request_account_id.reset(scope[0])
            functions._request_region.reset(scope[1])
    return busy


functions._poll_dynamodb_streams = poll_streams


# ---- SQS: one change at a time, and putting back what was set aside --------------------------------------------------------


def start_message_move_task(data, _):
    source, target = sqs._queue_by_arn(data["SourceArn"]), sqs._queue_by_arn(data["DestinationArn"])
    if source is None or target is None:
        raise sqs._Err("ResourceNotFoundException", "The resource that you specified for the SourceArn parameter doesn't exist.")
    moved, source["messages"] = source["messages"], []
    for message in moved:
        message.update(receive_count=0, receipt_handle=None, visible_at=time.time(), first_receive_at=None)
    target["messages"].extend(moved)
    sqs.esm_wake.set()
    return {"TaskHandle": "done"}


def locked(handler):
    """Event source mappings delete, on threads of their own, by writing the list of messages anew: what is sent meanwhile
    would be lost."""

    def handled(data, url):
        with sqs._queues_lock:
            return handler(data, url)

    return handled


sqs._HANDLERS["StartMessageMoveTask"] = start_message_move_task
# Receiving waits for messages, so it cannot hold the lock; it takes none away.
sqs._HANDLERS.update({name: locked(handler) for name, handler in sqs._HANDLERS.items() if name != "ReceiveMessage"})


# ---- Start and end ---------------------------------------------------------------------------------------------------------


def announce(stdout):
    """Says where it listens as soon as it answers."""
    while True:
        try:
            urllib.request.urlopen(f"{ADDRESS}/_ministack/health", timeout=1).close()
            break
        except OSError:
            time.sleep(0.05)
    with stdout:
        stdout.write(f"{ADDRESS}\n")


def end_with_input():
    sys.stdin.read()
    runtimes.reset()
    os.kill(os.getpid(), signal.SIGTERM)


# What ministack says goes where errors go.
stdout = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
threading.Thread(target=announce, args=(stdout,), daemon=True).start()
threading.Thread(target=end_with_input, daemon=True).start()
ministack.app.main()
