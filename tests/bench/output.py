# SPDX-License-Identifier: BSD-3-Clause
"""Tables, the plot, and where both go in BENCHMARKING."""
import math
import os
import platform
import re
import statistics
import subprocess

BEGIN = "<!-- results: written by tests/bench/bench --write -->"
END = "<!-- end of results -->"
NO_BAR = ("prmem-cache", "floor")
COLOURS = {"null": "#888888", "floor": "#8c564b", "memory": "#1f77b4", "memory-malloc": "#17becf", "file": "#2ca02c",
           "qemu-nbd": "#d62728", "nbd-server": "#9467bd", "prmem-cache": "#ff7f0e"}


def machine():
    model = "unknown CPU"
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    versions = []
    for argv in (["nbdkit", "--version"], ["fio", "--version"], ["qemu-nbd", "--version"]):
        try:
            versions.append(subprocess.run(argv, capture_output=True, check=False, text=True).stdout.splitlines()[0])
        except (OSError, IndexError):
            pass
    return {"cpu": model, "cpus": os.cpu_count(), "memory_gib": round(os.sysconf("SC_PAGE_SIZE") *
            os.sysconf("SC_PHYS_PAGES") / 2**30), "kernel": platform.release(), "versions": versions,
            "load": round(os.getloadavg()[0], 2)}


def ratios(rows, peer, key):
    """Of each workload: the median over the rounds of prmem's figure by the peer's."""
    found = {}
    for row in rows:
        pairs = [(r["prmem"][key], r[peer][key]) for r in row["rounds"] if peer in r and "prmem" in r]
        pairs = [(a, b) for a, b in pairs if b > 0]
        if pairs:
            found[row["name"]] = statistics.median(a / b for a, b in pairs)
    return found


def mark(value, bar, at_least=True):
    """A figure, and an exclamation mark where it misses its bar."""
    missed = value < bar if at_least else value > bar
    return f"{value:.2f}" + (" !" if missed else "")


def grid(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "|".join("---" if i == 0 else "---:" for i in range(len(head))) + "|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def nbd_table(rows, peers):
    by_peer = {p: ratios(rows, p, "per_s") for p in peers if p != "prmem"}
    cpu = ratios(rows, "memory", "server_cpu_us")
    table = []
    for row in rows:
        mine = statistics.median(r["prmem"]["per_s"] for r in row["rounds"])
        mib = statistics.median(r["prmem"]["mib_per_s"] for r in row["rounds"])
        cells = [row["name"], f"{mine:,.0f}/s" if row["small"] else f"{mib:,.0f} MiB/s"]
        for p, found in by_peer.items():
            value = found.get(row["name"])
            if value is None:
                cells.append("-")
            elif p in NO_BAR:
                cells.append(f"{value:.2f}")
            else:
                cells.append(mark(value, (0.97 if row["page"] else 0.9) if p == "null" else 1.0))
        value = cpu.get(row["name"])
        cells.append("-" if value is None else mark(value, 1.0, at_least=False) if row["page"] else f"{value:.2f}")
        table.append(cells)
    return grid(["workload", "prmem", *("/ " + p for p in by_peer), "CPU / memory"], table)


def engine_table(rows):
    table = []
    for row in rows:
        bar = row["bar"]
        if bar == 0:
            ratio = f"{row['ratio']:.2f}" if row["ratio"] else ""
        else:
            ratio = mark(row["ratio"], abs(bar), at_least=bar < 0)
        limit = "" if bar == 0 else f"{'at least' if bar < 0 else 'at most'} {abs(bar):g}"
        if not row["unit"]:  # said, not measured
            table.append([row["world"], row["name"], "", "", "", ""])
            continue
        table.append([row["world"], row["name"], f"{row['engine']:,.4g} {row['unit']}",
                      f"{row['limit']:,.4g} {row['unit']}" if row["limit"] else "", ratio, limit])
    return grid(["world", "work", "engine", "limit, or other", "ratio", "bar"], table)


def growth_table(rows):
    return grid(["what", "requests/s", "server CPU, us a request"],
                [[r["name"], f"{r['per_s']:,.0f}", f"{r['server_cpu_us']:.2f}"] for r in rows])


def report(results):
    m = results["machine"]
    text = [f"{m['cpu']}, {m['cpus']} CPUs, {m['memory_gib']} GiB, Linux {m['kernel']}; {', '.join(m['versions'])}; "
            f"load before the run {m['load']}. An exclamation mark is a bar that was missed."]
    how = results["how"]
    if results.get("nbd"):
        text += [f"Over NBD ({how['nbd']}): requests a second or MiB/s of prmem, and that divided by each other server's; "
                 "in the last column the server's CPU seconds a request by those of the memory plugin.",
                 nbd_table(results["nbd"], results["peers"])]
    if results.get("engine"):
        text += [f"The engine, in process ({how['engine']}):", engine_table(results["engine"])]
    if results.get("growth"):
        text += [f"How it grows ({how['growth']}; 4 KiB, at random places if nothing else is said, depth 32 in all):",
                 growth_table(results["growth"])]
    return "\n\n".join(text) + "\n"


def plot(results, path):
    """A dot for each server and workload: prmem's throughput by that server's."""
    rows = results["nbd"]
    peers = [p for p in results["peers"] if p != "prmem"]
    step, top, left, width = 22, 40, 300, 560
    height = top + step * len(rows) + 40

    def x(value):
        value = min(max(value, 0.25), 4)
        # Logarithmic: a half is as far from one as the double is.
        return left + width * (math.log2(value) + 2) / 4

    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 40}" height="{height}" '
           'font-family="sans-serif" font-size="12">', '<rect width="100%" height="100%" fill="white"/>']
    for value in (0.25, 0.5, 1, 2, 4):
        svg.append(f'<line x1="{x(value):.1f}" y1="{top - 6}" x2="{x(value):.1f}" y2="{height - 34}" '
                   f'stroke="{"#000" if value == 1 else "#ccc"}"/>')
        svg.append(f'<text x="{x(value):.1f}" y="{height - 20}" text-anchor="middle">{value:g}</text>')
    for i, row in enumerate(rows):
        y = top + step * i + 8
        svg.append(f'<text x="{left - 10}" y="{y + 4}" text-anchor="end">{row["name"]}</text>')
    for n, p in enumerate(peers):
        found = ratios(rows, p, "per_s")
        svg.append(f'<circle cx="{20 + n * 115}" cy="14" r="5" fill="{COLOURS.get(p, "#000")}"/>'
                   f'<text x="{30 + n * 115}" y="18">{p}</text>')
        for i, row in enumerate(rows):
            if row["name"] in found:
                svg.append(f'<circle cx="{x(found[row["name"]]):.1f}" cy="{top + step * i + 8}" r="5" '
                           f'fill="{COLOURS.get(p, "#000")}" fill-opacity="0.8"/>')
    svg.append(f'<text x="{left + width / 2}" y="{height - 4}" text-anchor="middle">'
               "prmem's throughput, divided by that of the other server</text></svg>")
    with open(path, "w") as f:
        f.write("\n".join(svg) + "\n")


def write_doc(path, text):
    with open(path) as f:
        doc = f.read()
    new = re.sub(re.escape(BEGIN) + ".*?" + re.escape(END), lambda _: f"{BEGIN}\n{text}{END}", doc, flags=re.DOTALL)
    if BEGIN not in doc:
        raise SystemExit(f"bench: {path} has no place for results")
    with open(path, "w") as f:
        f.write(new)
