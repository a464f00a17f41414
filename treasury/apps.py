from django.apps import AppConfig


class TreasuryConfig(AppConfig):
    """Balances and payments. Knows the chain and nothing of proposals or nodes."""

    name = "treasury"
    verbose_name = "Treasury"

    def ready(self) -> None:
        # Here and not at the top: models cannot be imported before the apps are ready.
        from chain.projections import register_projector
        from treasury.projections import TreasuryProjector

        register_projector(TreasuryProjector())
