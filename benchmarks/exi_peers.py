"""The codecs that benchmarks/exi.py compares with: where they are found, and the programs that time them.

Each function takes streams (name, message set, EXI) and returns name -> :class:`Timing`, or raises
:class:`Missing` with what to do about it. Nothing of the peers is kept here: the programs only call them.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

Streams = list[tuple[str, str, bytes]]

PACKAGE = "iso15118==0.31.2"


class Missing(Exception):
    """A peer that is not at hand; the text says why and how to get it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Timing:
    """Median microseconds of a decode and of an encode; ``same`` when it encodes what it was given."""

    decode_us: float
    encode_us: float
    same: bool

    def better(self, other: Timing) -> Timing:
        """The lesser figures of two measurements."""
        decode_us, encode_us = min(self.decode_us, other.decode_us), min(self.encode_us, other.encode_us)
        return Timing(decode_us, encode_us, self.same and other.same)

    @property
    def both_us(self) -> float:
        """Decode and encode."""
        return self.decode_us + self.encode_us


def find_package(python: Path | None, install: bool) -> Path:
    """The Python that has the package: the one given, or that of the venv in JOSEV_HOME.

    JOSEV_HOME is where the start scripts of the shared Josev peer keep it; by default in the user's cache.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get("JOSEV_HOME") or cache / "josev-peer") / "venv"
    found = python or folder / "bin" / "python"
    if not found.exists() and python is None and install:
        venv.create(folder, with_pip=True)
        subprocess.run([str(found), "-m", "pip", "install", "-q", PACKAGE], check=True)
    if not found.exists():
        advice = f"give a Python that has {PACKAGE} with --iso15118, set JOSEV_HOME, or --install it"
        raise Missing(f"{found} is not there; {advice}")
    return found.absolute()


def package_folder(python: Path) -> Path:
    """The folder of the installed package."""
    done = subprocess.run(
        [str(python), "-c", "import iso15118; print(iso15118.__path__[0])"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Missing(f"{python} has no package iso15118: {_reason(done.stderr)}")
    return Path(done.stdout.strip())


def _reason(text: str) -> str:
    """The line of a program's last words that says most."""
    lines = text.strip().splitlines() or ["no message"]
    return next((line for line in lines if line.startswith("Exception")), lines[-1]).strip()


def _timings(
    command: list[str], streams: Streams, what: str, folder: Path | None = None
) -> dict[str, Timing]:
    """Runs a program that reads lines "set hex" and answers each with "us", decode, encode and "same"."""
    asked = "".join(f"{schema} {data.hex()}\n" for _, schema, data in streams)
    done = subprocess.run(command, input=asked, cwd=folder, capture_output=True, text=True, check=False)
    answers = [line.split() for line in done.stdout.splitlines() if line.startswith("us ")]
    if done.returncode or len(answers) != len(streams):
        raise Missing(f"{what} failed: {_reason(done.stderr or done.stdout)}")
    return {
        name: Timing(float(words[1]), float(words[2]), words[3] == "same")
        for (name, _, _), words in zip(streams, answers, strict=True)
    }


# The PyPI package: typed (pydantic) message <-> bytes, by way of JSON, py4j and the jar.

PYTHON_PROGRAM = """
import logging, statistics, sys, time
from iso15118.shared.exi_codec import EXI
from iso15118.shared.exificient_exi_codec import ExificientEXICodec
from iso15118.shared.messages.enums import Namespace
from iso15118.shared.settings import load_shared_settings

logging.disable(logging.INFO)
load_shared_settings()
EXI().set_exi_codec(ExificientEXICodec())
spaces = {"sap": Namespace.SAP, "iso2": Namespace.ISO_V2_MSG_DEF,
          "iso20-common": Namespace.ISO_V20_COMMON_MSG, "iso20-dc": Namespace.ISO_V20_DC}

def median_us(action):
    found = []
    for round in range(WARM + ROUNDS):
        start = time.perf_counter_ns()
        action()
        if round >= WARM:
            found.append((time.perf_counter_ns() - start) / 1000)
    return statistics.median(found)

for line in sys.stdin:
    schema, text = line.split()
    data, space = bytes.fromhex(text), spaces[schema]
    message = EXI().from_exi(data, space)
    same = bytes(EXI().to_exi(message, space)) == data
    decode, encode = lambda: EXI().from_exi(data, space), lambda: EXI().to_exi(message, space)
    print("us", median_us(decode), median_us(encode),
          "same" if same else "other", flush=True)
"""


def time_package(python: Path, streams: Streams, rounds: int) -> dict[str, Timing]:
    """The package as it works in production: its EXI class with its jar behind py4j."""
    if shutil.which("java") is None:
        raise Missing("needs a JRE: java is not on the PATH")
    package_folder(python)
    program = PYTHON_PROGRAM.replace("WARM", "8").replace("ROUNDS", str(rounds))
    with tempfile.TemporaryDirectory() as scratch:
        script = Path(scratch) / "time_iso15118.py"
        script.write_text(program, encoding="utf-8")
        return _timings([str(python), str(script)], streams, "iso15118")


# EXIficient inside one JVM that has done thousands of rounds before the clock starts.

SCHEMAS = {
    "sap": "V2G_CI_AppProtocol.xsd",
    "iso2": "iso15118_2/V2G_CI_MsgDef.xsd",
    "iso20-common": "iso15118_20/V2G_CI_CommonMessages.xsd",
    "iso20-dc": "iso15118_20/V2G_CI_DC.xsd",
}
JAVA_PROGRAM = """
import com.siemens.ct.exi.core.EXIFactory;
import com.siemens.ct.exi.core.helpers.DefaultEXIFactory;
import com.siemens.ct.exi.grammars.GrammarFactory;
import com.siemens.ct.exi.main.api.dom.DOMBuilder;
import com.siemens.ct.exi.main.api.dom.DOMWriter;
import com.siemens.ct.exi.main.api.sax.EXIResult;
import com.siemens.ct.exi.main.api.sax.EXISource;
import java.io.*;
import java.util.*;
import javax.xml.parsers.SAXParserFactory;
import javax.xml.transform.*;
import javax.xml.transform.sax.SAXSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Document;
import org.xml.sax.*;
import org.xml.sax.helpers.*;

public class TimeExificient {
    interface Action { Object run() throws Exception; }
    interface Event { void replay(ContentHandler to) throws SAXException; }

    static volatile Object kept;

    static double medianUs(Action action) throws Exception {
        long until = System.nanoTime() + WARM_MS * 1_000_000L;
        for (int done = 0; done < 5000 || System.nanoTime() < until; done++) kept = action.run();
        double[] found = new double[200];
        for (int round = 0; round < found.length; round++) {
            long start = System.nanoTime();
            for (int i = 0; i < 20; i++) kept = action.run();
            found[round] = (System.nanoTime() - start) / 20.0 / 1000;
        }
        Arrays.sort(found);
        return found[found.length / 2];
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, EXIFactory> factories = new HashMap<>();
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            byte[] data = HexFormat.of().parseHex(words[1]);
            if (!factories.containsKey(words[0])) {
                EXIFactory made = DefaultEXIFactory.newInstance();
                String schema = arguments[1 + Arrays.asList(arguments).indexOf(words[0])];
                made.setGrammars(GrammarFactory.newInstance().createGrammars(schema));
                made.setValueMaxLength(0);
                made.setValuePartitionCapacity(0);
                factories.put(words[0], made);
            }
            EXIFactory factory = factories.get(words[0]);
            switch (arguments[0]) {
                case "xml" -> xml(factory, data);
                case "dom" -> dom(factory, data);
                default -> sax(factory, data);
            }
        }
    }

    static void answer(Action decode, Action encode, byte[] data) throws Exception {
        boolean same = Arrays.equals((byte[]) encode.run(), data);
        System.out.println("us " + medianUs(decode) + " " + medianUs(encode) + (same ? " same" : " other"));
    }

    static void xml(EXIFactory factory, byte[] data) throws Exception {
        XMLReader reader = new EXISource(factory).getXMLReader();
        Transformer transformer = TransformerFactory.newInstance().newTransformer();
        Action decode = () -> {
            StringWriter text = new StringWriter();
            InputSource source = new InputSource(new ByteArrayInputStream(data));
            transformer.transform(new SAXSource(reader, source), new StreamResult(text));
            return text.toString();
        };
        String text = (String) decode.run();
        SAXParserFactory parsers = SAXParserFactory.newInstance();
        parsers.setNamespaceAware(true);
        XMLReader parser = parsers.newSAXParser().getXMLReader();
        EXIResult result = new EXIResult(factory);
        answer(decode, () -> {
            ByteArrayOutputStream out = new ByteArrayOutputStream(data.length + 16);
            result.setOutputStream(out);
            parser.setContentHandler(result.getHandler());
            parser.parse(new InputSource(new StringReader(text)));
            return out.toByteArray();
        }, data);
    }

    static void dom(EXIFactory factory, byte[] data) throws Exception {
        DOMBuilder builder = new DOMBuilder(factory);
        DOMWriter writer = new DOMWriter(factory);
        Document document = builder.parse(new ByteArrayInputStream(data));
        answer(() -> builder.parse(new ByteArrayInputStream(data)), () -> {
            ByteArrayOutputStream out = new ByteArrayOutputStream(data.length + 16);
            writer.setOutput(out);
            writer.encode(document);
            return out.toByteArray();
        }, data);
    }

    static void sax(EXIFactory factory, byte[] data) throws Exception {
        XMLReader reader = new EXISource(factory).getXMLReader();
        List<Event> events = new ArrayList<>();
        reader.setContentHandler(new DefaultHandler() {
            @Override public void startElement(String uri, String name, String qname, Attributes given) {
                AttributesImpl attributes = new AttributesImpl(given);
                events.add(to -> to.startElement(uri, name, qname, attributes));
            }
            @Override public void endElement(String uri, String name, String qname) {
                events.add(to -> to.endElement(uri, name, qname));
            }
            @Override public void characters(char[] from, int start, int length) {
                char[] text = Arrays.copyOfRange(from, start, start + length);
                events.add(to -> to.characters(text, 0, text.length));
            }
        });
        reader.parse(new InputSource(new ByteArrayInputStream(data)));
        reader.setContentHandler(new DefaultHandler());
        EXIResult result = new EXIResult(factory);
        answer(() -> {
            reader.parse(new InputSource(new ByteArrayInputStream(data)));
            return null;
        }, () -> {
            ByteArrayOutputStream out = new ByteArrayOutputStream(data.length + 16);
            result.setOutputStream(out);
            ContentHandler handler = result.getHandler();
            handler.startDocument();
            for (Event event : events) event.replay(handler);
            handler.endDocument();
            return out.toByteArray();
        }, data);
    }
}
"""


def time_exificient(python: Path, streams: Streams, way: str, warm_ms: int) -> dict[str, Timing]:
    """EXIficient from the package's jar; ``way`` is "xml" (text), "dom" (document) or "sax" (events only)."""
    if shutil.which("java") is None:
        raise Missing("needs a JDK: java is not on the PATH")
    shared = package_folder(python) / "shared"
    with tempfile.TemporaryDirectory() as scratch:
        schemas = Path(scratch) / "schemas"
        shutil.copytree(shared / "schemas", schemas)
        core = schemas / "xmldsig-core-schema.xsd"
        # Its document type names a web page.
        core.write_text(re.sub(r"<!DOCTYPE.*?\]>", "", core.read_text("utf-8"), flags=re.DOTALL), "utf-8")
        for folder in ("iso15118_2", "iso15118_20"):
            shutil.copy(core, schemas / folder)
        files = []
        for schema in sorted({schema for _, schema, _ in streams}):
            files += [schema, str(schemas / SCHEMAS[schema])]
        program = Path(scratch) / "TimeExificient.java"
        program.write_text(JAVA_PROGRAM.replace("WARM_MS", str(warm_ms)), encoding="utf-8")
        command = ["java", "-Xss8m", "-cp", str(shared / "EXICodec.jar"), str(program), way, *files]
        # EXIficient looks for ../xmldsig-core-schema.xsd from the working directory.
        return _timings(command, streams, "EXIficient (needs a JDK from 17)", schemas / "iso15118_2")


# libcbv2g: struct <-> bytes in C.

C_SETS = {
    "sap": ("app_handshake/appHand", "appHand"),
    "iso2": ("iso_2/iso2_msgDef", "iso2"),
    "iso20-common": ("iso_20/iso20_CommonMessages", "iso20"),
    "iso20-dc": ("iso_20/iso20_DC", "iso20_dc"),
}
C_PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "cbv2g/common/exi_bitstream.h"
INCLUDES

enum { ROUNDS = 101 };
static uint8_t data[65536], out[65536];
static size_t size;

static double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static int order(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_us(int (*action)(size_t *), size_t *length) {
    double found[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        double start = now_us();
        for (int i = 0; i < 200; i++) if (action(length)) return -1;
        found[round] = (now_us() - start) / 200;
    }
    qsort(found, ROUNDS, sizeof found[0], order);
    return found[ROUNDS / 2];
}

FUNCTIONS

int main(void) {
    static char set[32], hex[131073];
    while (scanf("%31s %131072s", set, hex) == 2) {
        size = strlen(hex) / 2;
        for (size_t i = 0; i < size; i++) {
            unsigned octet;
            sscanf(hex + 2 * i, "%2x", &octet);
            data[i] = (uint8_t)octet;
        }
        double decode = -1, encode = -1;
        size_t length = 0;
CALLS
        if (decode < 0 || encode < 0) {
            fprintf(stderr, "%s: the library refuses a message\\n", set);
            return 1;
        }
        int same = length == size && !memcmp(out, data, size);
        printf("us %f %f %s\\n", decode, encode, same ? "same" : "other");
    }
    return 0;
}
"""
C_FUNCTIONS = """
static struct NAME_exiDocument doc_NAME;
static int dec_NAME(size_t *length) {
    exi_bitstream_t stream;
    (void)length;
    exi_bitstream_init(&stream, data, size, 0, NULL);
    return decode_NAME_exiDocument(&stream, &doc_NAME);
}
static int enc_NAME(size_t *length) {
    exi_bitstream_t stream;
    exi_bitstream_init(&stream, out, sizeof out, 0, NULL);
    int error = encode_NAME_exiDocument(&stream, &doc_NAME);
    *length = exi_bitstream_get_length(&stream);
    return error;
}
"""
C_CALL = """
        if (!strcmp(set, "SET")) {
            decode = median_us(dec_NAME, &length);
            encode = median_us(enc_NAME, &length);
        }
"""


def time_libcbv2g(home: Path | None, streams: Streams) -> dict[str, Timing]:
    """libcbv2g, its sources in ``home`` or LIBCBV2G_HOME compiled with -O2."""
    named = home or (Path(os.environ["LIBCBV2G_HOME"]) if "LIBCBV2G_HOME" in os.environ else None)
    if named is None:
        raise Missing("give a checkout of EVerest/libcbv2g with --libcbv2g or LIBCBV2G_HOME")
    if not (named / "include" / "cbv2g").is_dir():
        raise Missing(f"{named} holds no include/cbv2g")
    compiler = os.environ.get("CC") or shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        raise Missing("needs a C compiler")
    names = list(C_SETS.values())
    includes = [f'#include "cbv2g/{s}_{x}.h"' for s, _ in names for x in ("Datatypes", "Decoder", "Encoder")]
    text = C_PROGRAM.replace("INCLUDES", "\n".join(includes).replace("msgDef_", "msgDef"))
    text = text.replace("FUNCTIONS", "".join(C_FUNCTIONS.replace("NAME", n) for _, n in names))
    calls = [C_CALL.replace("SET", schema).replace("NAME", n) for schema, (_, n) in C_SETS.items()]
    with tempfile.TemporaryDirectory() as scratch:
        source, program = Path(scratch) / "time_libcbv2g.c", Path(scratch) / "time_libcbv2g"
        source.write_text(text.replace("CALLS", "".join(calls)), encoding="utf-8")
        library = named / "lib" / "cbv2g"
        files = sorted((library / "common").glob("*.c"))
        for stem, _ in names:
            files += sorted(library.glob(f"{stem}*.c"))
        command = [compiler, "-O2", "-std=gnu99", f"-I{named / 'include'}", "-o", str(program), str(source)]
        built = subprocess.run([*command, *map(str, files)], capture_output=True, text=True, check=False)
        if built.returncode:
            raise Missing(f"{compiler} failed: {_reason(built.stderr)}")
        return _timings([str(program)], streams, "libcbv2g")


def import_cost() -> tuple[float, float]:
    """CPU time (ms) of importing the codec, and peak memory (MB) of the fresh process that does it."""
    program = (
        "import time; t = time.process_time(); import bench.v2g.codec; t = time.process_time() - t;"
        "import json; lines = open('/proc/self/status').read().splitlines();"
        "print(json.dumps([t, next(int(w.split()[1]) for w in lines if w.startswith('VmHWM'))]))"
    )
    root = Path(__file__).resolve().parents[1]
    costs = []
    for _ in range(7):
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
        )
        costs.append(json.loads(done.stdout))
    costs.sort()
    seconds, kilobytes = costs[len(costs) // 2]
    return seconds * 1000, kilobytes / 1000
