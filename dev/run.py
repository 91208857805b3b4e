"""The main job on an emulated AWS: upload, a chain of siblings, and the proof of its manifest."""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from dev import chain, follow, proof, sample_objects
from dev.aws import emulator, stack
from dev.checkout import REPOSITORY
from presign_siblings.manifests.check import Check
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dev.aws.emulator import Emulator
    from dev.chain import Chain
    from dev.sample_objects import Item

KEYS = 3000
MOST_CHAINS = 16
UPLOADS = 16
HANDOVERS = 3
MANIFEST = REPOSITORY / ".work" / "run" / "manifest.jsonl"
EXPECTED_ERRORS = (*stack.ERRORS, follow.ChainError)


def main() -> int:
    """Run the job; the exit code says whether every check passed."""
    console = Console(highlight=False, soft_wrap=True)
    arguments = _arguments()
    items = _items(arguments)
    began = time.monotonic()
    with emulator.running() as running:
        job, checks = _job(running, items, arguments.chains, console)
    _summary(console, job, checks, time.monotonic() - began)
    return 0 if all(check.passed for check in checks) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dev run", description=__doc__)
    parser.add_argument("--keys", type=int, default=KEYS, help=f"PDFs to make ({KEYS})")
    parser.add_argument("--chains", type=int, default=1, help="chains of siblings that share the job (1)")
    parser.add_argument("--from", dest="folder", type=Path, help="upload the PDFs of this folder instead")
    arguments = parser.parse_args()
    if arguments.keys < 1:
        parser.error("--keys must be at least 1")
    if not 1 <= arguments.chains <= MOST_CHAINS:
        parser.error(f"--chains must be 1 to {MOST_CHAINS}: they all run on this machine")
    if arguments.folder is not None and not arguments.folder.is_dir():
        parser.error(f"--from: {arguments.folder} is not a folder")
    return arguments


def _items(arguments: argparse.Namespace) -> list[Item]:
    if arguments.folder is None:
        return list(sample_objects.made(arguments.keys, stack.PREFIX))
    items = list(
        sample_objects.found(arguments.folder, stack.PREFIX, lambda name, why: print(f"not taken: {name}: {why}"))
    )
    if not items:
        raise SystemExit(f"no PDF in {arguments.folder}")
    return items


def _job(running: Emulator, items: Sequence[Item], chains: int, console: Console) -> tuple[Chain, list[Check]]:
    """Deploy, upload, run and prove; a terminal shows one live display."""
    expected = [item.key for item in items if item.is_pdf]
    console.print("emulated AWS started; creating the stack from its CloudFormation template")
    shared = {"Chains": str(chains), "ReservedConcurrency": str(2 * chains + 3)}
    deployed = stack.create(running, shared if chains > 1 else {})
    with _display(console) as display:
        task = display.add_task("upload", total=len(items), hop="")
        _upload(running, items, display, task)
        others = ", and others that must stay out of the manifest" if len(items) > len(expected) else ""
        console.print(f"uploaded {plural(len(items), 'object')}: {plural(len(expected), 'PDF')}{others}")
        pace = chain.measured_pace(running, len(items), chains)
        stack.update(running, pace.parameters())
        works = f"for {pace.work:.2f} s" if pace.work else "on one page"
        page = plural(pace.page_size, "key")
        console.print(f"low limits, so that the job takes siblings: each works {works}, {page} a page; invoking")
        display.reset(task, description="presign", total=len(expected))

        def show(count: int, hop: int) -> None:
            display.update(task, completed=count, hop=f"hop {hop}")
            if not console.is_terminal:
                console.print(f"hop {hop}: {plural(count, 'key')}")

        job = chain.run(running, deployed, show)
    pages = -(-len(items) // pace.page_size)
    handovers = min(HANDOVERS, pages - 1) if chains == 1 else 0
    return job, list(_checks(running, deployed, job, items, handovers, chains))


def _display(console: Console) -> Progress:
    columns = (TextColumn("{task.description:8}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[hop]}"))
    return Progress(*columns, TimeElapsedColumn(), console=console, disable=not console.is_terminal)


def _upload(running: Emulator, items: Sequence[Item], display: Progress, task: TaskID) -> None:
    s3 = boto3.client("s3", **running.options)

    def put(item: Item) -> None:
        s3.put_object(Bucket=stack.BUCKET, Key=item.key, Body=item.body, ContentType="application/pdf")

    with ThreadPoolExecutor(UPLOADS) as uploads:
        for _ in uploads.map(put, items):
            display.advance(task)


def _checks(
    running: Emulator, deployed: stack.Stack, job: Chain, items: Sequence[Item], handovers: int, chains: int
) -> Iterator[Check]:
    s3 = boto3.client("s3", **running.options)
    uploaded = [item for item in items if item.is_pdf]
    url = s3.generate_presigned_url("get_object", Params={"Bucket": stack.BUCKET, "Key": job.manifest_key})
    status, body = proof.get(url)
    yield Check("the manifest's own URL answers", status == HTTPStatus.OK, f"HTTP {status}")
    MANIFEST.parent.mkdir(parents=True, exist_ok=True)
    MANIFEST.write_bytes(body)
    yield Check("siblings handed over", job.handovers >= handovers, f"{job.handovers} times")
    if chains > 1:
        yield Check("several chains shared the job", job.ranges >= chains, f"{job.ranges} ranges, {chains} at once")
    yield proof.record(boto3.client("dynamodb", **running.options), deployed.jobs, job)
    urls, checks = proof.manifest(body, [item.key for item in uploaded])
    yield from checks
    if urls:
        yield proof.downloads(urls, proof.sample(uploaded))
        yield from proof.tampered(urls)
    yield proof.write_outside(boto3.client("lambda", **running.options), s3, deployed.function)


def _summary(console: Console, job: Chain, checks: Sequence[Check], seconds: float) -> None:
    table = Table(title="the main job", title_justify="left", show_header=False)
    table.add_row("keys", f"{job.count:,}")
    hops = job.handovers + 1 + (job.ranges + 1 if job.ranges else 0)
    shared = f"{job.ranges} ranges of several chains" if job.ranges else f"hops 0 to {job.handovers}"
    table.add_row("siblings", f"{hops} ({shared}), in {job.seconds:.1f} s")
    table.add_row("manifest", f"s3://{stack.BUCKET}/{job.manifest_key}")
    table.add_row("copy", str(MANIFEST.relative_to(REPOSITORY)))
    for check in checks:
        table.add_row("[green]ok[/]" if check.passed else "[red]FAILED[/]", f"{check.name}: {check.seen}")
    console.print(table)
    failed = sum(not check.passed for check in checks)
    outcome = f"{failed} checks failed" if failed else "every check passed"
    console.print(f"{outcome}, {seconds:.0f} s; the emulated AWS is gone, and every URL of the copy is dead")
