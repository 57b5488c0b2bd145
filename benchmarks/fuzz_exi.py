"""Feeds the EXI decoder broken streams: each gives a message or the documented error, soon, in little memory.

    python benchmarks/fuzz_exi.py                             # 200,000 streams
    python benchmarks/fuzz_exi.py --count 10000000 --jobs 2   # a night's run
    python benchmarks/fuzz_exi.py --replay fuzz_exi.failures.jsonl

Streams are valid ones (random messages of every set, documents and fragments; the oracle vectors too where
PLUGBENCH_SHARED or ../shared has them) after one to four mutations. For each stream:

    decode      returns, or raises DecodeError, and nothing else
    time        CPU time at most --limit-ms (50) up to 16 KiB, above that as much a byte (3.1 ms a KiB);
                what takes longer is timed again, and the least counts
    memory      peak of traced allocations (20 streams, every tenth chunk); growth of a worker's resident
                memory after the first twentieth of the run, of which the second half is shown by itself
    encode      what was decoded encodes (deviations allowed) or raises CodecError; what was encoded decodes

Plain random mutation, no coverage guidance (atheris): it needs nothing but the package. Chunk n of seed s is
always the same streams, whatever the number of jobs. Failing streams are kept in a file. Exit 1 on any.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import dataclasses
import json
import multiprocessing
import os
import random
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # allows running from a checkout
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.v2g import codec
from benchmarks.exi_samples import Stream, own_streams

CHUNK = 5_000
"""Streams a chunk: the unit of work and of reproduction."""
TRACE_EVERY, TRACED = 10, 20
"""One chunk of so many has so many streams whose allocations are traced. More would show in resident memory:
a start of tracemalloc leaves some kB behind after long streams."""
RETIMINGS = 10
"""Times that a slow stream is timed again at most."""
PEAK_LIMIT, PEAK_FACTOR = 16 << 20, 512
"""Most bytes that decoding one stream may hold at a time: so many, and so many a byte of it."""
GROWTH_LIMIT = 24 << 20
"""Most bytes by which a worker's resident memory may grow once it has met every kind of stream."""
WARM = 0.05
"""Part of the run after which a worker's resident memory is the base line: what is made on demand, one a
message class, is there by then."""
FULL_PACE = 16_384
"""Longest stream (bytes) that the time limit is meant for. Beyond it the limit grows with the length."""
LONGEST = 65_536
"""Longest stream made (bytes): the longest V2GTP payload that is accepted."""


@dataclasses.dataclass(slots=True)
class Chunk:
    """Outcome of a chunk."""

    number: int = 0
    worker: int = 0
    streams: int = 0
    seconds: float = 0.0
    resident: int = 0
    peak: int = 0
    slowest_ms: float = 0.0
    slowest_long_ms: float = 0.0
    outcomes: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    failures: list[dict[str, Any]] = dataclasses.field(default_factory=list)


# Mutations: (random, stream, another stream) -> stream


def _flip(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    for _count in range(rng.randint(1, 4)):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return data


def _truncate(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    return data[: rng.randint(0, len(data))]


def _insert(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    place = rng.randint(0, len(data))
    data[place:place] = rng.randbytes(rng.randint(1, 8))
    return data


def _delete(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    place = rng.randint(0, len(data))
    del data[place : place + rng.randint(1, 8)]
    return data


def _splice(rng: random.Random, data: bytearray, other: bytes) -> bytearray:
    return data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]


def _inflate(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    """Octets with their top bit set, at any bit: a length or a number grows, or all that follows moves."""
    total = len(data) * 8
    place = rng.randint(min(8, total), total)
    count = rng.choice((1, 1, 2, 3, 5, 9, 20)) if rng.random() < 0.99 else rng.randint(1, 5000)
    octets = bytes([0xFF]) * count if rng.random() < 0.5 else bytes(b | 0x80 for b in rng.randbytes(count))
    value, low = int.from_bytes(data, "big"), total - place
    grown = (value >> low) << (8 * count + low) | int.from_bytes(octets, "big") << low
    return bytearray((grown | value & (1 << low) - 1).to_bytes(len(data) + count, "big"))


def _shift(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    """A few bits put in or taken out."""
    total, width = len(data) * 8, rng.randint(1, 7)
    if total < 16:
        return data
    low = rng.randint(0, total - 9)
    value = int.from_bytes(data, "big")
    tail = value & (1 << low) - 1
    if rng.random() < 0.5:
        grown = ((value >> low) << width | rng.getrandbits(width)) << low | tail
        return bytearray((grown << 8 - width).to_bytes(len(data) + 1, "big"))
    low = max(low, width)
    return bytearray((((value >> low) << low - width | tail >> width) << width).to_bytes(len(data), "big"))


def _fill(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    place = rng.randint(0, len(data))
    size = rng.randint(1, 40)
    filler = rng.choice((b"\x00", b"\xff", b"\x80", b"\x55", b"\xaa", bytes([rng.randrange(256)])))
    data[place : place + size] = filler * size
    return data


def _repeat(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    """A piece again and again; now and then until the stream is as long as a payload may be."""
    place = rng.randint(0, len(data))
    piece = data[place : place + rng.randint(1, 40)] or b"\x80"
    count = rng.randint(1, 12) if rng.random() < 0.999 else LONGEST // len(piece)
    data[place:place] = piece * count
    return data


def _noise(rng: random.Random, data: bytearray, _: bytes) -> bytearray:
    place = rng.choice((1, rng.randint(0, len(data))))
    size = rng.randint(1, 60) if rng.random() < 0.999 else rng.randint(1, LONGEST)
    return data[:place] + rng.randbytes(size)


MUTATIONS: tuple[Callable[[random.Random, bytearray, bytes], bytearray], ...] = (
    *(_flip, _flip, _flip, _truncate, _insert, _delete, _splice, _inflate, _shift, _shift),
    *(_fill, _repeat, _noise),
)


def mutated(rng: random.Random, corpus: list[Stream]) -> Stream:
    """A stream of the corpus after one to four mutations, now and then given to another set or side."""
    schema, fragment, data = rng.choice(corpus)
    found = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 4))):
        found = rng.choice(MUTATIONS)(rng, found, rng.choice(corpus)[2])
    if rng.random() < 0.03:
        schema, fragment = rng.choice(codec.SCHEMAS), rng.random() < 0.5
    return schema, fragment, bytes(found[:LONGEST])


class Judge:
    """Decodes streams and keeps what it finds in ``chunk``."""

    def __init__(self, limit_ms: float) -> None:
        self.limit_ms, self.chunk = limit_ms, Chunk()

    def failed(self, stream: Stream, kind: str, detail: str) -> None:
        """Keeps a failure with what reproduces it."""
        schema, fragment, data = stream
        found = {"kind": kind, "detail": detail, "schema": schema, "fragment": fragment}
        self.chunk.failures.append({**found, "exi": data.hex()})
        self.chunk.outcomes[f"FAILED: {kind}"] += 1

    def judge(self, stream: Stream) -> None:
        """All checks of one stream."""
        schema, fragment, data = stream
        self.chunk.streams += 1
        start = time.thread_time_ns()
        message: Any = None
        try:
            message = codec.decode(schema, data, fragment)
            error = None
        except codec.DecodeError as exc:
            error = exc
        except Exception as exc:  # the very thing looked for, a crash; kept with its stream
            self.failed(stream, "decode raises", repr(exc)[:300])
            return
        self.pace(stream, (time.thread_time_ns() - start) / 1e6)
        if error is not None:
            self.chunk.outcomes["refused"] += 1
            return
        self.again(stream, message)

    def pace(self, stream: Stream, ms: float) -> None:
        """The time limit; what others do to the caches is told from the decoder's own by timing again."""
        length = len(stream[2])
        if ms > self.limit_ms:
            for _ in range(RETIMINGS):
                ms = min(ms, _cpu_ms(stream))
                if ms <= self.limit_ms:
                    break
            if ms > self.limit_ms * max(1.0, length / FULL_PACE):
                self.failed(stream, "slow", f"{ms:.0f} ms for {length} bytes")
            elif ms > self.limit_ms:
                self.chunk.outcomes[f"slower than {self.limit_ms:.0f} ms, longer than {FULL_PACE} bytes"] += 1
            else:
                self.chunk.outcomes["timed again: within the limit"] += 1
        if length <= FULL_PACE:
            self.chunk.slowest_ms = max(self.chunk.slowest_ms, ms)
        self.chunk.slowest_long_ms = max(self.chunk.slowest_long_ms, ms)

    def trace(self, streams: list[Stream]) -> None:
        """The peak of memory."""
        tracemalloc.start()
        try:
            for stream in streams:
                tracemalloc.reset_peak()
                before = tracemalloc.get_traced_memory()[0]
                with contextlib.suppress(Exception):  # judge() tells which
                    _decode_quietly(stream)
                peak = tracemalloc.get_traced_memory()[1] - before
                self.chunk.peak = max(self.chunk.peak, peak)
                if peak > PEAK_LIMIT + PEAK_FACTOR * len(stream[2]):
                    self.failed(stream, "memory", f"{peak >> 20} MB for {len(stream[2])} bytes")
        finally:
            tracemalloc.stop()

    def again(self, stream: Stream, message: Any) -> None:
        """What was decoded is encoded, and that is decoded."""
        schema, fragment, data = stream
        try:
            second = codec.encode(message, schema, fragment, deviations=True)
        except codec.CodecError:
            self.chunk.outcomes["read, not encoded"] += 1
            return
        except Exception as exc:  # as above
            self.failed(stream, "encode raises", repr(exc)[:300])
            return
        if second == data:
            self.chunk.outcomes["read, same again"] += 1
            return
        try:
            same = codec.decode(schema, second, fragment) == message
        except Exception as exc:  # as above; a DecodeError is wrong here too
            self.failed(stream, "own stream is not read", repr(exc)[:300])
            return
        self.chunk.outcomes["read, encoded otherwise" if same else "read, comes back as another message"] += 1


def _decode_quietly(stream: Stream) -> None:
    schema, fragment, data = stream
    try:
        codec.decode(schema, data, fragment)
    except codec.DecodeError:
        return


def _cpu_ms(stream: Stream) -> float:
    start = time.thread_time_ns()
    _decode_quietly(stream)
    return (time.thread_time_ns() - start) / 1e6


def _resident() -> int:
    with Path("/proc/self/statm").open(encoding="ascii") as shown:
        return int(shown.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def vector_streams(folder: Path) -> list[Stream]:
    """Every stream of the oracle vectors in a folder."""
    found: set[Stream] = set()
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            for key in ("exi", "exi_alt", "exi_strtab", "exi_josev_jar"):
                if key in row and row.get("schema") in codec.SCHEMAS:
                    fragment = row.get("kind", "document") == "fragment"
                    found.add((row["schema"], fragment, bytes.fromhex(row[key])))
    return sorted(found)


def run_chunk(number: int, seed: int, count: int, corpus: list[Stream], limit_ms: float) -> Chunk:
    """Streams of one chunk, judged."""
    judge = Judge(limit_ms)
    judge.chunk.number, judge.chunk.worker = number, os.getpid()
    rng = random.Random(f"{seed}/{number}")
    start = time.monotonic()
    streams = [mutated(rng, corpus) for _ in range(min(TRACED, count))]
    if number % TRACE_EVERY == 0:
        judge.trace(streams)
    for stream in streams:
        judge.judge(stream)
    for _ in range(count - len(streams)):
        judge.judge(mutated(rng, corpus))
    judge.chunk.seconds = time.monotonic() - start
    judge.chunk.resident = _resident()
    return judge.chunk


_corpus: list[Stream] = []


def _prepare(corpus: list[Stream]) -> None:
    _corpus[:] = corpus
    for stream in corpus:  # compiles the classes
        _decode_quietly(stream)


def _work(job: tuple[int, int, int, float]) -> Chunk:
    number, seed, count, limit_ms = job
    return run_chunk(number, seed, count, _corpus, limit_ms)


class Tally:
    """Sums of chunks, and resident memory by worker; ``chunks`` is how many there will be."""

    def __init__(self, chunks: int) -> None:
        self.total, self.chunks = Chunk(), chunks
        self.resident: dict[int, list[tuple[int, int]]] = {}
        self.growth = 0

    def add(self, chunk: Chunk) -> None:
        """One chunk more."""
        total = self.total
        total.streams += chunk.streams
        total.outcomes += chunk.outcomes
        total.failures += chunk.failures
        total.slowest_ms = max(total.slowest_ms, chunk.slowest_ms)
        total.slowest_long_ms = max(total.slowest_long_ms, chunk.slowest_long_ms)
        total.peak, total.resident = max(total.peak, chunk.peak), max(total.resident, chunk.resident)
        history = self.resident.setdefault(chunk.worker, [])
        history.append((chunk.number, chunk.resident))
        self.growth = max(self.growth, history[-1][1] - _at(history, WARM * self.chunks))

    def memory(self) -> Iterator[str]:
        """A line a worker: whether its memory levels off."""
        for history in self.resident.values():
            last = history[-1][0]
            marks = [(part, _at(history, part * last) / (1 << 20)) for part in (WARM, 0.25, 0.5, 0.75, 1.0)]
            shown = ", ".join(f"{mb:.1f} MB at {part:.0%}" for part, mb in marks)
            yield f"resident: {shown} (second half {marks[-1][1] - marks[2][1]:+.1f} MB)"

    def line(self, seconds: float) -> str:
        """Progress."""
        t = self.total
        return (
            f"{t.streams:>11,} streams  {t.streams / seconds:6,.0f}/s  {seconds:6.0f} s  "
            f"slowest {t.slowest_ms:.1f} ms (long ones {t.slowest_long_ms:.0f})  peak {t.peak / 1e6:.2f} MB  "
            f"resident {t.resident >> 20} MB (+{self.growth / (1 << 20):.1f})  failures {len(t.failures)}"
        )


def _at(history: list[tuple[int, int]], chunk: float) -> int:
    """The resident memory once that chunk was done."""
    return next((resident for number, resident in history if number >= chunk), history[-1][1])


def _jobs(args: argparse.Namespace, deadline: float) -> Iterator[tuple[int, int, int, float]]:
    for number in range(-(-args.count // CHUNK)):
        if time.monotonic() > deadline:
            return
        yield number, args.seed, min(CHUNK, args.count - number * CHUNK), args.limit_ms


def run(args: argparse.Namespace, corpus: list[Stream]) -> Tally:
    """The whole run, with its progress on the screen."""
    tally = Tally(-(-args.count // CHUNK))
    start = shown = time.monotonic()
    deadline = start + (args.seconds or float("inf"))
    kept: Path = args.failures
    context = multiprocessing.get_context("spawn")
    with context.Pool(args.jobs, _prepare, (corpus,)) as pool:
        jobs = _jobs(args, deadline)
        # A few chunks ahead of the workers, so that --seconds is kept.
        waiting = collections.deque(
            pool.apply_async(_work, (job,)) for _, job in zip(range(2 * args.jobs), jobs, strict=False)
        )
        while waiting:
            chunk = waiting.popleft().get()
            for job in jobs:
                waiting.append(pool.apply_async(_work, (job,)))
                break
            tally.add(chunk)
            if chunk.failures:
                with kept.open("a", encoding="utf-8") as out:
                    for found in chunk.failures:
                        entry = {"seed": args.seed, "chunk": chunk.number, **found}
                        out.write(json.dumps(entry) + "\n")
            if time.monotonic() - shown > 10:
                shown = time.monotonic()
                print(tally.line(shown - start), flush=True)
    print(tally.line(time.monotonic() - start))
    return tally


def replay(path: Path, limit_ms: float) -> int:
    """The streams of a file of failures once more."""
    judge = Judge(limit_ms)
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        stream = row["schema"], row["fragment"], bytes.fromhex(row["exi"])
        judge.trace([stream])
        judge.judge(stream)
    for found in judge.chunk.failures:
        print(f"{found['kind']}: {found['detail']}  {found['schema']} {found['exi'][:60]}")
    print(f"{judge.chunk.streams} streams, {len(judge.chunk.failures)} failures")
    return 1 if judge.chunk.failures else 0


def main() -> int:
    """Runs, prints the summary; 1 when anything failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=200_000, help="streams (200,000)")
    parser.add_argument("--seconds", type=float, help="stop after so many seconds")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="worker processes (1)")
    parser.add_argument("--limit-ms", type=float, default=50.0, help="longest decode in ms (50)")
    parser.add_argument("--vectors", type=Path, metavar="DIR", help="folder of the oracle vectors")
    parser.add_argument("--failures", type=Path, default=Path("fuzz_exi.failures.jsonl"), metavar="FILE")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="only judge the streams of this file")
    args = parser.parse_args()
    if args.replay:
        return replay(args.replay, args.limit_ms)
    corpus = own_streams(args.seed)
    shared = Path(os.environ.get("PLUGBENCH_SHARED") or Path(__file__).resolve().parents[2] / "shared")
    vectors = vector_streams(args.vectors or shared / "vectors")
    print(f"{len(corpus)} own streams and {len(vectors)} of the oracle vectors, seed {args.seed}", flush=True)
    tally = run(args, corpus + vectors)
    for outcome, count in sorted(tally.total.outcomes.items()):
        print(f"  {outcome:44} {count:>11,}")
    for line in tally.memory():
        print(line)
    bad = bool(tally.total.failures)
    if tally.growth > GROWTH_LIMIT:
        print(f"FAILED: a worker grew by {tally.growth >> 20} MB")
        bad = True
    if tally.total.failures:
        print(f"failing streams are in {args.failures}")
    print("FAILED" if bad else "passed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
