"""The browser's SDK: the committed files are those that its sources give, small enough, and `npm pack` takes them.

Its own tests run here too (Vitest), and its types are checked.
"""

import gzip
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from wirehop.core import codes
from wirehop.sdk import FILES, STATIC
from wirehop.version import __version__

ROOT = Path(__file__).resolve().parents[2]
SDK = ROOT / "sdk"
GZIPPED = {
    "wirehop.js": 15 * 1024,
    "wirehop.shared.js": 6 * 1024,
    "wirehop.rtc.js": 14 * 1024,
    "wirehop.old.js": 8 * 1024,
}
"""Bytes at most, compressed."""

needs_node = pytest.mark.skipif(
    shutil.which("npm") is None or not (SDK / "node_modules").exists(), reason="npm, or `npm ci` in sdk/, is missing"
)


def run(*command: str) -> str:
    result = subprocess.run(command, cwd=SDK, capture_output=True, text=True, check=False, timeout=240)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@needs_node
def test_the_committed_files_are_what_the_sources_give(tmp_path: Path) -> None:
    run("node", "scripts/build.mjs", str(tmp_path))
    built = {path.name for path in tmp_path.iterdir()}
    assert built == set(FILES)
    for name in FILES:
        same = (tmp_path / name).read_bytes() == (STATIC / name).read_bytes()
        assert same, f"{name} is not what its sources give: run `npm run build` in sdk/"


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_small_enough(name: str) -> None:
    content = (STATIC / name).read_bytes()
    assert len(gzip.compress(content, 9)) <= GZIPPED.get(name, 1 << 20)


@needs_node
def test_the_old_build_is_es5() -> None:
    script = "require('acorn').parse(require('fs').readFileSync(process.argv[1], 'utf8'), {ecmaVersion: 5})"
    run("node", "-e", script, str(STATIC / "wirehop.old.js"))


def test_the_version_is_the_server_s() -> None:
    assert json.loads((SDK / "package.json").read_text())["version"] == __version__
    assert f"wirehop {__version__} |" in (STATIC / "wirehop.js").read_text()[:80]


def test_its_codes_are_those_of_the_table() -> None:
    found = re.findall(r"export const ([A-Z_]+) = (\d+);", (SDK / "src" / "codes.ts").read_text())
    assert len(found) > 5
    for name, number in found:
        row = getattr(codes, name, None)
        if row is None:  # the name of an end of a wire where an error has the same
            row = getattr(codes, f"{name}_CLOSE")
        assert row.number == int(number), name


@needs_node
def test_npm_pack_takes_what_users_need_and_nothing_else(tmp_path: Path) -> None:
    said = json.loads(run("npm", "pack", "--json", "--pack-destination", str(tmp_path)))
    (package,) = said.values() if isinstance(said, dict) else said
    names = {each["path"] for each in package["files"]}
    assert names == {"package.json", "README.md", "LICENSE", *(f"dist/{name}" for name in FILES)}
    assert (tmp_path / package["filename"]).exists()
    assert (SDK / "dist" / "wirehop.js").read_bytes() == (STATIC / "wirehop.js").read_bytes()


@needs_node
def test_its_own_tests_pass() -> None:
    run("npx", "--no-install", "vitest", "run")


@needs_node
def test_its_types_are_right() -> None:
    run("npx", "--no-install", "tsc", "--noEmit", "-p", "tsconfig.test.json")


@needs_node
def test_a_page_that_uses_the_types_compiles(tmp_path: Path) -> None:
    """The joined declarations stand alone."""
    for name in ("wirehop.d.ts", "wirehop.rtc.d.ts"):
        shutil.copy(str(STATIC / name), tmp_path / name)
    (tmp_path / "page.ts").write_text(
        """import { connect, CommandError, type Publication } from "./wirehop.js";
import { joinRoom, preflight, RtcError } from "./wirehop.rtc.js";
const client = connect("https://example.org", { token: async () => "t", wires: ["websocket", "sse"], remember: true });
connect("https://example.org", { shared: "ada" }).role satisfies "alone" | "leader" | "follower";
const channel = client.channel<{ text: string }>("room", { joinLeave: true });
channel.on("publication", (p) => console.log(p.data.text, p.offset));
// @ts-expect-error there is no such event
channel.on("publications", () => undefined);
export async function read(): Promise<Publication<{ text: string }> | undefined> {
  for await (const publication of channel) return publication;
  try { await channel.publish({ text: "x" }, { key: "k" }); } catch (error) {
    if (error instanceof CommandError) console.log(error.code);
  }
  return undefined;
}
export async function call(video: HTMLVideoElement): Promise<string | undefined> {
  const room = await joinRoom(client, "room:demo", { audio: true, video: { width: 640 }, name: "ada" });
  room.on("track", ({ participant, source, stream, muted }) => {
    if (source === "camera" && !muted) video.srcObject = stream;
    void participant.channel("chat", { reliable: false }).send("hello").catch((e: RtcError) => console.log(e.code));
  });
  // @ts-expect-error there is no such source
  room.local.track("webcam");
  await room.local.shareScreen({ audio: true });
  const { ok, steps } = await preflight(client, "room:mine");
  console.log(ok, steps.map(({ name, result, advice }) => `${name} ${result} ${advice}`));
  room.channel.on("publication", (p) => console.log(p.offset));
  return [...room.participants.values()][0]?.path?.words;
}
"""
    )
    run(
        *("npx", "--no-install", "tsc", "--noEmit", "--strict", "--target", "es2021", "--module", "es2022"),
        *("--moduleResolution", "bundler", "--lib", "es2021,dom", str(tmp_path / "page.ts")),
    )
