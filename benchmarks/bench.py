"""What each scenario uses: the stub, the sizes, and one verified run of one peer."""

from __future__ import annotations

import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from benchmarks.launch import run_child
from benchmarks.objects import GIGABIT
from benchmarks.results import Sample
from benchmarks.verify import KEEP_ALL, WrongWorkError, check_count
from benchmarks.work import FUNCTION, Work

if TYPE_CHECKING:
    from benchmarks.launch import Server


@dataclass(frozen=True, slots=True)
class Sizes:
    """
    How much is measured: objects under the prefix, and rounds of pairs. The whole takes some twenty minutes.

    :param signing: For signing alone.
    :param seed: For pairs with the seed's handler.
    :param slow: For pairs with the other peers that sign one key at a time.
    :param fast: For pairs with obstore.
    :param small: The smallest of the three sizes whose memory is compared.
    :param middle: A size that fills each buffer, and of the jobs that are compared with signing alone.
    :param large: The largest.
    :param reading: With a latency at each LIST, and of what is compared with one chain.
    :param model: For listing in virtual time.
    :param downloads: Number and bytes of the downloaded objects, and bytes a second of the network, if it has
                      a limit.
    :param shared: For work that several processes share.
    """

    signing: int = 10_000
    seed: int = 50_000
    slow: int = 20_000
    fast: int = 200_000
    small: int = 100_000
    middle: int = 1_000_000
    large: int = 5_000_000
    reading: int = 300_000
    model: tuple[int, ...] = (300_000, 1_000_000)
    downloads: tuple[tuple[int, int, int], ...] = ((2_000, 10_000, 0), (20, 20_000_000, 0), (20, 20_000_000, GIGABIT))
    shared: int = 1_000_000
    rounds: int = 3
    stage_rounds: int = 9
    cold_rounds: int = 7


QUICK = Sizes(
    signing=2_000,
    seed=2_000,
    slow=2_000,
    fast=20_000,
    small=10_000,
    middle=20_000,
    large=50_000,
    reading=20_000,
    model=(20_000,),
    downloads=((20, 10_000, 0), (2, 2_000_000, GIGABIT)),
    shared=20_000,
    rounds=1,
    stage_rounds=1,
    cold_rounds=1,
)


@dataclass(frozen=True, slots=True)
class Bench:
    """One run of the benchmarks."""

    server: Server
    sizes: Sizes

    def environment(self) -> dict[str, str]:
        """Return the environment of our own function: no config row, no table, each AWS service at the stub."""
        return {
            "AWS_LAMBDA_FUNCTION_NAME": FUNCTION,
            "AWS_ENDPOINT_URL": self.server.endpoint,
            "S3_ENDPOINT_URL": self.server.endpoint,
            "SOSW_CONFIG": "none",
            # As the stack sets them (cloudformation/).
            "MALLOC_MMAP_THRESHOLD_": "1048576",
            "MALLOC_TRIM_THRESHOLD_": "1048576",
        }

    def work(self, objects: int, compression: str = "none", concurrency: int = 4) -> Work:
        """Describe a piece of work."""
        return Work(self.server.endpoint, objects, compression, concurrency)

    def sign(self, signer: str, *, names: bool = False) -> Sample:
        """
        Measure a module of ``benchmarks.signers``.

        :param names: Let each URL name the file that a browser saves.
        """
        work = replace(self.work(self.sizes.signing), names=names)
        return Sample.of(run_child(f"benchmarks.signers.{signer}", work, warm_up=True))

    def peer(self, name: str, work: Work, *, latency: float = 0.0, warm_up: bool = True) -> Sample:
        """
        Measure a module of ``benchmarks.peers``, and check its manifest.

        :param latency: Seconds that each LIST takes.
        :raises WrongWorkError: It signed the wrong number of keys.
        """
        self.server.reset(latency=latency, keep=KEEP_ALL if work.compression == "gzip" else 0)
        environment = self.environment() if name == "ours" else None
        report = run_child(f"benchmarks.peers.{name}", work, environment, warm_up=warm_up)
        try:
            check_count(self.server, work)
        except WrongWorkError as error:
            raise WrongWorkError(f"{name}: {error}") from error
        return Sample.of(report)


def progress(text: str) -> None:
    """Report progress beside the table."""
    print(text, file=sys.stderr, flush=True)
