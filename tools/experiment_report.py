# SPDX-License-Identifier: MIT
"""What an experiment has found, as one HTML file that needs no other: tables, plots, what was run, and how to repeat it."""

import html
import shlex
import statistics

import bench_cases
import experiment_matrix
import experiment_plot
import experiment_run
import knobs

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #222; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 13px; }
th, td { padding: .15rem .7rem; border-bottom: 1px solid #e2e2e2; text-align: right; white-space: nowrap; }
th.row, td.row { text-align: left; } thead th { border-bottom: 2px solid #888; vertical-align: bottom; }
.scroll { overflow-x: auto; } svg { max-width: 100%; height: auto; }
pre { background: #f5f5f3; padding: .7rem; overflow-x: auto; font-size: 12px; } small { color: #666; }
"""
STYLE_LINE = " ".join(STYLE.split())  # every report has it, so that it needs no other file


# ---- rows ----


def collect(e, build_dir, results):
    """(rows, failures): each row a program printed, with the values of its point; what has not run or has failed."""
    rows, failures = [], []
    for key, point, repeat in experiment_run.plan(e, build_dir):
        entry = results.by_key.get(key)
        if entry is None:
            failures.append(f"{point}, run {repeat}: not run")
        elif "error" in entry:
            failures.append(f"{point}, run {repeat}: {entry['error']}")
        else:
            rows += [{**row, **point.values(), "repeat": repeat} for row in entry["rows"]]
    return rows, failures


def where(rows, condition):
    """Those whose columns have these values, or one of a list of them."""
    return [row for row in rows if all(row.get(name) in experiment_matrix.as_list(value) for name, value in condition.items())]


# ---- tables ----


def number(value):
    if isinstance(value, str):
        return value
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:,.1f}" if abs(value) >= 10 else f"{value:.3g}"


def cell(values):
    """The median, with the least and the most when they differ."""
    if not values:
        return "–"
    if any(isinstance(v, str) for v in values):
        return ", ".join(dict.fromkeys(map(str, values)))
    middle, low, high = number(statistics.median(values)), number(min(values)), number(max(values))
    return middle if low == high else f"{middle} ({low}–{high})"


def pivot(rows, table):
    """(head, lines): a line for each combination of the row variables, a column for each of the others and each value."""
    down, across, values = table["rows"], table.get("columns", []), table["values"]
    cells, head, lines = {}, {}, {}
    for row in rows:
        line = tuple(row.get(name, "") for name in down)
        column = tuple(str(row[name]) if name == "what" or len(across) == 1 else f"{name}={row[name]}" for name in across if name in row)
        for value in values:
            if value in row:
                lines[line] = head[(*column, *([value] if len(values) > 1 or not across else []))] = True
                cells.setdefault((line, column, value), []).append(row[value])
    columns = [(name[: len(name) - 1], name[-1]) if len(values) > 1 or not across else (name, values[0]) for name in head]
    body = [[*map(str, line), *(cell(cells.get((line, column, value))) for column, value in columns)] for line in lines]
    return [*down, *(" · ".join(name) for name in head)], body


def table_html(head, body, labels):
    def row(cells, tag):
        return "<tr>" + "".join(f'<{tag}{" class=row" if n < labels else ""}>{html.escape(c)}</{tag}>' for n, c in enumerate(cells)) + "</tr>"

    lines = "\n".join(row(line, "td") for line in body)
    return f'<div class="scroll"><table><thead>{row(head, "th")}</thead><tbody>\n{lines}\n</tbody></table></div>'


# ---- the page ----


def section(title, *parts):
    return "\n".join([f"<h2>{html.escape(title)}</h2>", *parts])


def paragraphs(text):
    return "\n".join(f"<p>{html.escape(' '.join(p.split()))}</p>" for p in text.strip().split("\n\n"))


def versions(e, build_dir, results):
    entries = [results.by_key[key] for key, _, _ in experiment_run.plan(e, build_dir) if key in results.by_key]
    ours = ", ".join(dict.fromkeys(entry.get("version", "unknown") for entry in entries))
    lines = [["Faultline", f"{ours}, {bench_cases.compiler(build_dir)}"]]
    if "linux" in e.kernels:
        lines.append(["Linux", f"{bench_cases.linux_version(f'{build_dir}/linux/vmlinuz')}: the distribution's package as it is"])
    lines.append(["QEMU", bench_cases.qemu_version() + (", -icount: an instruction is a nanosecond, figures are exact" if e.icount else "")])
    lines.append(["machine", f"{', '.join(map(str, e.smp))} CPU(s), {', '.join(e.mem)} of memory, {e.repeats} run(s) of each point"])
    return lines


def knob_lines(e):
    known = knobs.known()
    return [[name, ", ".join(map(str, values)), known[name].default, known[name].about] for name, values in e.knobs.items()]


def commands(e):
    """One for each point, as one types it in a checkout."""
    lines = []
    for point in e.points():
        argv, _ = experiment_run.command(e, point, "build")
        words = [word.replace(experiment_matrix.TOP + "/", "") for word in argv if word != "--no-build"]
        at = words.index("--build-dir")
        del words[at : at + 2]
        at = words.index("--")
        words[at + 1] = f"build/{e.program}" if "/" in e.program else e.program
        lines.append(shlex.join(["./" + words[0], *words[1:]]))
    return lines


def plots(e, rows):
    """[(title, SVG)]"""
    drawn = [(p["title"], experiment_plot.draw(p, where(rows, p.get("where", {})), n)) for n, p in enumerate(e.plot)]
    return [(title, svg) for title, svg in drawn if svg]


def render(e, build_dir, results):
    rows, failures = collect(e, build_dir, results)
    parts = [f"<h1>{html.escape(e.title)}</h1>", paragraphs(e.about)]
    if failures:
        parts.append(section("Not there", f"<pre>{html.escape(chr(10).join(failures))}</pre>"))
    parts += [f"<figure>{svg}</figure>" for _, svg in plots(e, rows)]
    for table in e.table:
        head, body = pivot(where(rows, table.get("where", {})), table)
        note = "<p><small>Medians; in brackets the least and the most of the runs.</small></p>" if e.repeats > 1 else ""
        parts.append(section(table.get("title", "Figures"), note, table_html(head, body, len(table["rows"]))))
    if e.knobs:
        parts.append(section("Knobs", table_html(["knob", "values", "default", "what it is"], knob_lines(e), 4)))
    parts.append(section("What was measured", table_html(["", ""], versions(e, build_dir, results), 2)))
    parts.append(section("To repeat it", f"<pre>make experiment E={html.escape(e.name)}</pre>",
                         f"<details><summary>Each run by hand</summary><pre>{html.escape(chr(10).join(commands(e)))}</pre></details>",
                         f"<details><summary>experiments/{html.escape(e.name)}.toml</summary><pre>{html.escape(e.text)}</pre></details>"))  # fmt: skip
    return (f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{html.escape(e.title)}</title>\n<style>{STYLE_LINE}</style></head>\n'
            f"<body>\n{chr(10).join(parts)}\n</body></html>\n")  # fmt: skip
