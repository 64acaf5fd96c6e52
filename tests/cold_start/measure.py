"""Measures how functions start, without AWS.

Each is started as Lambda starts it, with a Runtime API and the services of AWS answered from here. It has started when it asks for
its first event (`next`), and it has answered when it posts the first response. Time on a processor is the kernel's count for all
threads of the process, which others on the machine disturb little; the time that passes is what they make of it.
"""

import argparse
import functools
import hashlib
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
import zlib

CONNECTION = "EXAMPLECONNECTION000000001"
SECRET = "example-secret"
# How long a function may take to answer.
PATIENCE_S = 60


class Requests:
    """The requests of one connection."""

    def __init__(self, connection):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection = connection
        self.reader = connection.makefile("rb")

    def __iter__(self):
        try:
            while line := self.reader.readline():
                method, path, _ = line.decode().split(" ", 2)
                yield method, path, *self.rest()
        except OSError:
            # The process was ended.
            return

    def rest(self):
        headers = {}
        while (line := self.reader.readline().strip()) != b"":
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        if headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.reader.readline().split(b";")[0], 16):
                body += self.reader.read(size)
                self.reader.readline()
            self.reader.readline()
            return headers, body
        return headers, self.reader.read(int(headers.get("content-length", 0)))

    def answer(self, status, body, headers=None):
        lines = [f"HTTP/1.1 {status} Answer", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        self.connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)


def serve(handle):
    """Answers connections until the listener is closed; returns it and its address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=lambda: handle(Requests(connection)), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    return listener, f"127.0.0.1:{listener.getsockname()[1]}"


def services(platform, requests):
    """DynamoDB that knows one connection and nothing else, Parameter Store with its secret, and SQS."""
    for _, _, headers, body in requests:
        asked = json.loads(body or b"{}")
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        answer = {}
        if operation == "GetItem" and asked["Key"].get("pk") == {"S": "connection"}:
            document = {"id": CONNECTION, "platform": platform, "name": "Shop", "settings": {}, "status": "active"}
            document |= {name: "2026-01-01T00:00:00Z" for name in ("created_at", "updated_at")}
            answer = {"Item": asked["Key"] | {"doc": {"S": json.dumps(document)}}}
        elif operation == "GetParameter":
            value = json.dumps({"webhook_secret": {"current": SECRET}})
            answer = {"Parameter": {"Name": asked["Name"], "Type": "SecureString", "Value": value, "Version": 1}}
        elif operation == "SendMessage":
            digest = hashlib.md5(asked["MessageBody"].encode()).hexdigest()
            answer = {"MessageId": "00000000-0000-4000-8000-000000000000", "MD5OfMessageBody": digest}
        text = json.dumps(answer).encode()
        kind = "application/x-amz-json-" + ("1.1" if operation == "GetParameter" else "1.0")
        requests.answer(200, text, {"Content-Type": kind, "x-amz-crc32": zlib.crc32(text)})


class Start:
    """One start of a function, up to its first response."""

    def __init__(self, event):
        self.event = event
        self.process = None
        self.asked = self.answered = None
        self.done = threading.Event()
        self.started = threading.Event()

    def runtime(self, requests):
        for _, path, _, body in requests:
            now = time.perf_counter()
            self.started.wait()
            if path.endswith("/next"):
                if self.asked is not None:
                    continue
                self.asked = now, cpu_ms(self.process.pid)
                deadline = int(time.time() * 1000) + PATIENCE_S * 1000
                arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
                headers = {"Lambda-Runtime-Aws-Request-Id": "00000000-0000-4000-8000-000000000001"}
                headers |= {"Lambda-Runtime-Deadline-Ms": deadline, "Lambda-Runtime-Invoked-Function-Arn": arn}
                requests.answer(200, self.event, headers)
            else:
                self.answered = now, cpu_ms(self.process.pid), outcome(path, body)
                requests.answer(202, b"{}")
                self.done.set()

    def measure(self, command, environment):
        listener, address = serve(self.runtime)
        environment = environment | {"AWS_LAMBDA_RUNTIME_API": address}
        began = time.perf_counter()
        with open(os.devnull, "wb") as nowhere:
            self.process = subprocess.Popen(command, env=environment, stdout=nowhere, stderr=nowhere)
        self.started.set()
        try:
            if not self.done.wait(PATIENCE_S) or self.asked is None:
                sys.exit(f"{command}: no answer, {self.answered and self.answered[2]}")
            peak_kb = status_of(self.process.pid, "VmHWM")
        finally:
            self.process.kill()
            self.process.wait()
            listener.close()
        (asked, asked_cpu), (answered, answered_cpu, said) = self.asked, self.answered
        wall = (asked - began) * 1000, (answered - began) * 1000
        return {"wall": wall, "cpu": (asked_cpu, answered_cpu), "peak_mb": peak_kb / 1024, "said": said}


def outcome(path, body):
    """What a function's first answer is, in a word."""
    if not path.endswith("/response"):
        return "error"
    answer = json.loads(body or b"null")
    return str(answer["statusCode"]) if isinstance(answer, dict) and "statusCode" in answer else "ok"


def cpu_ms(process):
    total = 0
    for task in pathlib.Path(f"/proc/{process}/task").iterdir():
        total += int((task / "schedstat").read_text().split()[0])
    return total / 1e6


def status_of(process, name):
    lines = pathlib.Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))


def zipped_mb(path):
    """The size of a file or folder as the package of a function."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    with tempfile.TemporaryFile() as target:
        with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as package:
            for file in files:
                package.write(file)
        return target.tell() / 1e6


def environment_of(address, certificates):
    variables = {"HOME": "/tmp", "PATH": os.environ["PATH"], "SSL_CERT_FILE": certificates}
    variables |= {"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "example"}
    variables |= {"AWS_SECRET_ACCESS_KEY": "example", "AWS_SESSION_TOKEN": "example"}
    variables |= {"AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST"}
    variables |= {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512", "AWS_LAMBDA_LOG_GROUP_NAME": "g"}
    variables |= {"AWS_LAMBDA_LOG_STREAM_NAME": "s", "AWS_ENDPOINT_URL": f"http://{address}"}
    variables |= {f"{name}_TABLE": name.lower() for name in ("PROFILES", "ORDERS", "REGISTRY")}
    for name in ("RAW_DELIVERIES", "JOBS", "POLLS", "FILES"):
        for kind in ("QUEUE", "DLQ"):
            variables[f"{name}_{kind}_URL"] = f"http://{address}/000000000000/{name}-{kind}"
    return variables | {"FILES_BUCKET": "files", "SECRETS_PATH": "/tillstream/example", "WEBHOOK_SECRET": SECRET}


def functions(folder, events):
    """Each built function with its event, by the name of its code."""
    by_name = {event.stem.replace("-", ""): event for event in events.glob("*.json")}
    for built in sorted(folder.glob("*Function")):
        event = by_name[built.name.removesuffix("Function").lower()]
        yield event.stem, [str(built / "bootstrap")], event, built / "bootstrap"


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--functions", type=pathlib.Path, required=True, help="the folder that infra/build filled")
    arguments.add_argument("--events", type=pathlib.Path, required=True)
    arguments.add_argument("--node", help="Node.js", required=True)
    arguments.add_argument("--node-receiver", type=pathlib.Path, required=True)
    arguments.add_argument("--python-receiver", type=pathlib.Path, required=True)
    arguments.add_argument("--certificates", default="/etc/ssl/certs/ca-certificates.crt")
    arguments.add_argument("--runs", type=int, default=20)
    given = arguments.parse_args()

    order = given.events / "shopify.json"
    packages = pathlib.Path(next(path for path in sys.path if path.endswith("site-packages")))
    peers = [
        ("Node.js receiver", [given.node, str(given.node_receiver)], order, given.node_receiver.parent),
        ("Python receiver", [sys.executable, str(given.python_receiver)], order, packages),
    ]
    print(f"medians of {given.runs} starts after one; root certificates: {given.certificates}")
    print(f"{'':28} {'first next, ms':>18} {'first response, ms':>20}")
    print(f"{'':28} {'CPU':>9} {'wall':>8} {'CPU':>11} {'wall':>8} {'peak MB':>9} {'zip MB':>8}  answer")
    for name, command, event, package in [*functions(given.functions, given.events), *peers]:
        platform = "shopify" if "receiver" in name else name
        listener, address = serve(functools.partial(services, platform))
        environment = environment_of(address, given.certificates)
        starts = [Start(event.read_bytes()).measure(command, environment) for _ in range(given.runs + 1)][1:]
        listener.close()

        def median(key, place):
            return statistics.median(start[key][place] for start in starts)

        peak = statistics.median(start["peak_mb"] for start in starts)
        print(
            f"{name:28} {median('cpu', 0):9.1f} {median('wall', 0):8.1f} {median('cpu', 1):11.1f} {median('wall', 1):8.1f}"
            f" {peak:9.1f} {zipped_mb(package):8.2f}  {starts[-1]['said']}"
        )


main()
