"""Files: validators, directories, and no way out."""

import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from native_harness import Client, Host, running

from wirehop.abc import Exchange
from wirehop.hosts.native import Static


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "site"
    (root / "docs").mkdir(parents=True)
    (root / "index.html").write_text("home")
    (root / "app.js").write_text("let a")
    (root / "blob.unknown").write_bytes(b"\0")
    (root / "docs" / "index.html").write_text("docs")
    (root / ".env").write_text("secret")
    (tmp_path / "outside.txt").write_text("secret")
    (tmp_path / "site-two").mkdir()
    (tmp_path / "site-two" / "a.txt").write_text("secret")
    (root / "out.txt").symlink_to(tmp_path / "outside.txt")
    (root / "two").symlink_to(tmp_path / "site-two")
    (root / "inside.js").symlink_to(root / "app.js")
    return root


@pytest.fixture
def static(root: Path) -> Static:
    return Static(root, cache_control="max-age=60", memory_bytes=1000, file_bytes=600)


@pytest.fixture
def site(static: Static) -> Iterator[Host]:
    def handler(exchange: Exchange) -> None:
        static.serve(exchange, exchange.request.path.removeprefix("/s/"))

    with running(handler) as host:
        yield host


@pytest.fixture
def client(site: Host) -> Iterator[Client]:
    with site.connect() as sock:
        yield Client(sock)


def test_a_file_with_its_headers(client: Client) -> None:
    answer = client.get("/s/app.js")
    assert (answer.status, answer.body) == (200, b"let a")
    assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
    assert answer.headers["cache-control"] == "max-age=60"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["etag"].startswith('"')
    assert client.get("/s/blob.unknown").headers["content-type"] == "application/octet-stream"
    assert client.get("/s/inside.js").body == b"let a"


def test_head_and_other_methods(client: Client) -> None:
    got, head = client.get("/s/app.js"), client.get("/s/app.js", method="HEAD")
    assert (head.body, head.headers["content-length"], head.headers["etag"]) == (b"", "5", got.headers["etag"])
    refused = client.get("/s/app.js", method="POST")
    assert (refused.status, refused.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_a_known_etag_is_304(client: Client, form: str) -> None:
    etag = client.get("/s/app.js").headers["etag"]
    answer = client.get("/s/app.js", f"If-None-Match: {form.format(etag)}")
    assert (answer.status, answer.body, answer.headers["etag"]) == (304, b"", etag)
    assert client.get("/s/app.js", 'If-None-Match: "other"').status == 200


def test_directories(client: Client) -> None:
    assert client.get("/s/").body == b"home"
    assert client.get("/s/docs/").body == b"docs"
    moved = client.get("/s/docs?a=b")
    assert (moved.status, moved.headers["location"]) == (301, "./docs/?a=b")
    assert client.get("/s/nothing").status == 404
    assert client.get("/s/nothing/").status == 404
    assert client.get("/s/app.js/").status == 404


def test_a_redirect_never_leaves_the_site(static: Static) -> None:
    def handler(exchange: Exchange) -> None:
        static.serve(exchange, exchange.request.path)

    with running(handler) as host, host.connect() as sock:
        assert Client(sock).get("//docs").headers["location"] == "./docs/"


@pytest.mark.parametrize(
    "path",
    [
        "../outside.txt",
        "%2e%2e/outside.txt",
        "..%2foutside.txt",
        "docs/../../outside.txt",
        "..%5coutside.txt",
        "out.txt",
        "two/a.txt",
        "two/",
        ".env",
        "docs/%2e",
        "/etc/passwd",
        "C:/a",
        "app.js%00.txt",
        "app.js:stream",
        "a" * 5000,
    ],
)
def test_there_is_no_way_out(site: Host, path: str) -> None:
    with site.connect() as sock:
        answer = Client(sock).get(f"/s/{path}")
        assert answer.status in (400, 404)
        assert b"secret" not in answer.body


def test_a_changed_file_is_read_again(client: Client, root: Path) -> None:
    before = client.get("/s/app.js")
    (root / "app.js").write_text("let b")
    os.utime(root / "app.js", (1, 1))
    after = client.get("/s/app.js", f"If-None-Match: {before.headers['etag']}")
    assert (after.status, after.body) == (200, b"let b")
    (root / "app.js").unlink()
    assert client.get("/s/app.js").status == 404
    (root / "inside.js").unlink()
    (root / "inside.js").symlink_to(root / "index.html")
    assert client.get("/s/inside.js").body == b"home"


def test_an_unchanged_file_is_served_from_memory(client: Client, root: Path) -> None:
    client.get("/s/app.js")
    status = (root / "app.js").stat()
    with (root / "app.js").open("r+b") as file:  # same inode, same size
        file.write(b"LET A")
    os.utime(root / "app.js", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert client.get("/s/app.js").body == b"let a"


def test_memory_is_bounded(client: Client, static: Static, root: Path) -> None:
    for index in range(10):
        (root / f"{index}.txt").write_bytes(b"x" * 300)
        assert client.get(f"/s/{index}.txt").status == 200
    (root / "large.txt").write_bytes(b"x" * 700)
    assert len(client.get("/s/large.txt").body) == 700
    assert static._held <= 1000
    assert static._held == sum(len(file.body) for file in static._files.values())


def test_files_in_a_zip(tmp_path: Path) -> None:
    archive = tmp_path / "site.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("site/index.html", "home")
    with zipfile.ZipFile(archive) as zipped:
        static = Static(zipfile.Path(zipped, "site/"))

        def handler(exchange: Exchange) -> None:
            static.serve(exchange, exchange.request.path)

        with running(handler) as host, host.connect() as sock:
            client = Client(sock)
            assert client.get("/").body == b"home"
            assert client.get("/").body == b"home"
            assert client.get("/nothing").status == 404
