import logging

from django.apps import AppConfig


class ChainConfig(AppConfig):
    name = "chain"
    verbose_name = "Chain"

    def ready(self) -> None:
        from chain import checks  # noqa: F401 - registers them

        # httpx writes a line per request; the indexer makes several each second.
        logging.getLogger("httpx").setLevel(logging.WARNING)
