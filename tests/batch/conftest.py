"""What several tests of the batch share."""

import errno
import os

import pytest


@pytest.fixture(scope="session")
def object_store():
    """Return the function that fills the bucket `faces` of a store on this machine.

    It returns the options that an address of the bucket needs; user and password are any.
    """
    pytest.importorskip("pyarrow", reason="needs mien[parquet]")
    moto = pytest.importorskip("moto.server", reason="needs mien[dev]")
    import boto3

    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{host}:{port}",
        aws_access_key_id="user",
        aws_secret_access_key="secret",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="faces")

    def fill(objects):
        for key, content in objects.items():
            client.put_object(Bucket="faces", Key=key, Body=content)
        return f"?scheme=http&endpoint_override={host}:{port}&region=us-east-1"

    yield fill
    server.stop()


@pytest.fixture
def locked(monkeypatch):
    """Return the function that makes a folder one that cannot be listed, even by the superuser."""
    locked = set()
    scandir = os.scandir

    def refuse(path):
        if os.fspath(path) in locked:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    return lambda folder: locked.add(os.fspath(folder))
