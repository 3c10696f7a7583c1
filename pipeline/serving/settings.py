"""The settings of `ncf serve`: where it listens, and its limits."""

import dataclasses
import ipaddress
import pathlib

LOCALHOST = "localhost"


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServeSettings:
    """The serving folder, the address, and the limits of requests.

    Attributes:
        serving: the serving folder: a path or a gs:// URI.
        titles: a CSV of `item_id,title`, which may be absent; None for no titles.
        name: the name of the model in TensorFlow Serving's paths.
        host: the address to listen on.
        port: the port to listen on; 0 takes a free one.
        api_key: the key that clients must send; None asks for no key.
        max_body_bytes: the largest body of a request.
        max_batch: the most users, baskets or instances in a request.
        max_k: the most items in a list.
        max_concurrency: the most requests at a time; others get status 503.
        body_timeout_s: how long a client may take to send the body of a request.
        keep_loaded: how many versions are in memory: the current one and those before.
        poll_s: seconds between two looks into `serving`.
    """

    serving: str
    titles: pathlib.Path | None = None
    name: str = "ncf"
    host: str = "127.0.0.1"
    port: int = 8501
    api_key: str | None = None
    max_body_bytes: int = 1 << 20
    max_batch: int = 1024
    max_k: int = 1000
    max_concurrency: int = 64
    body_timeout_s: float = 10.0
    keep_loaded: int = 2
    poll_s: float = 1.0

    def __post_init__(self) -> None:
        for name in ("max_body_bytes", "max_batch", "max_k", "max_concurrency"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be >= 1; got {getattr(self, name)}.")
        if self.keep_loaded < 1:
            raise ValueError(f"`keep_loaded` must be >= 1; got {self.keep_loaded}.")
        if self.poll_s <= 0:
            raise ValueError(f"`poll_s` must be positive; got {self.poll_s}.")
        if not 0 <= self.port < 1 << 16:
            raise ValueError(f"`port` must be in [0, 65535]; got {self.port}.")
        if self.api_key is not None and len(self.api_key) < 16:
            raise ValueError(
                f"An API key must have 16 characters or more; got {len(self.api_key)}. "
                "Python's `secrets.token_urlsafe()` makes one."
            )

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == LOCALHOST:
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def check_exposure(self, *, without_key: bool) -> None:
        """Checks that other machines cannot connect without a key.

        Args:
            without_key: allows it all the same.

        Raises:
            ValueError: other machines can connect, and there is no key.
        """
        if not (self.is_loopback or self.api_key or without_key):
            raise ValueError(
                f"On {self.host} anybody who reaches this machine could ask. Set "
                "NCF_API_KEY (or --api-key-file), or say --without-key where something "
                "in front of the server, such as a gateway, asks for a key."
            )
