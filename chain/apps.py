import logging

from django.apps import AppConfig


class ChainConfig(AppConfig):
    name = "chain"
    verbose_name = "Chain"

    def ready(self) -> None:
        # httpx writes a line per request; the indexer makes several each second.
        logging.getLogger("httpx").setLevel(logging.WARNING)
