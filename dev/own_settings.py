"""What a developer's machine has set, kept out of what runs on an emulated AWS: an account of AWS, and proxies."""

from __future__ import annotations

import os
from urllib.request import getproxies_environment

NO_ACCOUNT = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
LOOPBACK = "127.0.0.1,localhost"


def set_aside() -> None:
    """Forget every setting of AWS, and exempt loopback from the proxies, which pip still needs."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(NO_ACCOUNT)
    if proxies := getproxies_environment():
        exempt = ",".join(filter(None, (proxies.get("no"), LOOPBACK)))
        os.environ.update(no_proxy=exempt, NO_PROXY=exempt)  # programs differ in which one they read first
