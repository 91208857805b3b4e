"""Signing alone, without listing or writing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.results import Findings, at_most_goal, pair_rows, pairs, ratio_goal

if TYPE_CHECKING:
    from benchmarks.bench import Bench

NAME = "sign"
LEAST_TIMES_BOTOCORE = 80
LEAST_TIMES_BOTOCORE_NAMED = 60
LEAST_TIMES_OBSTORE = 3
MOST_TIMES_FLOOR = 2.5
_SIGNERS = {
    "botocore generate_presigned_url": "botocore_presign",
    "minio-py presigned_get_object": "minio_presign",
    "obstore.sign, batches": "obstore_sign",
    "floor: three bare SHA-256": "floor",
}


def measure(bench: Bench) -> Findings:
    """Measure each signer in pairs with ours."""
    others = {label: lambda module=module: bench.sign(module) for label, module in _SIGNERS.items()}
    measured = pairs(lambda: bench.sign("ours"), others, bench.sizes.rounds)
    ratios = {label: found for label, (_, found) in measured[1].items()}
    botocore, minio, obstore, floor = ratios.values()
    _, named = pairs(
        lambda: bench.sign("ours", names=True),
        {"botocore": lambda: bench.sign("botocore_presign", names=True)},
        bench.sizes.rounds,
    )
    goals = [
        ratio_goal("signing, times botocore", botocore, LEAST_TIMES_BOTOCORE),
        ratio_goal("signing a file name per key, times botocore", named["botocore"][1], LEAST_TIMES_BOTOCORE_NAMED),
        ratio_goal("signing, times obstore", obstore, LEAST_TIMES_OBSTORE),
        ratio_goal("signing, times minio-py", minio, None),
        at_most_goal("signing, times slower than three bare SHA-256", [1 / ratio for ratio in floor], MOST_TIMES_FLOOR),
    ]
    return Findings(pair_rows(NAME, "ours", bench.sizes.signing, measured), goals)
