"""Every way to end: exit codes, one line on stderr, nothing half-written, nothing but the answer on stdout."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from exactfd.cli.main import COMMANDS

ROOT = Path(__file__).parents[2]

GOOD = '{"format": "exactfd-network", "version": 1, "layers": [{"weight": [["1", "2"]], "bias": ["0"]}]}'


def network(**changes):
    return json.dumps({**json.loads(GOOD), **changes})


def layer(weight, bias):
    return network(layers=[{"weight": weight, "bias": bias}])


BAD_NETWORKS = {
    "empty": "",
    "truncated": GOOD[:-9],
    "not JSON": "hello",
    "a list": "[]",
    "binary": b"\x00\xff\x80garbage",
    "missing layers": '{"format": "exactfd-network", "version": 1}',
    "no layers": network(layers=[]),
    "unknown key": network(colour="red"),
    "unknown version": network(version=2),
    "unknown format": network(format="other"),
    "duplicated key": GOOD.replace('"version": 1', '"version": 1, "version": 1'),
    "wrong architecture": network(architecture=[2, 3]),
    "unknown activation": network(output_activation="tanh"),
    "ragged": layer([["1", "2"], ["3"]], ["0", "0"]),
    "wrong bias": layer([["1", "2"]], ["0", "0"]),
    "empty weight": layer([], []),
    "zero denominator": layer([["1/0", "2"]], ["0"]),
    "text": layer([["one", "2"]], ["0"]),
    "line break in a number": layer([["1\n2", "2"]], ["0"]),
    "boolean": layer([[True, "2"]], ["0"]),
    "null": layer([[None, "2"]], ["0"]),
    "NaN": GOOD.replace('"2"', "NaN"),
    "infinity": GOOD.replace('"2"', "Infinity"),
    "deep": "[" * 100_000,
}


def one_line(result):
    """The contract of exit code 3."""
    assert result.exit_code == 3, result.stderr
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("exactfd: error: ")
    assert "Traceback" not in result.stderr
    return lines[0]


@pytest.mark.parametrize("kind", BAD_NETWORKS)
def test_bad_networks(run, tmp_path, kind):
    text = BAD_NETWORKS[kind]
    path = tmp_path / "net.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    for command in ("info", "dim"):
        assert "net.json" in one_line(run(command, path, "--json"))


def test_bad_networks_on_standard_input(run):
    assert "<stdin>: line 1, column 1: expected valid JSON" in one_line(run("info", "-", stdin="hello"))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("{", "line 1, column 2: expected valid JSON"),
        (" [[1, 2]]", 'top level: expected an object with the keys "format"'),
        ("hello", "expected at least one point"),
        ("1,2\n1,z\n", "line 2, column 2: expected a rational number"),
        ("1,2,3\n", "points: the network has 2 inputs, found points with 3 coordinates"),
        ("1/2,1/3\n5,7\n0,1\n", "points[2] = (0, 1) is not parametrically smooth"),
    ],
)
def test_bad_points_on_standard_input(run, examples, text, place):
    result = run("rank", examples / "two_layer_corner.json", "--points", "-", stdin=text)
    assert one_line(result).startswith(f"exactfd: error: <stdin>: {place}")


def test_files_that_are_not_there(run, tmp_path, examples):
    assert "no.json" in one_line(run("info", tmp_path / "no.json"))
    one_line(run("info", tmp_path))
    one_line(run("rank", examples / "diamond.json", "--points", tmp_path / "no.csv"))


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("1,2\n3\n", "p.csv"),
        ("1,2,3\n", "2 inputs"),
        ("1,x\n", "p.csv"),
        ("nan,1\n", "p.csv"),
        ("", "p.csv"),
        ("0,0\n", "not parametrically smooth"),
    ],
)
def test_bad_points(run, tmp_path, examples, text, place):
    path = tmp_path / "p.csv"
    path.write_text(text)
    line = one_line(run("rank", examples / "diamond.json", "--points", path))
    assert line.startswith(f"exactfd: error: {path}: ")
    assert place in line


@pytest.mark.parametrize(
    "arguments",
    [
        ("cells", "diamond.json", "--box", "1", "0"),
        ("cells", "diamond.json", "--box", "0,0,0", "1,1,1"),
        ("cells", "diamond.json", "--list", "--dimension", "3"),
        ("cells", "diamond.json", "--list", "--dimension", "1", "--algorithm", "splitting"),
        ("info", "diamond.json", "-o", "no/such/folder/out.json"),
        ("info", "diamond.json", "-o", "."),
        ("plot", "diamond.json", "-o", "picture.pdf"),
        ("plot", "diamond.json", "-o", "picture"),
        ("plot", "iris_4-5-3.json", "-o", "picture.png"),
        ("plot", "diamond.json", "-o", "picture.png", "--box", "2", "2"),
        ("plot", "diamond.json", "-o", "picture.png", "--box", "0", "1e-400"),
        ("plot", "diamond.json", "-o", "picture.png", "--box", "1e20", "100000000000000000001"),
        ("plot", "glmw_example_1-1.json", "-o", "picture.png", "--box", "1e20", "100000000000000000001"),
        ("plot", "diamond.json", "-o", "picture.png", "--box", "0", "1e400"),
    ],
)
def test_options_that_do_not_fit(run, examples, tmp_path, monkeypatch, arguments):
    command, name, *rest = arguments
    monkeypatch.chdir(tmp_path)
    one_line(run(command, examples / name, *rest))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("nonsense",),
        ("info",),
        ("info", "a", "b"),
        ("info", "x.json", "--colour"),
        ("info", "x.json", "--output-activation", "tanh"),
        ("info", "x.json", "--round", "0"),
        ("info", "x.json", "--round", "-1/2"),
        ("info", "x.json", "--round", "1/0"),
        ("info", "x.json", "--round", "0^-1"),
        ("info", "x.json", "--round", "nan"),
        ("cells", "x.json", "--box", "0"),
        ("cells", "x.json", "--box", "0", "a"),
        ("cells", "x.json", "--dimension", "1"),
        ("cells", "x.json", "--dimension", "-1", "--list"),
        ("dim", "x.json", "--max-cells", "0"),
        ("dim", "x.json", "--max-cells", "many"),
        ("dim", "x.json", "--time-limit", "0"),
        ("dim", "x.json", "--time-limit", "-1"),
        ("dim", "x.json", "--time-limit", "soon"),
        ("dim", "x.json", "--memory-limit", "0G"),
        ("dim", "x.json", "--memory-limit", "2X"),
        ("dim", "x.json", "--algorithm", "magic"),
        ("rank", "x.json"),
        ("rank", "-", "--points", "-"),
        ("plot", "x.json"),
        ("plot", "x.json", "-o", "-"),
        ("dim", "x.json", "--certificate", "-"),
        ("rank", "x.json", "--points", "p.csv", "--certificate", "-"),
        ("cells", "x.json", "--certificate", "c.json", "-o", "./c.json"),
    ],
)
def test_usage(run, arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage" in result.stderr or "Error" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(("text", "value"), [("30", 30.0), ("1.5s", 1.5), ("5m", 300.0), ("2H", 7200.0)])
def test_seconds(text, value):
    from exactfd.cli.options import seconds

    assert seconds(text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("1", 1), ("2k", 2048), ("500M", 500 << 20), ("1.5GiB", 3 << 29), ("2gb", 2 << 30)]
)
def test_sizes(text, value):
    from exactfd.cli.options import size

    assert size(text) == value


# --------------------------------------------------------------------------- our own faults


def test_internal_errors(run, examples, monkeypatch):
    def broken(*arguments, **options):
        raise ZeroDivisionError("two\nlines")

    monkeypatch.setattr("exactfd.dimension.functional_dimension", broken)
    result = run("dim", examples / "diamond.json")
    assert (result.exit_code, result.stdout) == (70, "")
    assert len(result.stderr.splitlines()) == 1
    assert "report" in result.stderr
    assert "Traceback" not in result.stderr
    for arguments in (("--debug", "dim", examples / "diamond.json"), ("dim", examples / "diamond.json", "--debug")):
        result = run(*arguments)
        assert result.exit_code == 70
        assert "Traceback" in result.stderr
        assert "ZeroDivisionError" in result.stderr


def test_out_of_memory(run, examples, monkeypatch):
    def greedy(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr("exactfd.dimension.functional_dimension", greedy)
    result = run("dim", examples / "diamond.json")
    assert result.exit_code == 4
    assert "memory" in result.stderr


def test_a_missing_extra(run, examples, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert "exactfd[plot]" in one_line(run("plot", examples / "diamond.json", "-o", tmp_path / "a.png"))


# --------------------------------------------------------------------------- real processes


def test_start_up(examples):
    """Nothing heavy is imported for a small answer, and it costs under half a second of processor time."""
    code = (
        "import sys\n"
        "from exactfd.cli.main import main\n"
        "try:\n    main()\n"
        "finally:\n    print(*sys.modules, file=sys.stderr)\n"
    )
    heavy = {"sympy", "networkx", "matplotlib", "scipy", "rich", "highspy", "exactfd.dimension", "exactfd.geometry"}
    times = []
    for _ in range(3):
        before = os.times()
        done = subprocess.run(
            [sys.executable, "-c", code, "info", str(examples / "diamond.json")],
            cwd=examples.parent,
            capture_output=True,
            text=True,
            check=True,
        )
        after = os.times()
        times.append(after.children_user + after.children_system - before.children_user - before.children_system)
    imported = set(done.stderr.split())
    assert "exactfd.cli.info" in imported
    assert not heavy & imported
    assert min(times) < 0.5


def test_exit_codes_of_a_real_process(spawn, examples, tmp_path):
    for arguments, code in [
        (("info", examples / "diamond.json", "--json"), 0),
        (("info",), 2),
        (("info", tmp_path / "no.json"), 3),
        (("dim", examples / "iris_4-6-6-3.json", "--max-cells", 5, "--json"), 4),
    ]:
        process = spawn(*arguments)
        out, err = process.communicate(timeout=60)
        assert process.returncode == code, err
        assert "Traceback" not in err
        if code in (0, 4):
            json.loads(out)
        else:
            assert out == ""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize(
    ("sizes", "options"),
    [((3, 14, 14, 1), ("--list", "--json")), ((9, 40, 40, 1), ("--algorithm", "splitting", "--list", "--json"))],
)
def test_interrupted_while_listing(spawn, random_network, tmp_path, sizes, options, number, code):
    """Ctrl-C and SIGTERM leave neither the file nor the temporary one, and what was there before stays."""
    network = random_network(*sizes)
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "cells.json").write_text("old")
    process = spawn("cells", network, *options, "-o", folder / "cells.json")
    deadline = time.monotonic() + 60
    while len(list(folder.iterdir())) == 1 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(list(folder.iterdir())) == 2  # it is writing
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code, err
    assert out == ""
    assert "Traceback" not in err
    assert [path.name for path in folder.iterdir()] == ["cells.json"]
    assert (folder / "cells.json").read_text() == "old"


def test_interrupted_while_enumerating(spawn, random_network, tmp_path):
    network = random_network(5, 30, 30, 1)
    process = spawn("dim", network, "--algorithm", "complex", "-o", tmp_path / "dim.txt")
    time.sleep(3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == [network.name]


def run_python(folder, *arguments, **options):
    """Another Python, which finds modules in ``folder`` before all others."""
    environment = {**os.environ, "PYTHONPATH": f"{folder}:{ROOT}"}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False, **options
    )


def test_interrupted_while_importing(tmp_path):
    """As early as this package can help it there is no traceback: here in the middle of the first import."""
    (tmp_path / "click.py").write_text("import os, signal, time\nos.kill(os.getpid(), signal.SIGINT)\ntime.sleep(60)\n")
    done = run_python(
        *(tmp_path, "-m", "exactfd", "--version"),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_interrupted_in_a_string_that_is_executed(tmp_path):
    """The exit code is ours, though Python has an end of its own for such processes."""
    command = "def command(group, ctx):\n    exec('raise KeyboardInterrupt')\n"
    (tmp_path / "sitecustomize.py").write_text(f"import exactfd.cli.main as m\n{command}m.Commands.invoke = command\n")
    done = run_python(tmp_path, "-m", "exactfd", "info")
    assert (done.returncode, "Traceback" in done.stderr) == (130, False)


def test_an_interrupt_that_is_ignored_stays_ignored(tmp_path):
    """As under nohup: the command runs to its end."""
    code = "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nfrom exactfd.cli.main import commands\n"
    (tmp_path / "sitecustomize.py").write_text("import os, signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n")
    (tmp_path / "run.py").write_text(code + "import exactfd.__main__\nexactfd.__main__.main()\n")
    done = run_python(tmp_path, tmp_path / "run.py", "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("exactfd")


def test_the_command_and_the_module_are_one():
    assert 'exactfd = "exactfd.__main__:main"' in (ROOT / "pyproject.toml").read_text()


@pytest.mark.parametrize(
    ("command", "line"),
    [
        ("info - <&-", "<stdin>: expected a readable file, found: standard input is closed"),
        ("info examples/diamond.json >&-", "<stdout>: expected room for the answer, found: standard output is closed"),
    ],
)
def test_closed_streams(command, line):
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m exactfd {command}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "", f"exactfd: error: {line}\n")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody who may not read")
def test_unreadable_and_unwritable(run):
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o755)
        _check_permissions(run, Path(name))


def _check_permissions(run, tmp_path):
    (tmp_path / "net.json").write_text(GOOD)
    (tmp_path / "net.json").chmod(0)
    (tmp_path / "good.json").write_text(GOOD)
    (tmp_path / "good.json").chmod(0o644)
    run("dim", tmp_path / "good.json", "--certificate", tmp_path / "c.json")  # imports what is needed
    os.seteuid(65534)
    try:
        results = [
            run("info", tmp_path / "net.json"),
            run("rank", tmp_path / "good.json", "--points", tmp_path / "net.json"),
            run("verify", tmp_path / "net.json"),
            run("info", tmp_path / "good.json", "-o", tmp_path / "out.txt"),
            run("dim", tmp_path / "good.json", "--certificate", tmp_path / "d.json"),
        ]
    finally:
        os.seteuid(0)
    for result, name in zip(results, ("net", "net", "net", "out", "d"), strict=True):
        assert f"{tmp_path}/{name}." in one_line(result)
        assert result.stderr.endswith("Permission denied\n")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device without room is known to Linux only")
def test_no_room_for_the_answer(spawn, examples):
    process = spawn("info", examples / "diamond.json", "-o", "/dev/full")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (3, "")
    assert err == "exactfd: error: /dev/full: expected a writable file, found: No space left on device\n"
    done = subprocess.run(
        ["sh", "-c", f"{sys.executable} -m exactfd info examples/diamond.json > /dev/full"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert done.stderr == "exactfd: error: <stdout>: expected room for the answer, found: No space left on device\n"


def test_nobody_reads(spawn, random_network):
    process = spawn("cells", random_network(3, 14, 14, 1), "--list")
    assert process.stdout is not None
    assert process.stdout.readline().startswith("architecture")
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(timeout=60) == 141
    process.stderr.close()


def test_all_commands_are_there(run):
    for name in COMMANDS:
        assert run(name, "--help").exit_code == 0
